"""The training of the demo encoder on rendered scenes; with :mod:`search_core.encoders` the only
room that imports torch.
"""
