"""Benchmarks of indexes: recall, sizes, filters, bulk inserts, VectorDBBench beside the lab."""
