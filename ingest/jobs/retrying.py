"""What to give an ingest so that sources which failed are tried again."""

from __future__ import annotations

from pathlib import Path

from search_core.entities import is_address


def file_of(uri: str) -> str:
    """Return the file to ingest for a source: of an archive's member, the archive."""
    if is_address(uri):
        archive, zipped, _ = uri.partition(".zip/")
        return archive + zipped.rstrip("/")
    path = Path(uri)
    for candidate in (path, *path.parents):
        if candidate.is_file():
            return str(candidate)
    return uri
