"""The dashboard: search, the library and its index, in a browser."""
