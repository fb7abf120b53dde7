"""Ingest again with another camera, time or tags: give these to what the library has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.engines.base import camera_of_track
from ingest.intake import KNOWN
from ingest.report import IngestReport, SourceOutcome
from ingest.rows.journal import pending_correction
from search_core.messages import Message
from search_core.schema.entity import (
    CAMERA_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
    MediaEntity,
    keyframes_among,
)
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, chunks_where, entities_where

CORRECTED = Message("already in the library; corrected as given")
LEFT = Message("already in the library; its camera, time and tags stay as they are")
_SOURCES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Given:
    """What an ingest was given for a source; ``start_ms`` is epoch milliseconds."""

    camera: str | None = None
    start_ms: int | None = None
    tags: tuple[str, ...] = ()

    def put_into(self, entity: MediaEntity) -> MediaEntity:
        """Return the entity with what was given; tags come beside those it has, if there is room.

        A camera's name is as long as Milvus stores it, as in an ingest.
        """
        changed = entity
        if self.camera is not None:
            fitting = self.camera.encode("utf-8", "replace")[:CAMERA_MAX_LENGTH]
            camera = camera_of_track(fitting.decode("utf-8", "ignore"), entity.track)
            changed = replace(changed, camera=camera)
        if self.start_ms is not None:
            at_ms = self.start_ms + entity.pts_ms
            changed = replace(changed, captured_at=at_ms, captured_from="given")
        tags = tuple(dict.fromkeys((*entity.tags, *self.tags)))
        return replace(changed, tags=tags) if len(tags) <= TAGS_MAX_CAPACITY else changed


@dataclass(frozen=True, slots=True)
class KnownSources:
    """Sources that an ingest found in a library, and rows (ids) that differ from what it was given.

    ``uris`` are the files of these rows.
    """

    library: str
    given: dict[str, Given]
    ids: tuple[str, ...]
    uris: frozenset[str]


def find_known(
    store: Store,
    library: str,
    report: IngestReport,
    camera: str | None,
    tags: Sequence[str],
) -> KnownSources:
    """Return which rows of known sources differ from what an ingest was given for them."""
    known = [
        outcome
        for outcome in report.outcomes
        if outcome.reason == KNOWN or (outcome.status == "done" and outcome.source_id)
    ]
    given: dict[str, Given] = {}
    for outcome in known:
        cleaned = tuple(tag.strip() for tag in tags if tag.strip())
        given.setdefault(outcome.source_id, Given(camera, outcome.given_ms, cleaned))
    given = {source_id: item for source_id, item in given.items() if item != Given()}
    sources, ids, differing = list(given), [], set()
    for start in range(0, len(sources), _SOURCES_AT_ONCE):
        where = Filter(source_ids=tuple(sources[start : start + _SOURCES_AT_ONCE]))
        for page in entities_where(store, library, where):
            for entity in page:
                if given[entity.source_id].put_into(entity) != entity:
                    ids.append(entity.id)
                    differing.add(entity.source_id)
    uris = frozenset(outcome.uri for outcome in known if outcome.source_id in differing)
    return KnownSources(library, given, tuple(ids), uris)


def correct_known(
    settings: Settings, store: Store, known: KnownSources, report: IngestReport
) -> None:
    """Give what an ingest was given to rows that differ from it; the report says of which files.

    Doing it twice changes nothing. While a correction of the library is unfinished, all stays.
    """
    if not known.ids:
        return
    if pending_correction(settings, known.library) is not None:
        leave_known(report, known.uris)
        return
    for page in chunks_where(store, known.library, Filter(ids=known.ids)):
        entities = [known.given[entity.source_id].put_into(entity) for entity in page.entities]
        store.upsert(known.library, entities, page.embeddings)
        report.corrected_keyframes += len(keyframes_among(entities))
    store.settle(known.library)
    report.corrected = len(known.uris)
    _say_of(report, known.uris, CORRECTED)


def leave_known(report: IngestReport, uris: frozenset[str] | None = None) -> None:
    """Let the report say that known files were not corrected: of all, or of these."""
    if uris is None:
        uris = frozenset(item.uri for item in report.outcomes if item.reason == KNOWN)
    _say_of(report, uris, LEFT)


def _say_of(report: IngestReport, uris: frozenset[str], reason: str) -> None:
    def said(outcome: SourceOutcome) -> SourceOutcome:
        concerned = outcome.reason == KNOWN and outcome.uri in uris
        return replace(outcome, reason=reason) if concerned else outcome

    report.outcomes = [said(outcome) for outcome in report.outcomes]
