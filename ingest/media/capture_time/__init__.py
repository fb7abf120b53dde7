"""When footage and photographs were captured, and which source says so.

``container`` and ``photograph`` read what files give (``formats`` knows how it is written),
``sources`` is the order in which it is believed, ``choice`` decides, and ``sequence`` lays
recordings one after another that are given the time at which the first of them began.
"""
