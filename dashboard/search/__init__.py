"""The page Search: the bar, filters, timeline, results and export. :mod:`dashboard.query` holds the
search itself, :mod:`dashboard.moment` the opened hit.
"""
