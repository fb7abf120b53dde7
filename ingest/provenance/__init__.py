"""Provenance: which file gave which rows, what its content was, and whether it is still there."""
