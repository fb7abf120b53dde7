"""What a row is and how rows are filtered: entities, filters, facets, cameras, clocks, durations.
No I/O; every other room may import it.
"""
