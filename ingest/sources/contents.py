"""Content hashes: the BLAKE2b that names a source, and the SHA-256 that evidence states."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from search_core.messages import Message

DIGEST_BYTES = 16
#: Why a file is refused whose content is not what was hashed when its ingest began.
CHANGED_WHILE_READ = Message("was changed while it was read; run again when it is complete")
_CHUNK_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Content:
    """The hashes of a file's content, in hex: ``source_id`` is its BLAKE2b-128."""

    source_id: str
    sha256: str


NO_CONTENT = Content("", "")


class ContentDigest:
    """Computes both hashes in one pass over the bytes."""

    def __init__(self) -> None:
        self._blake2b = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Add the next bytes of the content."""
        self._blake2b.update(data)
        self._sha256.update(data)

    def content(self) -> Content:
        """Return the hashes of all bytes so far."""
        return Content(self._blake2b.hexdigest(), self._sha256.hexdigest())


def content_of(path: Path) -> Content:
    """Return the hashes of a file's content; raises OSError."""
    digest = ContentDigest()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.content()
