"""Rendered street scenes with captions: figures, vehicles, backgrounds, clips. The sample footage
and the training of the demo encoder draw from it.
"""
