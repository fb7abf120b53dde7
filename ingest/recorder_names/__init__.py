"""What the names of recorders' files and folders say: when a recording began, and which camera.

``table`` lists the recorders as data; ``reading`` reads a path with them, and failing that with
the forms of ``general``. ``templates`` checks the patterns that users write, and ``camera`` says
which camera a file is from.
"""

from ingest.recorder_names.camera import Naming
from ingest.recorder_names.patterns import NamePattern
from ingest.recorder_names.reading import NameReading, read_recorder_name
from ingest.recorder_names.table import PATTERNS
from ingest.recorder_names.templates import name_patterns

__all__ = [
    "PATTERNS",
    "NamePattern",
    "NameReading",
    "Naming",
    "name_patterns",
    "read_recorder_name",
]
