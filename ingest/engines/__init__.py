"""Engines run the decoding of sources: here in supervised processes on this machine."""
