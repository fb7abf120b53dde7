"""Commands of live cameras and watched folders; :mod:`ingest.cameras` does the work."""
