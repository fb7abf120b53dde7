"""When several recordings began of which only the first one's start is given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ingest.engines.base import Decoder, DecodeTask, Failed, Opened
from ingest.estimate.survey import Pending, survey
from ingest.intake import Plan
from ingest.media.capture_time.claims import DISAGREEMENT_MS
from ingest.report import SourceOutcome
from ingest.sources.discovery import Source, place_of
from ingest.sources.remote.files import RemoteFiles
from search_core.errors import UsageError
from search_core.messages import Message
from search_core.schema.clocks import EVERY_CAMERA, Clock, check_moment
from search_core.settings import Settings

#: Times in names and containers are whole seconds.
_LEAST_GAP_MS = 2_000
_WAY_OUT = Message(
    "Give --started-at to one recording at a time, or leave it out: then each file's own time is "
    "used, from its metadata or its name."
)


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording to lay; ``own_ms`` is when it began by its own account, None without one."""

    task: DecodeTask
    opened: Opened
    own_ms: int | None

    @property
    def name(self) -> str:
        """What it is called."""
        return place_of(self.task.uri).name


def given_start_ms(started_at: datetime, clock: Clock) -> int:
    """Return a given start as epoch milliseconds, one without a zone read by the camera's clock.

    Raises UsageError for a moment at which nothing can have been recorded.
    """
    started_ms = clock.epoch_ms(check_moment(started_at))
    if started_ms > (datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000:
        raise UsageError(
            "{moment} lies in the future: no recording began then.",
            "Give the moment at which the recording began, such as 2026-11-20T14:30.",
            moment=started_at.isoformat(),
        )
    return started_ms


def starts_in_sequence(
    sources: Sequence[Source | SourceOutcome],
    plan: Plan,
    started_at: datetime,
    settings: Settings,
    remote: RemoteFiles,
) -> dict[str, int]:
    """Return by uri when each source began (epoch milliseconds), the first at ``started_at``.

    Several recordings are laid one after another in the order of their names, each as long as its
    header says. Raises UsageError for a moment at which nothing can have been recorded, and where
    lengths do not say when each began.
    """
    clock = plan.clocks.of(plan.camera or EVERY_CAMERA)
    started_ms = given_start_ms(started_at, clock)
    found = survey(sources, plan, settings, remote)
    if len(found.pending) <= 1:
        return {source.uri: started_ms for source in sources if isinstance(source, Source)}
    unread = [outcome for outcome in found.failing if outcome.stage != "find"]
    if unread:
        raise _refusal(
            len(found.pending),
            Message("{path} {reason}", path=unread[0].uri, reason=unread[0].reason),
        )
    ordered = sorted(found.pending, key=lambda pending: name_order(pending.task.uri))
    cameras = {pending.task.camera for pending in ordered}
    if len(cameras) > 1:
        first, second = sorted(cameras)[:2]
        raise UsageError(
            "--started-at is given for {count} files of several cameras, {first} and "
            "{second} among them.",
            "Give it for one camera at a time, or say with --camera that all are of one.",
            count=len(ordered),
            first=first,
            second=second,
        )
    recordings = _measured(ordered, plan)
    _check_distances(recordings, started_ms)
    starts = {}
    for recording in recordings:
        starts[recording.task.uri] = started_ms
        started_ms += recording.opened.footage_ms
    return starts


def name_order(uri: str) -> list[tuple[int, str]]:
    """Return a key that sorts clip2 before clip10."""
    parts = re.split(r"(\d+)", uri.casefold())
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def _measured(ordered: Sequence[Pending], plan: Plan) -> list[_Recording]:
    """Return the recordings with their lengths; raises UsageError where one has none."""
    recordings = []
    with closing(Decoder()) as decoder:
        for pending in ordered:
            uri = pending.task.uri
            opened = decoder.header(pending.task) if pending.is_here else None
            if opened is None:
                why = Message(
                    "{path} is in an archive or elsewhere, so its length is not known yet", path=uri
                )
            elif isinstance(opened, Failed):
                why = Message("{path} {reason}", path=uri, reason=opened.reason)
            elif opened.kind == "image":
                why = Message("{path} is a photograph, which has no length", path=uri)
            elif not opened.footage_ms:
                why = Message("{path} does not say how long it is", path=uri)
            else:
                own = plan.capture_time(pending.task, opened)
                dated = own.captured_from not in ("file", "day")
                own_ms = own.at_ms if dated else None
                recordings.append(_Recording(pending.task, opened, own_ms))
                continue
            raise _refusal(len(ordered), why)
    return recordings


def _check_distances(recordings: Sequence[_Recording], started_ms: int) -> None:
    """Raise UsageError where recordings' own times say that they do not follow one another."""
    first_ms = recordings[0].own_ms
    for before, after in pairwise(recordings):
        if before.own_ms is None or after.own_ms is None:
            continue
        gap_ms = after.own_ms - before.own_ms - before.opened.footage_ms
        # Recordings that are shorter than the tolerance could all have begun at once.
        if abs(gap_ms) <= min(DISAGREEMENT_MS, max(_LEAST_GAP_MS, before.opened.footage_ms // 2)):
            continue
        hint = _WAY_OUT
        if first_ms is not None:
            offset_s = round((started_ms - first_ms) / 1000)
            hint = Message(
                "To keep the distances that their own times have, leave --started-at out and "
                "correct the clock instead: --clock-offset {offset:+d}s.",
                offset=offset_s,
            )
        values = {
            "count": str(len(recordings)),
            "after": after.name,
            "length": str(timedelta(milliseconds=abs(gap_ms))),
            "before": before.name,
        }
        if gap_ms > 0:
            raise UsageError(
                "--started-at is given for {count} files that do not follow one another: by its "
                "own time {after} began {length} after the end of {before}.",
                hint,
                **values,
            )
        raise UsageError(
            "--started-at is given for {count} files that do not follow one another: by its own "
            "time {after} began {length} before the end of {before}.",
            hint,
            **values,
        )


def _refusal(count: int, why: Message) -> UsageError:
    return UsageError(
        "--started-at is given for {count} files, and when each began is not known: {what}.",
        _WAY_OUT,
        count=count,
        what=why,
    )
