"""From sources to what has to be decoded: reads each one's content hash and asks the ledger.

Of what is elsewhere, only what has to be decoded is fetched, a few files ahead of decoding.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

from ingest.engines.base import DecodeOptions, DecodeTask, Opened, Prepared
from ingest.ledger import Ledger
from ingest.media.capture_time.claims import CaptureTime, TimeClaim, choose_capture_time
from ingest.media.capture_time.metadata import MAX_SIDECAR_BYTES, sidecar_of, taken_ms
from ingest.media.files import (
    CHANGED_WHILE_READ,
    DIGEST_BYTES,
    HEAD_BYTES,
    WAIT_STAGE,
    Content,
    ContentDigest,
    Kind,
    age_s,
    kind_of,
    named_like_media,
    still_written,
)
from ingest.media.keyframes.registry import parse_selector
from ingest.media.regions.registry import AUTO, OFF
from ingest.options import IngestOptions, recipe_of
from ingest.report import SourceOutcome
from ingest.sources.archives import Archive, Member
from ingest.sources.discovery import Source
from ingest.sources.names.reading import Naming
from ingest.sources.remote.fetching import AHEAD, Fetched, Fetcher
from ingest.sources.remote.files import RemoteFile, RemoteFiles
from search_core.encoders.base import Encoder
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.schema.clocks import Clocks
from search_core.schema.entity import CAMERA_MAX_LENGTH, URI_MAX_LENGTH
from search_core.settings import Settings
from search_core.system.cancellation import Interrupted

_CHUNK_BYTES = 1024**2
KNOWN = Message("already in the library")
#: In the ledger in place of a content hash: a remote file that is not worth fetching again.
_NO_MEDIA = "no media"
_Waiting: TypeAlias = tuple[Source | SourceOutcome, Future[Fetched] | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one ingest does with every source.

    ``naming`` says which camera a source is from where ``camera`` is None. ``starts_ms`` is when
    sources began by what somebody said, by uri in epoch milliseconds. ``anew`` are sources that are
    taken in although the ledger calls them done. ``accepted`` is another recipe whose
    sources are done.
    """

    library: str
    recipe: str
    camera: str | None
    uploads_dir: Path
    options: DecodeOptions
    naming: Naming = field(default_factory=Naming)
    anew: frozenset[str] = frozenset()
    clocks: Clocks = field(default_factory=Clocks)
    starts_ms: Mapping[str, int] = field(default_factory=dict)
    accepted: str | None = None

    @classmethod
    def of(
        cls,
        paths: Sequence[str],
        asked: IngestOptions,
        settings: Settings,
        encoder: Encoder,
        library: str,
        anew: frozenset[str] = frozenset(),
    ) -> Self:
        """Return the plan of an ingest of ``paths``; raises UsageError."""
        selector = parse_selector(asked.keyframes)
        return cls(
            library=library,
            recipe=recipe_of(encoder.identity.digest, asked.recipe),
            camera=asked.camera,
            uploads_dir=settings.uploads_dir,
            options=DecodeOptions.of(settings, selector, encoder, asked.proposer),
            naming=asked.naming(settings, paths),
            anew=anew,
            clocks=asked.clocks(settings),
            # What is in the library without regions is not taken in again: reembed adds them.
            accepted=recipe_of(encoder.identity.digest, replace(asked, regions=OFF).recipe)
            if asked.regions == AUTO
            else None,
        )

    def capture_time(self, task: DecodeTask, opened: Opened) -> CaptureTime:
        """Return when a source began."""
        claims = [*opened.claims, *task.name_claims]
        if task.sidecar_ms is not None:
            taken = datetime.fromtimestamp(task.sidecar_ms / 1000, UTC)
            claims.append(TimeClaim("sidecar", taken))
        return choose_capture_time(
            claims,
            self.clocks.of(task.camera),
            file_ms=task.file_ms,
            duration_ms=opened.duration_ms if opened.kind == "video" else 0,
            given_ms=task.given_ms,
            question=task.name_question,
        )


class Intake:
    """Prepares sources one after the other; what is in the library already is left out.

    Without a ledger nothing is known. A context manager: leaving it removes what was fetched.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger | None,
        should_stop: Callable[[], bool],
        settings: Settings,
        remote: RemoteFiles,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._should_stop = should_stop
        self._remote = remote
        self._settings = settings
        self._held = ExitStack()
        self._taken: dict[str, str] = {}
        self._archive: tuple[Path, Archive, str] | None = None
        self._archive_files = ExitStack()
        #: The folder looked into last, and the names of its JSON files.
        self._sidecars: tuple[Path, list[str]] = Path(), []

    def __enter__(self) -> Intake:
        if self._settings.spool_dir.is_dir():
            _ = self._fetcher  # which removes what a run that was killed left there
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held.close()

    @cached_property
    def _fetcher(self) -> Fetcher:
        return self._held.enter_context(Fetcher(self._settings, self._remote, self._go_on))

    def prepare(self, sources: Iterable[Source | SourceOutcome]) -> Iterator[Prepared]:
        """Yield a task for each source that is pending, and the outcomes of the others.

        Ends early when the ingest is to stop.
        """
        try:
            for source, fetching in self._fetched_ahead(sources):
                if isinstance(source, SourceOutcome):
                    yield source
                    continue
                try:
                    self._go_on()
                    yield self._prepared(source, fetching)
                except MediaError as error:
                    yield source.failed(_stage(source), error.message)
                except OSError as error:
                    yield source.failed(
                        "read", Message("cannot be read: {error}", error=in_words(error))
                    )
        except Interrupted:
            return
        finally:
            self._close_archive()

    def _fetched_ahead(self, sources: Iterable[Source | SourceOutcome]) -> Iterator[_Waiting]:
        """Yield the sources in their order, each with its fetching if it has to be fetched."""
        coming, waiting = (
            iter(sources),
            deque[tuple[Source | SourceOutcome, Future[Fetched] | None]](),
        )
        for source in coming:
            waiting.append((source, self._fetching(source)))
            if len(waiting) >= AHEAD:
                yield waiting.popleft()
        yield from waiting

    def _fetching(self, source: Source | SourceOutcome) -> Future[Fetched] | None:
        """Begin to fetch a remote file, unless it is known to be of no use."""
        if isinstance(source, SourceOutcome) or source.remote is None or source.member is not None:
            return None
        if self._is_settled(source, source.remote):
            return None
        return self._fetcher.start(
            source.remote, lambda head: _not_media(source, kind_of(head)) is None
        )

    def _is_settled(self, source: Source, file: RemoteFile) -> bool:
        """Whether fetching a remote file could change nothing: it is known what it holds."""
        known_id = self._known_remote(file)
        return known_id is not None and (
            self._is_done(known_id) or (known_id == _NO_MEDIA and not source.named)
        )

    def _known_remote(self, file: RemoteFile) -> str | None:
        if file.version is None or file.size is None:
            return None
        return self._known_id(file.uri, file.size, file.version)

    def _known_id(self, place: str, size: int, version: int) -> str | None:
        """Return the source id of what was read there before and has not changed since."""
        return None if self._ledger is None else self._ledger.known_content(place, size, version)

    def _prepared(self, source: Source, fetching: Future[Fetched] | None) -> Prepared:
        if source.member is not None:
            return self._from_archive(source, source.member)
        if source.remote is not None:
            return self._from_afar(source, source.remote, fetching)
        version = _version(source.path)
        source_id = self._known_id(source.uri, *version)
        if source_id is None:
            with source.path.open("rb") as file:
                head = file.read(HEAD_BYTES)
                refused = _not_media(source, kind_of(head))
                if refused is not None:
                    return refused
                if waiting := still_written(source.path, age_s(source.path.stat())):
                    return source.skipped(WAIT_STAGE, waiting)
                if not head:
                    return source.failed("read", Message("is empty"))
                file.seek(0)
                content = self._hashed(file)
            if _version(source.path) != version:
                return source.failed("read", CHANGED_WHILE_READ)
            self._remember(source.uri, *version, content)
            source_id = content.source_id
        return self._known(source, source_id) or self._task(
            source, source.path, source_id, version, self._sidecar_beside(source)
        )

    def _remember(self, place: str, size: int, version: int | None, content: Content) -> None:
        """Note the content of what was read just now, where it has hashes those too."""
        if self._ledger is None:
            return
        if version is not None:
            self._ledger.remember_content(place, size, version, content.source_id)
        if content.sha256:
            self._ledger.remember_sha256(content)

    def _from_afar(
        self, source: Source, file: RemoteFile, fetching: Future[Fetched] | None
    ) -> Prepared:
        if fetching is None:
            known_id = self._known_remote(file)
            if known_id is None or known_id == _NO_MEDIA:
                return source.not_media()
            return self._already_there(source, known_id)
        fetched = self._fetcher.wait(fetching)
        content = fetched.content if fetched.path is not None else Content(_NO_MEDIA, "")
        self._remember(file.uri, fetched.size, fetched.version, content)
        if not fetched.head:
            return source.failed("read", Message("is empty"))
        if fetched.path is None:
            return _not_media(source, kind_of(fetched.head)) or source.not_media()
        known = self._known(source, content.source_id)
        if known is not None:
            fetched.path.unlink()
            return known
        path = fetched.path
        return self._task(source, path, content.source_id, _version(path))

    def _from_archive(self, source: Source, member: Member) -> Prepared:
        archive, archive_id = self._opened(source)
        known_id = self._known_id(f"{archive_id}!{member.index}", member.size, member.crc)
        if known_id is not None and (known := self._known(source, known_id)) is not None:
            return known
        refused = _not_media(source, kind_of(archive.head_of(member, HEAD_BYTES)))
        if refused is not None:
            return refused
        if member.size == 0:
            return source.failed("read", Message("is empty"))
        return self._unpacked(source, member, archive, archive_id)

    def _unpacked(
        self, source: Source, member: Member, archive: Archive, archive_id: str
    ) -> Prepared:
        folder = self._plan.uploads_dir / archive_id
        path, content = archive.extract(member, folder, self._go_on)
        self._remember(f"{archive_id}!{member.index}", member.size, member.crc, content)
        known = self._known(source, content.source_id)
        if known is not None:
            path.unlink()
            return known
        sidecar = archive.sidecar_of(member)
        return self._task(source, path, content.source_id, _version(path), sidecar)

    def _sidecar_beside(self, source: Source) -> bytes:
        """Return the content of a file's Google Takeout sidecar, b"" without one."""
        folder = source.path.parent
        try:
            if self._sidecars[0] != folder:
                with os.scandir(folder) as listing:
                    names = [entry.name for entry in listing if entry.name.endswith(".json")]
                self._sidecars = folder, names
            names = self._sidecars[1]
            name = sidecar_of(source.path.name, names) if names else None
            if name is None:
                return b""
            with (folder / name).open("rb") as file:
                return file.read(MAX_SIDECAR_BYTES)
        except OSError:
            return b""  # as if there were none: the picture itself can be read

    def _known(self, source: Source, source_id: str) -> SourceOutcome | None:
        """Return that this content is in the library, or taken in just now; None when it is not."""
        if self._is_done(source_id):
            return self._already_there(source, source_id)
        twin = self._taken.setdefault(source_id, source.uri)
        if twin == source.uri:
            return None
        return source.duplicate(Message("has the content of {name}", name=twin), source_id)

    def try_again(self, source_id: str) -> None:
        """Let the next file with this content be decoded: the one before it failed."""
        self._taken.pop(source_id, None)

    def _already_there(self, source: Source, source_id: str) -> SourceOutcome:
        known = source.duplicate(KNOWN, source_id)
        return replace(known, given_ms=self._plan.starts_ms.get(source.uri))

    def _is_done(self, source_id: str) -> bool:
        if self._ledger is None or source_id in self._plan.anew:
            return False
        recipes = filter(None, (self._plan.recipe, self._plan.accepted))
        return any(
            self._ledger.is_done(self._plan.library, source_id, recipe) for recipe in recipes
        )

    def _task(
        self,
        source: Source,
        path: Path,
        source_id: str,
        version: tuple[int, int],
        sidecar: bytes = b"",
    ) -> Prepared:
        spooled = source.remote is not None and source.member is None
        try:
            longest = len((source.uri if spooled else str(path)).encode())
        except UnicodeEncodeError:
            return source.failed("read", Message("has a name that is not valid UTF-8; rename it"))
        if longest > URI_MAX_LENGTH:
            return source.failed(
                "read", Message("has a path longer than {most} bytes", most=URI_MAX_LENGTH)
            )
        name = self._plan.naming.reading_of(source.place)
        camera = self._plan.camera
        if camera is None:
            camera = self._plan.naming.camera_of(source.place)
        return DecodeTask(
            uri=source.uri,
            path=path,
            source_id=source_id,
            version=version,
            camera=_fitting(camera),
            given_ms=self._plan.starts_ms.get(source.uri),
            sidecar_ms=taken_ms(sidecar) if sidecar else None,
            file_ms=version[1] // 1_000_000,
            unpacked=source.member is not None,
            options=self._plan.options,
            spooled=spooled,
            name_claims=name.claims if name is not None else (),
            name_question=name.question if name is not None else "",
        )

    def _opened(self, source: Source) -> tuple[Archive, str]:
        """Return a source's archive and its id; members of one archive come in a row."""
        path = source.path
        if self._archive is not None and self._archive[0] == path:
            return self._archive[1], self._archive[2]
        self._close_archive()
        if source.remote is not None:
            file = source.remote
            parts = self._archive_files.enter_context(self._remote.open_parts(file))
            archive = self._archive_files.enter_context(Archive(parts))
            self._archive = (path, archive, _digest(f"{file.uri}|{file.size}|{file.version}"))
        else:
            self._archive = self._local_archive(path)
        return self._archive[1], self._archive[2]

    def _local_archive(self, path: Path) -> tuple[Path, Archive, str]:
        version = _version(path)
        archive_id = self._known_id(str(path), *version)
        if archive_id is None:
            with path.open("rb") as file:
                archive_id = self._hashed(file).source_id
            self._remember(str(path), *version, Content(archive_id, ""))
        return path, self._archive_files.enter_context(Archive(path)), archive_id

    def _close_archive(self) -> None:
        self._archive_files.close()
        self._archive = None

    def _hashed(self, file: BinaryIO) -> Content:
        digest = ContentDigest()
        while chunk := file.read(_CHUNK_BYTES):
            self._go_on()
            digest.update(chunk)
        return digest.content()

    def _go_on(self) -> None:
        if self._should_stop():
            raise Interrupted


def _stage(source: Source) -> str:
    """Return where a source fails that cannot be read."""
    if source.member is not None:
        return "archive"
    return "read" if source.remote is None else "fetch"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _version(path: Path) -> tuple[int, int]:
    """Return the size (bytes) and time (ns) that tell whether a file changed; raises OSError."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


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
