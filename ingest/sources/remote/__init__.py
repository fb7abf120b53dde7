"""Sources at ``s3://``, ``gs://`` and ``https://`` addresses: refused or fetched into a local
spool, from which the ordinary ingest reads them.
"""
