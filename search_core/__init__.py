"""Sightline's library: settings, encoders, the Milvus store, search and index measurement."""
