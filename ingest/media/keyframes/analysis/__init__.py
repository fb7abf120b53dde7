"""What selectors measure: packet sizes, the background and what is new before it, sampling.
Selectors in :mod:`ingest.media.keyframes` import it; it imports no selector.
"""
