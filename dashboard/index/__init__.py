"""The page Index: the serving index, advice, comparisons and builds. Measurements come from
:mod:`search_core.lab`; the work itself is done by jobs.
"""
