"""A store in memory with the contract of the Milvus store, for tests and for trying things out."""
