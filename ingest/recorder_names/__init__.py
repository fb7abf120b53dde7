"""What the names of recorders' files and folders say: when a recording began, and which camera.

``table`` lists the recorders as data; ``reading`` reads a path with them, and failing that with
the forms of ``general``.
"""

from ingest.recorder_names.patterns import NamePattern
from ingest.recorder_names.reading import NameReading, read_recorder_name
from ingest.recorder_names.table import PATTERNS

__all__ = ["PATTERNS", "NamePattern", "NameReading", "read_recorder_name"]
