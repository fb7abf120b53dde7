"""Made street scenes with captions, the sample footage, and the demo encoder trained on them.
``sightline demo`` renders and ingests the footage; tests and the default settings use the encoder.
"""
