"""The page Map: a library's embeddings in two dimensions, from
:mod:`search_core.search.embedding_map`.
"""
