"""What a sentence says besides what to look for: when, and on which camera.

``reader`` puts together what ``english``, ``chinese`` and ``cameras`` find. Nothing here asks a
store, or knows an encoder.
"""
