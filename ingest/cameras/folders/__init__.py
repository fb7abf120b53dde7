"""Watched folders: recordings that others put there are taken in when they are whole.

``watching`` composes it: a thread a folder looks through it (``scan``), holds what it finds until
it is whole (``candidates``), gives it to the ordinary ingest, and writes state, gaps and what
became of each file into ``log``. It runs in the process that watches live cameras
(ingest.cameras), so that both share one encoder.
"""
