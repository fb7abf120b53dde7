"""Fingerprints: the SHA-256 of what an entity was made of, and whether its file still has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ingest.ledger import Ledger
from ingest.media.files import Content, content_of
from search_core.schema.entity import MediaEntity

FileState = Literal["as taken in", "changed", "gone", "not compared"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``sha256`` (hex, "" where it is not known) is that of the content that was taken in.

    ``file`` says what the file is now, compared with that content.
    """

    sha256: str
    file: FileState


def fingerprint(ledger: Ledger, entity: MediaEntity, path: Path | None) -> Fingerprint:
    """Return an entity's fingerprint; ``path`` is its file, None where there is none to look at.

    The still of a live camera is a file of Sightline's own: it is hashed as it is.
    """
    if entity.is_live:
        content = _content(path)
        return Fingerprint(content.sha256, "not compared") if content else Fingerprint("", "gone")
    taken_in = ledger.sha256_of(entity.source_id)
    if path is None or not path.is_file():
        return Fingerprint(taken_in, "not compared" if entity.is_remote else "gone")
    if taken_in and is_as_taken_in(ledger, entity, path):
        return Fingerprint(taken_in, "as taken in")
    content = _content(path)
    if content is None:
        return Fingerprint(taken_in, "not compared")
    if content.source_id != entity.source_id:
        return Fingerprint(taken_in, "changed")
    ledger.remember_sha256(content)
    return Fingerprint(content.sha256, "as taken in")


def is_as_taken_in(ledger: Ledger, entity: MediaEntity, path: Path) -> bool:
    """Whether a file has the content that an entity was made of; False where it cannot be read.

    It is read only where its size or time is not that of its known content.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    version = (status.st_size, status.st_mtime_ns)
    known = ledger.known_content(str(path), *version)
    if known is None:
        content = _content(path)
        if content is None:
            return False
        known = content.source_id
        ledger.remember_content(str(path), *version, known)
    return known == entity.source_id


def _content(path: Path | None) -> Content | None:
    """Return the hashes of a file, kept while it stays the same; None where it cannot be read."""
    if path is None:
        return None
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _read(path: Path, size: int, mtime_ns: int) -> Content:
    return content_of(path)
