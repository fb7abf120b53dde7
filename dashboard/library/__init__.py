"""The page Library: what a library holds, by day; adding, correcting, tagging, moving and deleting
media, the trash, failures and jobs. Long work is queued through :mod:`ingest.jobs`.
"""
