"""Correct when, and by which camera, what a library holds was taken.

Only fields of rows change: ids, embeddings, thumbnails and the ledger's counts stay as they are.
Planning reads, applying writes; see :mod:`ingest.rows.journal` for what happens in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from ingest.curation.recordings import (
    Found,
    OnProgress,
    Reading,
    Recording,
    Rereader,
    find_recordings,
    sources_at,
)
from ingest.engines.base import camera_of_track, main_camera
from ingest.estimate.sequence import given_start_ms
from ingest.ledger import Ledger
from ingest.media.capture_time.claims import CaptureTime, with_overlay
from ingest.media.lettering.clock import overlay_starts
from ingest.rows.journal import (
    Journal,
    NewValues,
    Pending,
    pending_correction,
    same_request,
)
from ingest.rows.retention import Rule, rules_of
from search_core.errors import AccessError, UsageError
from search_core.messages import Message
from search_core.schema.clocks import EVERY_CAMERA, Clocks, format_offset
from search_core.schema.entity import CAMERA_MAX_LENGTH, CapturedFrom, ms_from_datetime
from search_core.schema.filters import Filter, quoted
from search_core.search.query_log import filter_to_dict
from search_core.settings import Settings
from search_core.store.library import Store, entities_where

_CHUNK_ROWS = 500
#: What a date can be written of: 0001-01-02 to 9999-12-30 (UTC), whatever the zone.
_FIRST_MS, _LAST_MS = -62_135_510_400_000, 253_402_128_000_000


@dataclass(frozen=True, slots=True)
class Shift:
    """Move in time: a clock was wrong by ``by``."""

    by: timedelta

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"shift": format_offset(self.by)}


@dataclass(frozen=True, slots=True)
class StartAt:
    """Start at a moment; recordings of one camera one after another, by name.

    A moment without a zone is in that of the camera's clock.
    """

    moment: datetime

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"start": self.moment.isoformat()}


@dataclass(frozen=True, slots=True)
class ReadTime:
    """Read when it was taken from the media again; given times too only with ``given_too``."""

    given_too: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"read again": "time", "given too": self.given_too}


@dataclass(frozen=True, slots=True)
class ReadCamera:
    """Find out the camera again, by the rules of an ingest."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"read again": "camera"}


@dataclass(frozen=True, slots=True)
class SetCamera:
    """Have another camera; further video tracks of a file keep a suffix if it is changed whole."""

    name: str

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"camera": self.name}


Change: TypeAlias = Shift | StartAt | ReadTime | ReadCamera | SetCamera


@dataclass(frozen=True, slots=True)
class Corrected:
    """What becomes of one recording: its camera and its start (epoch ms), before and after."""

    uri: str
    source_id: str
    keyframes: int
    is_live: bool
    camera: str
    new_camera: str
    start_ms: int
    new_start_ms: int
    captured_from: CapturedFrom
    new_captured_from: CapturedFrom


@dataclass(slots=True)
class Correction:
    """What a change would do: the rows to write, by recording, and what stays as it is.

    ``asked`` is the change and the filter as plain JSON values. ``unchanged`` counts keyframes that
    are so already, ``kept`` says of other recordings why they stay, ``beyond`` counts keyframes
    that the filter does not pass but that belong to a recording of which it passes others.
    """

    library: str
    asked: dict[str, Any]
    rows: list[NewValues] = field(default_factory=list)
    recordings: list[Corrected] = field(default_factory=list)
    unchanged: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    beyond: int = 0


def asked_of(change: Change, where: Filter, sources: Sequence[str] = ()) -> dict[str, Any]:
    """Return what is asked for as plain JSON values, for the audit log and the journal."""
    asked = {**change.to_json(), "filter": filter_to_dict(where)}
    return {**asked, "sources": list(sources)} if sources else asked


def plan_correction(
    settings: Settings,
    store: Store,
    library: str,
    change: Change,
    where: Filter,
    sources: Sequence[str] = (),
    on_progress: OnProgress = lambda read, total: None,
    *,
    fetch: bool = True,
) -> Correction:
    """Return what a change of what passes a filter, and is at or below ``sources``, would do.

    ``on_progress`` hears how many of how many files are read again; without ``fetch`` none is that
    is not on this machine. Raises UsageError for what
    cannot be: an earlier correction that has not ended, times no calendar has, a camera's name,
    a start for recordings that cannot be laid one after another.
    """
    _require_none_pending(settings, library)
    _check(change)
    store.library(library)
    with Ledger(settings.ledger_path) as ledger:
        found = find_recordings(
            store, library, where, sources_at(ledger, library, sources) if sources else None
        )
        correction = Correction(library, asked_of(change, where, sources), beyond=found.beyond)
        if isinstance(change, ReadTime | ReadCamera):
            rereader = Rereader(settings, ledger, library, fetch=fetch)
            targets = _read_again(change, found, rereader, correction, on_progress)
            if isinstance(change, ReadTime) and store.library(library).has_lettering:
                clocks = settings.camera_clocks
                targets = [_by_overlay(store, library, clocks, *each) for each in targets]
        else:
            targets = _targets(change, found, settings.camera_clocks, correction)
    for recording, target in targets:
        _add(correction, recording, target)
    return correction


def apply_correction(
    settings: Settings,
    store: Store,
    correction: Correction,
    on_progress: OnProgress = lambda written, total: None,
) -> int:
    """Write a correction; return how many keyframes it changed.

    Ended midway, :func:`resume_correction` goes on. Raises StoreBusy, StoreError, NotAllowed.
    """
    if not correction.rows:
        return 0
    with Journal(settings) as journal, journal.locked():
        _refuse(journal.pending(correction.library))
        journal.begin(correction.library, correction.asked, correction.rows)
        try:
            return _write(store, journal, correction.library, on_progress)
        except AccessError:
            begun = journal.pending(correction.library)
            if begun is not None and not begun.done:
                journal.end(correction.library)  # refused altogether: there is nothing to finish
            raise


def resume_correction(
    settings: Settings,
    store: Store,
    library: str,
    on_progress: OnProgress = lambda written, total: None,
) -> int:
    """Write what an earlier correction of a library left; return how many keyframes in all.

    Raises UsageError where none is pending, StoreBusy, StoreError.
    """
    with Journal(settings) as journal, journal.locked():
        if journal.pending(library) is None:
            raise UsageError(
                "No correction of the library {name} was stopped midway.",
                "`sightline library retime --help` says how to begin one.",
                name=library,
            )
        return _write(store, journal, library, on_progress)


def outlived(settings: Settings, correction: Correction, now: datetime) -> list[tuple[Rule, int]]:
    """Return the retention rules that will remove what is corrected, and how many recordings.

    Those that a rule removes as they are now do not count.
    """
    found = []
    for rule in rules_of(settings):
        if rule.library != correction.library:
            continue
        oldest_ms = ms_from_datetime(now - rule.retain)
        due = [
            item
            for item in correction.recordings
            if rule.camera in (None, item.new_camera)
            and item.new_start_ms < oldest_ms
            and not (rule.camera in (None, item.camera) and item.start_ms < oldest_ms)
        ]
        found += [(rule, len(due))] if due else []
    return found


def is_resumed_by(pending: Pending, asked: Mapping[str, Any]) -> bool:
    """Whether asking this again means to go on with what is pending."""
    return same_request(pending.asked, asked)


# Planning


@dataclass(frozen=True, slots=True)
class _Target:
    """What one recording is to have; None: as it has now. ``by_ms`` moves it in time."""

    start_ms: int | None = None
    by_ms: int = 0
    captured_from: CapturedFrom | None = None
    camera: str | None = None


def _targets(
    change: Shift | StartAt | SetCamera, found: Found, clocks: Clocks, correction: Correction
) -> list[tuple[Recording, _Target]]:
    """Return what each recording is to have; of those that stay, ``correction.kept`` says why."""
    match change:
        case Shift(by):
            by_ms = round(by / timedelta(milliseconds=1))
            return [
                (item, _Target(by_ms=by_ms, captured_from=None if item.is_live else "given"))
                for item in found.recordings
            ]
        case SetCamera(name):
            whole = {item.source_id for item in found.recordings if not item.track}
            return [
                (item, _Target(camera=camera_of_track(name, item.track)))
                if item.source_id in whole
                else (item, _Target(camera=name))
                for item in found.recordings
            ]
        case StartAt(moment):
            files = _without_live(found, correction)
            camera = main_camera(files[0].camera, files[0].track) if files else EVERY_CAMERA
            starts = lay_out(given_start_ms(moment, clocks.of(camera)), files)
            return [
                (item, _Target(start_ms=starts[item.source_id], captured_from="given"))
                for item in files
            ]


def _read_again(
    change: ReadTime | ReadCamera,
    found: Found,
    rereader: Rereader,
    correction: Correction,
    on_progress: OnProgress,
) -> list[tuple[Recording, _Target]]:
    """Return what each recording has by its file; of those that stay, why."""
    files = _without_live(found, correction)
    if change == ReadTime(given_too=False):
        given = [item for item in files if item.captured_from == "given"]
        correction.kept += [(item.uri, Message("has a time that somebody gave")) for item in given]
        files = [item for item in files if item.captured_from != "given"]
    targets = []
    for item, reading in rereader.read(
        files, on_progress, as_they_are=isinstance(change, ReadTime)
    ):
        if not isinstance(reading, Reading):
            correction.kept.append((item.uri, reading))
        elif isinstance(change, ReadCamera):
            targets.append((item, _Target(camera=reading.camera)))
        else:
            at = _Target(start_ms=reading.captured_at, captured_from=reading.captured_from)
            targets.append((item, at))
    return targets


def _by_overlay(
    store: Store, library: str, clocks: Clocks, recording: Recording, target: _Target
) -> tuple[Recording, _Target]:
    """Return what a recording is to have by the clock burned into it, where its file tells less."""
    if target.start_ms is None or target.captured_from is None:
        return recording, target
    clock = clocks.of(main_camera(recording.camera, recording.track))
    where = Filter(source_ids=(recording.source_id,))
    pages = entities_where(store, library, where)
    frames = [(entity.pts_ms, entity.lines) for page in pages for entity in page]
    told = CaptureTime(target.start_ms, target.captured_from)
    read = with_overlay(told, overlay_starts(frames, clock))
    return recording, _Target(start_ms=read.at_ms, captured_from=read.captured_from)


def _without_live(found: Found, correction: Correction) -> list[Recording]:
    correction.kept += [
        (f"{item.camera} (live)", Message("was captured live, by this machine's clock"))
        for item in found.recordings
        if item.is_live
    ]
    return [item for item in found.recordings if not item.is_live]


def lay_out(start_ms: int, recordings: Sequence[Recording]) -> dict[str, int]:
    """Return when each source starts (epoch ms) if they follow each other by name.

    Raises UsageError where they cannot: photographs, recordings of unknown length, or of several
    cameras.
    """
    by_source = {item.source_id: item for item in recordings}
    if len(by_source) > 1:
        if len({main_camera(item.camera, item.track) for item in recordings}) > 1:
            raise UsageError(
                "{count:,} recordings of several cameras cannot start one after another.",
                "Give --camera or --source and set one camera's at a time, or use --shift.",
                count=len(by_source),
            )
        lasting = [item for item in by_source.values() if item.duration_ms > 0]
        if len(lasting) < len(by_source):
            raise UsageError(
                "{count:,} of {total:,} recordings have no "
                "length, so it is not known when the next one starts.",
                "Set one at a time with --source, or use --shift to move them all alike.",
                count=len(by_source) - len(lasting),
                total=len(by_source),
            )
    starts = {}
    for source_id, item in by_source.items():
        starts[source_id] = start_ms
        start_ms += item.duration_ms
    return starts


def _add(correction: Correction, recording: Recording, target: _Target) -> None:
    """Add a recording's rows that are to change; raises UsageError for an impossible time."""
    changed = []
    for row in recording.rows:
        if target.start_ms is not None:
            captured_at = target.start_ms + row.pts_ms
        else:
            captured_at = row.captured_at + target.by_ms
        if not _FIRST_MS <= captured_at <= _LAST_MS:
            raise UsageError(
                "{path} would be outside of the years 1 to 9999.",
                "Give another time or a smaller shift.",
                path=recording.uri,
            )
        values = NewValues(
            row.id,
            captured_at if captured_at != row.captured_at else None,
            target.captured_from if target.captured_from != row.captured_from else None,
            target.camera if target.camera != recording.camera else None,
        )
        if values != NewValues(row.id):
            changed.append(values)
    correction.rows += changed
    correction.unchanged += len(recording.rows) - len(changed)
    if not changed:
        return
    start_ms = recording.start_ms
    correction.recordings.append(
        Corrected(
            uri=recording.uri,
            source_id=recording.source_id,
            keyframes=len(changed),
            is_live=recording.is_live,
            camera=recording.camera,
            new_camera=recording.camera if target.camera is None else target.camera,
            start_ms=start_ms,
            new_start_ms=start_ms + target.by_ms if target.start_ms is None else target.start_ms,
            captured_from=recording.captured_from,
            new_captured_from=target.captured_from or recording.captured_from,
        )
    )


def _check(change: Change) -> None:
    """Raise UsageError for a shift of nothing, and a camera that cannot be stored or searched."""
    if isinstance(change, Shift) and not change.by:
        raise UsageError("A shift of 0 changes nothing.", "Give a time such as +1h or -90s.")
    if not isinstance(change, SetCamera):
        return
    quoted(change.name)
    if not change.name.strip():
        raise UsageError("The camera has no name.", "Give it one, such as gate-3.")
    if len(change.name.encode()) > CAMERA_MAX_LENGTH:
        raise UsageError(
            "The camera's name {name!r} … is too long.",
            "Use at most {most} bytes.",
            name=change.name[:20],
            most=CAMERA_MAX_LENGTH,
        )


# Writing


def _write(store: Store, journal: Journal, library: str, on_progress: OnProgress) -> int:
    pending = journal.pending(library)
    assert pending is not None  # it was begun, and the lock is held
    written = pending.done
    while rows := journal.rows(library, _CHUNK_ROWS):
        values = {row.id: row for row in rows}
        for page in store.vectors(library, where=Filter(ids=tuple(values), regions=True)):
            entities = [values[entity.keyframe_id].put_into(entity) for entity in page.entities]
            store.upsert(library, entities, page.embeddings)
        journal.written(library, values)  # those that were deleted meanwhile among them
        written += len(values)
        on_progress(written, pending.total)
    store.settle(library)
    journal.end(library)
    return pending.total


def _require_none_pending(settings: Settings, library: str) -> None:
    _refuse(pending_correction(settings, library))


def _refuse(pending: Pending | None) -> None:
    if pending is not None:
        raise UsageError(
            "An earlier correction of the library {name} was stopped after "
            "{done:,} of {total:,} keyframes.",
            "Finish it first: `sightline library retime --resume`.",
            name=pending.library,
            done=pending.done,
            total=pending.total,
        )
