"""Benchmarks of ingest: keyframes, cameras, throughput, long videos, plans."""
