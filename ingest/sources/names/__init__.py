"""What the names of recorders' files and folders say: when a recording began, and which camera.

``table`` lists the recorders as data, in the ``patterns`` that users write as well. ``reading``
reads a path with them, and failing that finds ``stamps`` in it, and says which camera a file is
from.
"""

from ingest.sources.names.patterns import NamePattern
from ingest.sources.names.reading import NameReading, Naming, name_patterns, read_recorder_name
from ingest.sources.names.table import PATTERNS

__all__ = [
    "PATTERNS",
    "NamePattern",
    "NameReading",
    "Naming",
    "name_patterns",
    "read_recorder_name",
]
