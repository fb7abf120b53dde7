"""Mending what :mod:`ingest.verification` found, from what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.decoding import decode_image, frame_at
from ingest.keyframes import parse_selector
from ingest.ledger import Ledger
from ingest.outcomes import IngestReport, Progress
from ingest.pipeline import ingest, recipe_of
from ingest.thumbnails import write_thumbnail
from ingest.verification import Finding, is_there
from search_core.encoders.base import Encoder
from search_core.entities import FrameRef, MediaEntity
from search_core.errors import MediaError
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
) -> list[Finding]:
    """Mend what can be mended and return the findings that are left.

    The encoder is loaded only when a source must be taken in again. Raises StoreError.
    """
    left = [finding for finding in findings if not finding.repairable]
    mendable = [finding for finding in findings if finding.repairable]
    with Ledger(settings.ledger_path) as ledger:
        for finding in mendable:
            if finding.kind == "media_moved":
                _point_elsewhere(store, ledger, finding)
            elif finding.kind == "orphan":
                (settings.data_dir / finding.subject).unlink(missing_ok=True)
            elif finding.kind == "thumbnail_missing":
                left.extend(_draw_again(settings, finding))
    again = [item for item in mendable if item.kind in ("keyframes_missing", "unfinished")]
    for library in sorted({finding.library for finding in again}):
        mine = [finding for finding in again if finding.library == library]
        left.extend(_take_in_again(settings, store, library, mine, load_encoder(), on_progress))
    return left


def _point_elsewhere(store: Store, ledger: Ledger, finding: Finding) -> None:
    """Let the keyframes of a file that was moved point to where it is now."""
    path = next(path for path in ledger.paths_of(finding.source_id) if is_there(path))
    moved = [replace(entity, uri=path) for entity in finding.entities]
    vectors = [store.embedding(finding.library, entity.id) for entity in moved]
    store.upsert(finding.library, moved, np.stack(vectors))


def _draw_again(settings: Settings, finding: Finding) -> list[Finding]:
    """Write a thumbnail from its media; return the finding when that cannot be decoded."""
    [entity] = finding.entities
    try:
        image = _picture(settings, entity)
    except MediaError as error:
        return [replace(finding, detail=error.message, repairable=False)]
    reference = FrameRef(entity.source_id, entity.pts_ms)
    write_thumbnail(image, reference, settings.data_dir, settings.media.thumbnail_px)
    return []


def _picture(settings: Settings, entity: MediaEntity) -> Image.Image:
    if entity.media_type == "image":
        return decode_image(Path(entity.uri), max_pixels=settings.media.max_pixels)
    return frame_at(entity.uri, entity.pts_ms, max_pixels=settings.media.max_pixels)


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
