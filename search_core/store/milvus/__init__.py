"""The store on Milvus, embedded or a server. The only room that imports pymilvus; its errors leave
it as those of :mod:`search_core.errors`.
"""
