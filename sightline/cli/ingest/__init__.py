"""Commands that take media in: ingest, plan, failures."""
