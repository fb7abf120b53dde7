"""Engines run the decoding of sources: in supervised processes on this machine (``base``), or on a
Ray cluster (``ray``). The pipeline gives them tasks and takes frames or rows back.
"""
