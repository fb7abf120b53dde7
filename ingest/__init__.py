"""Ingest: sources to keyframes to embeddings to Milvus, each source accounted for in a ledger."""
