"""Engines run the decoding of sources: ``local`` in supervised processes on this machine, ``ray``
on a Ray cluster. The pipeline gives them tasks and takes frames or rows back.
"""
