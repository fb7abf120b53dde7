"""The store protocol, and what is common to its implementations :mod:`~search_core.store.milvus`
and :mod:`~search_core.store.memory`: libraries, endpoints, iteration, exact search.
"""
