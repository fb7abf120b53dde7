"""A search as the dashboard keeps it: read from and written to the page's address, with its terms
and pictures. The page Search draws it; :mod:`search_core.search.engine` answers it.
"""
