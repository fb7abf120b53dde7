"""Sightline's library: settings, encoders, the Milvus store, search and index measurement."""

import os

# Before OpenMP is loaded, here or in a child (torch, Milvus Lite): threads that wait by spinning
# take the cores from decoders and from each other. Beside them an ingest took 1.3 to 1.7 times as
# long, and a query of 4 ms 200.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
