"""Rows of a library: embedded, written, replaced, deleted and expired, with the journal of
unfinished writes. The pipeline and :mod:`ingest.curation` both stand on it.
"""
