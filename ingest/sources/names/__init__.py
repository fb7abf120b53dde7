"""What the names of recorders' files and folders say: when a recording began, and which camera.

``table`` lists the recorders as data, in the ``patterns`` that users write as well. ``reading``
reads a path with them, and failing that finds times anywhere in it, and says which camera a file is
from.
"""
