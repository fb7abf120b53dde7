"""Changes to what is already in a library: corrections, tags, moving, re-embedding, verification,
repair and restoration. Deletion and the trash are in :mod:`ingest.rows`, below the pipeline.
"""
