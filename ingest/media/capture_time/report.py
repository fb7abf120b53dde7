"""The report on capture times: where they come from, and which may be wrong."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.media.capture_time.claims import SOURCES
from search_core.schema.entity import CapturedFrom

_PHRASES: dict[CapturedFrom, str] = {
    "given": "given",
    "container": "from the file's metadata",
    "exif": "from EXIF",
    "xmp": "from XMP",
    "iptc": "from IPTC",
    "gps": "from GPS",
    "name": "from names",
    "modified": "from the metadata's last change",
    "day": "known to the day",
    "file": "from the file's modification time",
}


def time_summary(counts: Mapping[CapturedFrom, int]) -> str:
    """Return how many sources have their times from where, in a sentence."""
    order = dict.fromkeys(source.captured_from for source in SOURCES)
    parts = [f"{counts[kind]:,} {_PHRASES[kind]}" for kind in order if counts.get(kind)]
    return f"Capture times: {', '.join(parts)}."


def file_time_warning(only_file: int, total: int, *, about: bool = False) -> str:
    """Return the warning about sources that have nothing but the file's time, "" for none.

    ``about`` says that the number is an estimate.
    """
    if not only_file:
        return ""
    number = f"{'About ' if about else ''}{only_file:,} of {total:,} sources"
    return (
        f"{number} {'has' if only_file == 1 else 'have'} no time of capture: the file's "
        "modification time is used, which copying may have changed. --started-at says when a "
        "recording began, --name-pattern how its name says it."
    )
