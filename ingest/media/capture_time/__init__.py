"""When footage and photographs were captured, and which source says so.

``container`` and ``photograph`` read what files give (``formats`` knows how it is written),
``claims`` is the order in which it is believed, and ``choice`` decides. Recordings that are given
the time at which the first of them began are laid one after another by
:mod:`ingest.estimate.sequence`.
"""
