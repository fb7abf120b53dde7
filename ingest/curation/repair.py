"""Repair what :mod:`ingest.curation.verification` found, from what is there.

Damaged files of an embedded Milvus are found by :mod:`search_core.store.lite.inspection` and
restored by :mod:`search_core.store.lite.restoration`, a damaged ledger is put aside. Rows that went
with their files are then found by the verification, which knows from the ledger what there must be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from ingest.curation.verification import Finding
from ingest.ledger import Ledger, Location, Mount
from ingest.media.decoding import decode_image, frame_at
from ingest.media.thumbnails import write_thumbnail
from ingest.options import EVERYTHING_USUAL, IngestOptions, is_maker, options_of, recorded_options
from ingest.pipeline import ingest
from ingest.report import IngestReport, Progress
from ingest.rows.deletion import delete_entities
from ingest.sources.discovery import file_of
from ingest.sources.media_locator import Whereabouts
from ingest.sources.remote.fetching import fetched
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Encoder, EncoderIdentity
from search_core.errors import MediaError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint, is_running
from search_core.store.library import Store, VectorPage, chunks_where
from search_core.store.lite.inspection import Damage, inspect
from search_core.store.lite.restoration import Restoration, sample_rows
from search_core.system.database import is_damaged

#: A restored list of vector files may show damage that could not be seen without it.
_PASSES = 4
#: Keyframes whose thumbnails are embedded again to tell whether an encoder made a library.
_SAMPLE = 8
#: The least mean cosine of a stored embedding and that of its thumbnail, scaled down as it is.
_SAME_ENCODER = 0.8


@dataclass(slots=True)
class Restored:
    """What was done about the damaged files.

    ``undeleted`` are the libraries whose list of deleted keyframes is lost: what was deleted of
    them may be back. ``kept`` are the places of the damaged files.
    """

    mended: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    undeleted: set[str] = field(default_factory=set)
    kept: list[Path] = field(default_factory=list)


def damaged_files(settings: Settings, endpoint: Endpoint) -> list[Finding]:
    """Return the damaged files of the ledger and of an embedded Milvus; changes nothing."""
    return [*_ledger_findings(settings), *map(_finding, _damages(endpoint))]


def restore_files(
    settings: Settings, endpoint: Endpoint, load_encoder: Callable[[], Encoder]
) -> Restored:
    """Restore damaged files from those that are whole; the damaged ones are kept aside.

    The encoder is loaded only where a library's description is lost. Raises StoreBusy while another
    process uses the embedded Milvus.
    """
    restored = Restored()
    for finding in _ledger_findings(settings):
        restored.kept.append(_put_aside(settings.ledger_path))
        restored.mended.append(finding)
    folder = endpoint.folder
    if folder is None:
        return restored
    restoration = Restoration(folder)
    left: list[Damage] = []
    for _ in range(_PASSES):
        found = [damage for damage in _damages(endpoint) if damage not in left]
        if not found:
            break
        encoders = dict(_encoders(settings, folder, found, load_encoder))
        left += restoration.restore(found, encoders)
        mended = [damage for damage in found if damage not in left]
        restored.mended += map(_finding, mended)
        restored.undeleted |= {item.library for item in mended if item.part == "deletions"}
    restored.left = [
        replace(
            _finding(damage),
            repairable=False,
            detail=f"{damage.detail}; name the encoder of the library with --model "
            "and --pretrained to restore it",
        )
        for damage in left
    ]
    if restoration.kept:
        restored.kept.append(restoration.kept)
    return restored


def _damages(endpoint: Endpoint) -> list[Damage]:
    if endpoint.folder is None:
        return []
    found = inspect(endpoint.folder, deep=True)
    if found and is_running(endpoint):  # it may have been writing just then
        again = inspect(endpoint.folder, deep=True)
        found = [damage for damage in found if damage in again]
    return found


def _finding(damage: Damage) -> Finding:
    return Finding("file_damaged", damage.library, str(damage.path), damage.detail, True)


def _ledger_findings(settings: Settings) -> Iterator[Finding]:
    path = settings.ledger_path
    if path.exists() and is_damaged(path):
        yield Finding("file_damaged", "", str(path), "the ledger is cut or overwritten", True)


def _put_aside(path: Path) -> Path:
    """Move a SQLite file and its logs away, and return where it is."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    path.rename(kept)
    for suffix in ("-wal", "-shm"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(kept.with_name(kept.name + suffix))
    return kept


def _encoders(
    settings: Settings, lite_dir: Path, found: list[Damage], load_encoder: Callable[[], Encoder]
) -> Iterator[tuple[str, EncoderIdentity]]:
    """Yield, by collection, the encoder in use where it made a collection without description."""
    for damage in found:
        if damage.part == "schema":
            encoder = load_encoder()
            folder = lite_dir / "collections" / damage.collection
            if _made(settings, encoder, folder, damage.library):
                yield damage.collection, encoder.identity


def _made(settings: Settings, encoder: Encoder, collection: Path, library: str) -> bool:
    """Whether an encoder made the vectors of a collection.

    Thumbnails tell, for the encoder makes nearly the same of them; without any, the ledger does.
    """
    pictures, vectors = [], []
    for thumbnail, vector in sample_rows(collection, _SAMPLE):
        if len(vector) != encoder.identity.dim:
            return False
        with suppress(MediaError, OSError):
            path = settings.data_dir / thumbnail
            pictures.append(decode_image(path, max_pixels=settings.media.max_pixels))
            vectors.append(vector)
    if pictures:
        alike = np.sum(encoder.encode_images(pictures) * np.stack(vectors), axis=1)
        return bool(np.mean(alike) >= _SAME_ENCODER)
    with Ledger(settings.ledger_path) as ledger:
        return is_maker(encoder.identity, ledger, library)


_TAKEN_IN_AGAIN = ("keyframes_missing", "unfinished", "media_changed")


def repair(
    settings: Settings,
    store: Store,
    findings: Sequence[Finding],
    load_encoder: Callable[[str], Encoder],
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
    with Ledger(settings.ledger_path) as ledger:
        places = Whereabouts(settings, ledger)
        for finding in mendable:
            if finding.kind == "media_moved":
                _point_elsewhere(store, ledger, finding, places)
            elif finding.kind == "orphan":
                (settings.data_dir / finding.subject).unlink(missing_ok=True)
    undrawn = [finding for finding in mendable if finding.kind == "thumbnail_missing"]
    left.extend(_draw_again(settings, undrawn))
    again = [item for item in mendable if item.kind in _TAKEN_IN_AGAIN]
    deleted = _deleted_before(settings, findings, undeleted)
    for finding in deleted:
        delete_entities(settings, store, finding.library, Filter(source_ids=(finding.source_id,)))
    left = [item for item in left if item not in deleted]
    again = [item for item in again if item not in deleted]
    for library in sorted({finding.library for finding in again}):
        mine = [finding for finding in again if finding.library == library]
        encoder = load_encoder(library)
        left.extend(_take_in_again(settings, store, library, mine, encoder, on_progress))
    replaced = {
        (item.library, item.source_id)
        for item in again
        if item.kind == "media_changed" and not _is_of_source(item, left)
    }  # what was wrong with their old rows went with them
    return [item for item in left if (item.library, item.source_id) not in replaced]


def _is_of_source(finding: Finding, others: Sequence[Finding]) -> bool:
    return any(
        (item.kind, item.library, item.source_id)
        == (finding.kind, finding.library, finding.source_id)
        for item in others
    )


def _deleted_before(
    settings: Settings, findings: Sequence[Finding], undeleted: Collection[str]
) -> list[Finding]:
    """Return the findings of sources that were deleted from ``undeleted`` libraries.

    A ledger that knows no source of a library was lost itself, and tells nothing.
    """
    with Ledger(settings.ledger_path) as ledger:
        return [
            item
            for item in findings
            if item.kind == "unfinished"
            and item.library in undeleted
            and ledger.outcomes(item.library, limit=1)
            and not ledger.of_sources(item.library, [item.source_id])
            and not ledger.locations(item.library, item.source_id)
        ]


def _point_elsewhere(store: Store, ledger: Ledger, finding: Finding, places: Whereabouts) -> None:
    """Let the keyframes of a file that was moved point to where it is now."""
    path = places.elsewhere(finding.library, finding.source_id, finding.subject)
    if not path:
        return  # it was moved again
    ids = tuple(entity.id for entity in finding.entities)
    for page in chunks_where(store, finding.library, Filter(ids=ids)):
        moved = [replace(entity, uri=path) for entity in page.entities]
        store.upsert(finding.library, moved, page.embeddings)
    ledger.locate([Location(finding.library, finding.source_id, path, Mount.of(Path(path)))])
    ledger.leave(finding.library, finding.source_id, finding.subject, path)


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
            with fetched(settings, remote, uri) as (path, content):
                if content.source_id != mine[0].source_id:
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
        write_thumbnail(image, entity.ref, settings.data_dir, settings.media.thumbnail_px)
    return left


def _not_mended(finding: Finding, error: MediaError) -> Finding:
    return replace(finding, detail=error.message, repairable=False)


def _picture(settings: Settings, entity: MediaEntity, path: Path) -> Image.Image:
    if entity.media_type == "image":
        return decode_image(path, max_pixels=settings.media.max_pixels)
    return frame_at(path, entity.pts_ms, max_pixels=settings.media.max_pixels, track=entity.track)


def _take_in_again(
    settings: Settings,
    store: Store,
    library: str,
    findings: Sequence[Finding],
    encoder: Encoder,
    on_progress: Callable[[Progress], None] | None,
) -> list[Finding]:
    """Ingest sources again, each with its earlier options; return those that failed."""
    if library not in {info.name for info in store.libraries()}:
        with Ledger(settings.ledger_path) as ledger:
            made_it = is_maker(encoder.identity, ledger, library)
        if not made_it:
            detail = (
                f"was not taken in with {encoder.identity.label}; name its encoder with "
                "--model and --pretrained"
            )
            return [replace(item, detail=detail, repairable=False) for item in findings]
        store.ensure_library(library, encoder.identity)
    left: list[Finding] = []
    groups: dict[IngestOptions, list[Finding]] = {}
    kept: list[VectorPage] = []
    with Ledger(settings.ledger_path) as ledger:
        places = Whereabouts(settings, ledger)
        for finding in findings:
            rows = Filter(source_ids=(finding.source_id,))
            state, _ = places.look(finding.subject, finding.source_id)
            if finding.kind == "unfinished" and state in ("gone", "changed"):
                delete_entities(settings, store, library, rows)  # what cannot be finished
                continue
            options = _options(store, ledger, finding)
            if finding.kind != "media_changed":
                kept += store.vectors(library, where=rows.with_regions())
            groups.setdefault(options, []).append(finding)
        files = {item.source_id: _file_to_ingest(ledger, item) for item in findings}
    for options, mine in groups.items():
        paths = list(dict.fromkeys(files[finding.source_id] for finding in mine))
        report = ingest(
            paths,
            options,
            settings=settings,
            store=store,
            encoder=encoder,
            library=library,
            on_progress=on_progress,
            anew=frozenset(item.source_id for item in mine if item.kind != "media_changed"),
        )
        left.extend(_not_done(mine, report))
    for page in kept:  # with the tags and whatever else they were given since
        store.upsert(library, page.entities, page.embeddings)
    return left


def _options(store: Store, ledger: Ledger, finding: Finding) -> IngestOptions:
    """Return how a source was ingested: as usual where the ledger does not know it."""
    library, source_id = finding.library, finding.source_id
    rows = store.entities(library, Filter(source_ids=(source_id,)), limit=1)
    text = recorded_options(ledger, library, source_id) or EVERYTHING_USUAL.to_text()
    options = options_of(text, rows)
    if finding.kind == "media_changed":
        return replace(options, started_at=None)  # it may be another recording
    return options


def _file_to_ingest(ledger: Ledger, finding: Finding) -> str:
    """Return the file of a source, of an archive's member the archive where it is still there."""
    for place in ledger.locations(finding.library, finding.source_id):
        archive = file_of(place.uri)
        if archive != place.uri:
            return archive
    return file_of(finding.subject)


def _not_done(findings: Sequence[Finding], report: IngestReport) -> list[Finding]:
    reasons = {item.uri: item.reason for item in report.outcomes if item.status == "failed"}
    return [
        replace(finding, detail=reasons[finding.subject], repairable=False)
        for finding in findings
        if finding.subject in reasons
    ]
