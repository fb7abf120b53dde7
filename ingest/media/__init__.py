"""Media files to frames, thumbnails and capture times. Knows neither Milvus nor the ledger: of
:mod:`search_core` it imports only schema, system and errors.
"""
