"""Mending what :mod:`ingest.verification` found, from what is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.decoding import decode_image, frame_at
from ingest.fetching import fetched
from ingest.keyframes import parse_selector
from ingest.ledger import Ledger
from ingest.outcomes import IngestReport, Progress
from ingest.pipeline import ingest
from ingest.recipes import is_maker, recipe_of
from ingest.remote import RemoteFiles
from ingest.removal import delete_entities
from ingest.thumbnails import write_thumbnail
from ingest.verification import Finding
from ingest.whereabouts import Whereabouts
from search_core.encoders.base import Encoder
from search_core.entities import FrameRef, MediaEntity
from search_core.errors import MediaError
from search_core.filters import Filter
from search_core.library import Store
from search_core.settings import Settings

#: The ways to choose keyframes whose recipe is known without options.
_SELECTORS = ("auto", "iframe")


def repair(
    settings: Settings,
    store: Store,
    findings: Sequence[Finding],
    load_encoder: Callable[[], Encoder],
    on_progress: Callable[[Progress], None] | None = None,
    undeleted: Collection[str] = (),
) -> list[Finding]:
    """Mend what can be mended and return the findings that are left.

    ``undeleted`` are libraries whose list of deleted keyframes was lost: sources of which the
    ledger knows nothing were deleted from them, and are deleted again. The encoder is loaded only
    when a source must be taken in again. Raises StoreError.
    """
    left = [finding for finding in findings if not finding.repairable]
    mendable = [finding for finding in findings if finding.repairable]
    places = Whereabouts(settings.remote)
    with Ledger(settings.ledger_path) as ledger:
        for finding in mendable:
            if finding.kind == "media_moved":
                _point_elsewhere(store, ledger, finding, places)
            elif finding.kind == "orphan":
                (settings.data_dir / finding.subject).unlink(missing_ok=True)
    undrawn = [finding for finding in mendable if finding.kind == "thumbnail_missing"]
    left.extend(_draw_again(settings, undrawn))
    again = [item for item in mendable if item.kind in ("keyframes_missing", "unfinished")]
    for finding in [item for item in findings if _is_undeleted(item, undeleted)]:
        delete_entities(settings, store, finding.library, Filter(source_ids=(finding.source_id,)))
    left = [item for item in left if not _is_undeleted(item, undeleted)]
    again = [item for item in again if not _is_undeleted(item, undeleted)]
    for library in sorted({finding.library for finding in again}):
        mine = [finding for finding in again if finding.library == library]
        left.extend(_take_in_again(settings, store, library, mine, load_encoder(), on_progress))
    return left


def _is_undeleted(finding: Finding, libraries: Collection[str]) -> bool:
    return finding.kind == "unfinished" and finding.library in libraries


def _point_elsewhere(store: Store, ledger: Ledger, finding: Finding, places: Whereabouts) -> None:
    """Let the keyframes of a file that was moved point to where it is now."""
    path = next(path for path in ledger.paths_of(finding.source_id) if places.is_there(path))
    moved = [replace(entity, uri=path) for entity in finding.entities]
    vectors = [store.embedding(finding.library, entity.id) for entity in moved]
    store.upsert(finding.library, moved, np.stack(vectors))


def _draw_again(settings: Settings, findings: Sequence[Finding]) -> list[Finding]:
    """Write thumbnails from their media; return the findings whose media cannot be decoded."""
    left: list[Finding] = []
    remote = RemoteFiles(settings.remote)
    by_uri = sorted(findings, key=lambda finding: finding.entities[0].uri)
    for uri, group in groupby(by_uri, key=lambda finding: finding.entities[0].uri):
        mine = list(group)
        if not mine[0].entities[0].is_remote:
            left.extend(_drawn_from(settings, mine, Path(uri)))
            continue
        try:
            with fetched(settings, remote, uri) as (path, source_id):
                if source_id != mine[0].source_id:
                    raise MediaError("is not what it was when it was taken in")
                left.extend(_drawn_from(settings, mine, path))
        except MediaError as error:
            left.extend(_not_mended(finding, error) for finding in mine)
    return left


def _drawn_from(settings: Settings, findings: Sequence[Finding], path: Path) -> list[Finding]:
    left = []
    for finding in findings:
        [entity] = finding.entities
        try:
            image = _picture(settings, entity, path)
        except MediaError as error:
            left.append(_not_mended(finding, error))
            continue
        reference = FrameRef(entity.source_id, entity.pts_ms)
        write_thumbnail(image, reference, settings.data_dir, settings.media.thumbnail_px)
    return left


def _not_mended(finding: Finding, error: MediaError) -> Finding:
    return replace(finding, detail=error.message, repairable=False)


def _picture(settings: Settings, entity: MediaEntity, path: Path) -> Image.Image:
    if entity.media_type == "image":
        return decode_image(path, max_pixels=settings.media.max_pixels)
    return frame_at(path, entity.pts_ms, max_pixels=settings.media.max_pixels)


def _take_in_again(
    settings: Settings,
    store: Store,
    library: str,
    findings: Sequence[Finding],
    encoder: Encoder,
    on_progress: Callable[[Progress], None] | None,
) -> list[Finding]:
    """Ingest sources anew, each with the keyframes it had; return what could not be."""
    with Ledger(settings.ledger_path) as ledger:
        if library not in {info.name for info in store.libraries()}:
            if not is_maker(encoder.identity, ledger, library):
                detail = (
                    f"was not taken in with {encoder.identity.label}; name its encoder with "
                    "--model and --pretrained"
                )
                return [replace(item, detail=detail, repairable=False) for item in findings]
            store.ensure_library(library, encoder.identity)
        recipes = {row.source_id: row.recipe for row in ledger.outcomes(library, "done")}
        ledger.forget_sources(library, [finding.source_id for finding in findings])
    known = {
        recipe_of(encoder.identity.digest, parse_selector(name).recipe): name for name in _SELECTORS
    }
    left: list[Finding] = []
    for name in _SELECTORS:
        mine = [
            item for item in findings if known.get(recipes.get(item.source_id, ""), "auto") == name
        ]
        if not mine:
            continue
        report = ingest(
            [finding.subject for finding in mine],
            settings=settings,
            store=store,
            encoder=encoder,
            library=library,
            keyframes=name,
            on_progress=on_progress,
        )
        left.extend(_not_done(mine, report))
    return left


def _not_done(findings: Sequence[Finding], report: IngestReport) -> list[Finding]:
    reasons = {item.uri: item.reason for item in report.outcomes if item.status != "done"}
    return [
        replace(finding, detail=reasons[finding.subject], repairable=False)
        for finding in findings
        if finding.subject in reasons
    ]
