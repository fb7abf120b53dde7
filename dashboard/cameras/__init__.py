"""The page Cameras: live cameras and watched folders, adding, testing and changing cameras. It
edits the roster of :mod:`ingest.cameras`; ``sightline serve`` runs the cameras themselves.
"""
