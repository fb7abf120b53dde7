"""What the names of recorders' files and folders say: when a recording began, and which camera.

``table`` lists the recorders as data; ``reading`` reads a path with them, and failing that with
the forms of ``general``. ``templates`` checks the patterns that users write, and ``camera`` says
which camera a file is from.
"""

from ingest.sources.names.camera import Naming
from ingest.sources.names.patterns import NamePattern
from ingest.sources.names.reading import NameReading, read_recorder_name
from ingest.sources.names.table import PATTERNS
from ingest.sources.names.templates import name_patterns

__all__ = [
    "PATTERNS",
    "NamePattern",
    "NameReading",
    "Naming",
    "name_patterns",
    "read_recorder_name",
]
