"""The files of an embedded Milvus Lite: inspected, restored, and read where they cannot be written.
It reads the folder without a client; :mod:`search_core.store.milvus` is what talks to Milvus.
"""
