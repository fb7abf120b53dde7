"""The engine that decodes and embeds on a Ray cluster; the process that started it writes the rows.
It fulfils the same contract as :mod:`ingest.engines.base` and needs the extra ``ray``.
"""
