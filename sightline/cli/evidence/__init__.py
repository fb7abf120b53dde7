"""Commands that cut footage and collect evidence; :mod:`ingest.evidence` does the work."""
