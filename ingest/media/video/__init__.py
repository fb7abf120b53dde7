"""Video files to frames in order: container, timestamps, GOPs, orientation and discontinuities.

:mod:`ingest.media.decoding` puts them together; selectors in :mod:`ingest.media.keyframes` see the
frames.
"""
