"""What selectors measure: packet sizes, background, novelty, sampling, target times. Selectors in
:mod:`ingest.media.keyframes` import it; it imports no selector.
"""
