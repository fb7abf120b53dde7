"""Restoring what a data directory's embedded Milvus and its ledger lost by damaged files.

The files are found by :mod:`search_core.store.lite.inspection` and restored by
:mod:`search_core.store.lite.restoration`. Rows that went with their files are then found by
:mod:`ingest.curation.verification`, which knows from the ledger what there must be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ingest.curation.verification import Finding
from ingest.ledger import Ledger
from ingest.media.decoding import decode_image
from ingest.options import is_maker
from search_core.encoders.base import Encoder, EncoderIdentity
from search_core.errors import MediaError
from search_core.settings import Settings
from search_core.store.endpoint import Endpoint, is_running
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
