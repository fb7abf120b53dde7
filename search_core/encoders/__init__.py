"""Encoders turn images and sentences into embeddings of one space."""
