"""Queries to hits: the engine, filtered search, exclusion, grouping, match strength, heat maps, and
exports of hits. It asks a store and an encoder, and never Milvus itself.
"""
