"""When footage and photographs were captured, and which source says so.

``metadata`` reads what files give, and ``claims`` has the order in which sources are believed, and
decides. Recordings that are given the time at which the first of them began are laid one after
another by :mod:`ingest.estimate.sequence`.
"""
