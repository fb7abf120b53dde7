"""Regions of keyframes: boxes whose embeddings are stored beside the whole picture's.

A proposer says which boxes a keyframe has. ``base`` has the protocol and the base class, the
registry lists the proposers that people name, each of which is a module.
"""
