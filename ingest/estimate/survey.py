"""A dry run of the intake: what an ingest would do with every source, and nothing is kept of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ingest.engines.base import DecodeTask, Prepared
from ingest.intake import KNOWN, Intake, Plan
from ingest.ledger import Ledger
from ingest.media.files import WAIT_STAGE, Content, Kind, kind_of_file, named_like_media
from ingest.report import SourceOutcome
from ingest.sources.archives import Archive, Member
from ingest.sources.discovery import Source, find_sources
from ingest.sources.remote.fetching import Fetched
from ingest.sources.remote.files import RemoteFile, RemoteFiles
from search_core.errors import MediaError
from search_core.settings import Settings

#: Names of raw MJPEG recordings.
_MJPEG = frozenset((".mjpeg", ".mjpg"))


@dataclass(frozen=True, slots=True)
class Pending:
    """A source that would be taken in, as far as it was prepared.

    ``remote`` is the file that would be fetched. Of what would be fetched or unpacked the name
    alone is known; ``kind`` is "unknown" then.
    """

    task: DecodeTask
    kind: Kind
    remote: RemoteFile | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is a file that can be looked into without fetching or unpacking it."""
        return not self.task.spooled and not self.task.unpacked

    @property
    def size(self) -> int:
        """How large it is, in bytes; 0 where nobody tells."""
        return self.task.version[0]


@dataclass(slots=True)
class Survey:
    """What was found: the sources to take in, and why the others are left out.

    ``failing`` are those that would fail now, and those that are still being written; ``skipped``
    counts by reason the sources that are left out by choice.
    """

    pending: list[Pending] = field(default_factory=list)
    known: int = 0
    duplicates: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failing: list[SourceOutcome] = field(default_factory=list)

    @property
    def cameras(self) -> Counter[str]:
        """How many sources each camera would have."""
        return Counter(pending.task.camera for pending in self.pending)

    @property
    def questions(self) -> list[tuple[str, str]]:
        """The sources whose names have two readings, and what is to be asked of each."""
        tasks = [pending.task for pending in self.pending]
        return [(task.uri, task.name_question) for task in tasks if task.name_question]

    def leave_out(self, outcome: SourceOutcome) -> None:
        """Count a source that is skipped, or keep one that fails or is still being written."""
        if outcome.status == "failed" or outcome.stage == WAIT_STAGE:
            self.failing.append(outcome)
        elif outcome.reason == KNOWN:
            self.known += 1
        elif outcome.source_id:
            self.duplicates += 1
        else:
            self.skipped[outcome.reason] += 1


def surveyed(paths: Sequence[str], plan: Plan, settings: Settings, *, anew: bool = False) -> Survey:
    """Find what paths name, and ask the ledger; ``anew`` says that the library holds nothing."""
    remote = RemoteFiles(settings.remote)
    sources = list(find_sources(paths, settings.data_dir, remote))
    if anew or not settings.ledger_path.exists():
        return survey(sources, plan, settings, remote)
    with Ledger(settings.ledger_path) as ledger:
        return survey(sources, plan, settings, remote, ledger)


def survey(
    sources: Sequence[Source | SourceOutcome],
    plan: Plan,
    settings: Settings,
    remote: RemoteFiles,
    ledger: Ledger | None = None,
) -> Survey:
    """Say of every source what an ingest would do with it, without a ledger of an empty library."""
    found = Survey()
    files = {source.uri: source.remote for source in sources if isinstance(source, Source)}
    for item in _DryIntake(plan, ledger, settings, remote).prepare(sources):
        if isinstance(item, SourceOutcome):
            found.leave_out(item)
            continue
        pending = Pending(item, "unknown", files[item.uri])
        try:
            found.pending.append(Pending(item, _kind(item.path)) if pending.is_here else pending)
        except MediaError as error:
            found.failing.append(SourceOutcome(item.uri, "failed", error.message, "open"))
    found.pending.sort(key=lambda pending: pending.task.uri)
    return found


def _kind(path: Path) -> Kind:
    if path.suffix.lower() in _MJPEG:
        return "video"  # its beginning is that of a picture; what follows is not looked at here
    return kind_of_file(path)


class _DryIntake(Intake):
    """Decides as the intake does, but fetches, unpacks and remembers nothing.

    Of files it reads the content only where another has the same size, and so may be its twin.
    """

    def __init__(
        self, plan: Plan, ledger: Ledger | None, settings: Settings, remote: RemoteFiles
    ) -> None:
        super().__init__(plan, ledger, lambda: False, settings, remote)
        self._sizes: Counter[int] = Counter()

    def prepare(self, sources: Iterable[Source | SourceOutcome]) -> Iterator[Prepared]:
        listed = list(sources)
        self._sizes.update(
            size
            for source in listed
            if isinstance(source, Source) and (size := _size_here(source)) is not None
        )
        return super().prepare(listed)

    def _hashed(self, file: BinaryIO) -> Content:
        if self._sizes[os.fstat(file.fileno()).st_size] > 1:
            return super()._hashed(file)
        return Content(f"file {file.name}", "")

    def _remember(self, place: str, size: int, version: int | None, content: Content) -> None:
        pass

    def _fetching(self, source: Source | SourceOutcome) -> Future[Fetched] | None:
        return None

    def _from_afar(
        self, source: Source, file: RemoteFile, fetching: Future[Fetched] | None
    ) -> Prepared:
        if self._is_settled(source, file):
            return super()._from_afar(source, file, None)
        source_id = self._known_remote(file) or f"address {source.uri}"
        return self._by_name(source, source_id, file.size or 0)

    def _from_archive(self, source: Source, member: Member) -> Prepared:
        if source.remote is not None:  # each of its members would be asked for
            return self._by_name(source, f"member {source.uri}", member.size)
        return super()._from_archive(source, member)

    def _unpacked(
        self, source: Source, member: Member, archive: Archive, archive_id: str
    ) -> Prepared:
        return self._unread(source, f"member {member.size} {member.crc}", member.size)

    def _by_name(self, source: Source, source_id: str, size: int) -> Prepared:
        if not source.named and not named_like_media(source.place.name):
            return source.not_media()
        return self._unread(source, source_id, size)

    def _unread(self, source: Source, source_id: str, size: int) -> Prepared:
        known = self._known(source, source_id)
        return known or self._task(source, source.path, source_id, (size, 0))


def _size_here(source: Source) -> int | None:
    """Return the size of a file of this machine, None of what is elsewhere or in an archive."""
    if source.member is not None or source.remote is not None:
        return None
    try:
        return source.path.stat().st_size
    except OSError:
        return None
