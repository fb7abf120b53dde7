"""The report of a comparison: charts, tables, CSV and one HTML page that works offline. It reads
the records that :mod:`search_core.lab` writes, and measures nothing.
"""
