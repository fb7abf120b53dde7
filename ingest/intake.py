"""From sources to what has to be decoded: reads each one's content hash and asks the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest.archives import DIGEST_BYTES, Archive, Member
from ingest.engines.tasks import DecodeOptions, DecodeTask, Prepared
from ingest.ledger import Ledger
from ingest.outcomes import SourceOutcome
from ingest.signatures import HEAD_BYTES, Kind, kind_of, named_like_media
from ingest.sources import Source
from search_core.entities import CAMERA_MAX_LENGTH, URI_MAX_LENGTH
from search_core.errors import MediaError

_CHUNK_BYTES = 1024**2
KNOWN = "already in the library"


class Interrupted(Exception):
    """The ingest is to stop."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one ingest does with every source; ``given_ms`` is epoch milliseconds or None."""

    library: str
    recipe: str
    camera: str | None
    given_ms: int | None
    uploads_dir: Path
    options: DecodeOptions


class Intake:
    """Prepares sources one after the other; what is in the library already is left out."""

    def __init__(self, plan: Plan, ledger: Ledger, should_stop: Callable[[], bool]) -> None:
        self._plan = plan
        self._ledger = ledger
        self._should_stop = should_stop
        self._taken: dict[str, str] = {}
        self._archive: tuple[Path, Archive, str] | None = None

    def prepare(self, sources: Iterable[Source | SourceOutcome]) -> Iterator[Prepared]:
        """Yield a task for each source that is pending, and what became of the others.

        Ends early when the ingest is to stop.
        """
        try:
            for source in sources:
                if isinstance(source, SourceOutcome):
                    yield source
                    continue
                try:
                    self._go_on()
                    yield self._prepared(source)
                except MediaError as error:
                    yield source.failed("archive" if source.member else "read", error.message)
                except OSError as error:
                    yield source.failed("read", f"cannot be read: {error.strerror or error}")
        except Interrupted:
            return
        finally:
            self._close_archive()

    def _prepared(self, source: Source) -> Prepared:
        if source.member is not None:
            return self._from_archive(source, source.member)
        status = source.path.stat()
        version = (status.st_size, status.st_mtime_ns)
        source_id = self._ledger.known_content(source.uri, *version)
        if source_id is None:
            with source.path.open("rb") as file:
                head = file.read(HEAD_BYTES)
                refused = _not_media(source, kind_of(head))
                if refused is not None:
                    return refused
                if not head:
                    return source.failed("read", "is empty")
                file.seek(0)
                source_id = self._hashed(file)
            self._ledger.remember_content(source.uri, *version, source_id)
        return self._known(source, source_id) or self._task(
            source, source.path, source_id, source.path.parent.name
        )

    def _from_archive(self, source: Source, member: Member) -> Prepared:
        archive, archive_id = self._opened(source.path)
        place = f"{archive_id}!{member.index}"
        known_id = self._ledger.known_content(place, member.size, member.crc)
        if known_id is not None and (known := self._known(source, known_id)) is not None:
            return known
        refused = _not_media(source, kind_of(archive.head_of(member, HEAD_BYTES)))
        if refused is not None:
            return refused
        if member.size == 0:
            return source.failed("read", "is empty")
        unpacked = self._plan.uploads_dir / archive_id
        path, source_id = archive.extract(member, unpacked, self._go_on)
        self._ledger.remember_content(place, member.size, member.crc, source_id)
        known = self._known(source, source_id)
        if known is not None:
            path.unlink()
            return known
        parent = Path(source.uri).parent
        return self._task(
            source, path, source_id, parent.stem if parent == source.path else parent.name
        )

    def _known(self, source: Source, source_id: str) -> SourceOutcome | None:
        """Return that this content is in the library, or taken in just now; None when it is not."""
        if self._ledger.is_done(self._plan.library, source_id, self._plan.recipe):
            return source.skipped("find", KNOWN)
        twin = self._taken.setdefault(source_id, source.uri)
        return None if twin == source.uri else source.skipped("find", f"has the content of {twin}")

    def _task(self, source: Source, path: Path, source_id: str, parent: str) -> Prepared:
        try:
            longest = len(str(path).encode())
        except UnicodeEncodeError:
            return source.failed("read", "has a name that is not valid UTF-8; rename it")
        if longest > URI_MAX_LENGTH:
            return source.failed("read", f"has a path longer than {URI_MAX_LENGTH} bytes")
        status = path.stat()
        camera = self._plan.camera
        return DecodeTask(
            uri=source.uri,
            path=path,
            source_id=source_id,
            version=(status.st_size, status.st_mtime_ns),
            image_camera=_fitting(camera if camera is not None else parent),
            video_camera=_fitting(camera if camera is not None else Path(source.uri).stem),
            given_ms=self._plan.given_ms,
            file_ms=status.st_mtime_ns // 1_000_000,
            unpacked=source.member is not None,
            options=self._plan.options,
        )

    def _opened(self, path: Path) -> tuple[Archive, str]:
        """Return an archive and its content hash; members of one archive come in a row."""
        if self._archive is None or self._archive[0] != path:
            self._close_archive()
            status = path.stat()
            version = (status.st_size, status.st_mtime_ns)
            archive_id = self._ledger.known_content(str(path), *version)
            if archive_id is None:
                with path.open("rb") as file:
                    archive_id = self._hashed(file)
                self._ledger.remember_content(str(path), *version, archive_id)
            self._archive = (path, Archive(path), archive_id)
        return self._archive[1], self._archive[2]

    def _close_archive(self) -> None:
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None

    def _hashed(self, file: BinaryIO) -> str:
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        while chunk := file.read(_CHUNK_BYTES):
            self._go_on()
            digest.update(chunk)
        return digest.hexdigest()

    def _go_on(self) -> None:
        if self._should_stop():
            raise Interrupted


def _not_media(source: Source, kind: Kind) -> SourceOutcome | None:
    """Return that a source holds no media, judging by its content and, failing that, its name."""
    if kind == "archive":
        return source.not_media("is an archive of a kind that is not opened; only zips are")
    if kind == "unknown" and not named_like_media(source.uri):
        return source.not_media()
    return None


def _fitting(camera: str) -> str:
    """Return a camera's name within the length Milvus stores, in bytes."""
    clean = camera.encode("utf-8", "replace")[:CAMERA_MAX_LENGTH]
    return clean.decode("utf-8", "ignore")
