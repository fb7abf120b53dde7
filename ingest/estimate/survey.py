"""Counting what an ingest would meet, without decoding: new, known, twice, or no media at all."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.ledger import Ledger
from ingest.media.file_types import HEAD_BYTES, Kind, kind_of, named_like_media, refuse_unreadable
from ingest.media.keyframes import KeyframeSelector
from ingest.options import recipe_of
from ingest.report import SourceOutcome
from ingest.sources.completeness import WAIT_STAGE, age_s, still_written
from ingest.sources.contents import DIGEST_BYTES
from ingest.sources.discovery import Source, find_sources
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Encoder
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.settings import Settings

_CHUNK_BYTES = 1024**2
#: Names of raw MJPEG recordings.
_MJPEG = frozenset((".mjpeg", ".mjpg"))


@dataclass(frozen=True, slots=True)
class Pending:
    """A source that would be taken in; ``size`` is in bytes, 0 where unknown."""

    source: Source
    kind: Kind
    size: int

    @property
    def is_here(self) -> bool:
        """Whether it is a file that can be looked into without fetching or unpacking it."""
        return self.source.remote is None and self.source.member is None


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

    def leave_out(self, outcome: SourceOutcome) -> None:
        """Count a source that is skipped, or keep one that fails or is still being written."""
        if outcome.status == "failed" or outcome.stage == WAIT_STAGE:
            self.failing.append(outcome)
        else:
            self.skipped[outcome.reason] += 1


def surveyed(
    settings: Settings,
    paths: Sequence[str],
    encoder: Encoder,
    selector: KeyframeSelector,
    *,
    anew: bool = False,
) -> Survey:
    """Find what paths name, and ask the ledger; ``anew`` says that the library holds nothing."""
    sources = find_sources(paths, settings.data_dir, RemoteFiles(settings.remote))
    if anew or not settings.ledger_path.exists():
        return survey(sources, None, settings.library, "")
    recipe = recipe_of(encoder.identity.digest, selector.recipe)
    with Ledger(settings.ledger_path) as ledger:
        return survey(sources, ledger, settings.library, recipe)


def survey(
    sources: Iterable[Source | SourceOutcome],
    ledger: Ledger | None,
    library: str,
    recipe: str,
) -> Survey:
    """Look at every source's beginning, and at the whole of those of the same size."""
    found = Survey()
    by_size: defaultdict[int, list[Pending]] = defaultdict(list)
    for source in sources:
        if isinstance(source, SourceOutcome):
            found.leave_out(source)
            continue
        if ledger is not None and _is_done(source, ledger, library, recipe):
            found.known += 1
            continue
        try:
            pending = _pending(source)
        except OSError as error:
            reason = Message("cannot be read: {error}", error=in_words(error))
            found.failing.append(source.failed("read", reason))
            continue
        if isinstance(pending, SourceOutcome):
            found.leave_out(pending)
        else:
            by_size[pending.size if pending.is_here else -1].append(pending)
    for size, group in by_size.items():
        fresh = _without_duplicates(group) if size >= 0 else group
        found.duplicates += len(group) - len(fresh)
        found.pending += fresh
    found.pending.sort(key=lambda pending: pending.source.uri)
    return found


def _is_done(source: Source, ledger: Ledger, library: str, recipe: str) -> bool:
    if source.member is not None:
        return False
    if source.remote is not None:
        file = source.remote
        if file.version is None or file.size is None:
            return False
        known = ledger.known_content(file.uri, file.size, file.version)
    else:
        try:
            status = source.path.stat()
        except OSError:
            return False
        known = ledger.known_content(source.uri, status.st_size, status.st_mtime_ns)
    return known is not None and ledger.is_done(library, known, recipe)


def _pending(source: Source) -> Pending | SourceOutcome:
    """Return a source with what it is, or why it would not be taken in."""
    if source.member is not None or source.remote is not None:
        size = source.member.size if source.member else (source.remote and source.remote.size) or 0
        if not source.named and not named_like_media(source.place.name):
            return source.not_media()
        return Pending(source, "unknown", size)
    with source.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = kind_of(head)
    if kind == "archive" or (kind == "unknown" and not named_like_media(source.uri)):
        return source.not_media()
    try:
        refuse_unreadable(head)
    except MediaError as error:
        return source.failed("open", error.message)
    status = source.path.stat()
    if waiting := still_written(source.path, age_s(status)):
        return source.skipped(WAIT_STAGE, waiting)
    if source.path.suffix.lower() in _MJPEG:
        kind = "video"  # its beginning is that of a picture; what follows is not looked at here
    return Pending(source, kind, status.st_size)


def _without_duplicates(group: list[Pending]) -> list[Pending]:
    if len(group) == 1:
        return group
    seen: set[str] = set()
    fresh = []
    for pending in group:
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        try:
            with pending.source.path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except OSError:
            continue
        if digest.hexdigest() not in seen:
            seen.add(digest.hexdigest())
            fresh.append(pending)
    return fresh
