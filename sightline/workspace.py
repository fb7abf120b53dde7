"""Opening what a command works on: the store and the encoder of its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from search_core.errors import LibraryNotFound, StoreDamaged, StoreError
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.lite.read_only import read_only
from sightline.cli.terminal import err, note

if TYPE_CHECKING:
    from search_core.encoders.base import Encoder
    from search_core.search.engine import SearchEngine
    from search_core.store.milvus.bulk_insert import BulkStorage
    from search_core.store.milvus.store import MilvusStore


def is_untouched(settings: Settings) -> bool:
    """Whether these settings mean an embedded Milvus that nothing has been put into yet."""
    uri = resolve_endpoint(settings).uri
    return "://" not in uri and not Path(uri).exists()


@contextmanager
def open_store(settings: Settings, *, create: bool = False) -> Iterator[MilvusStore]:
    """Connect to Milvus, and let go of it at the end; what a killed command left is removed.

    To ``create`` it is to write to it: raises StoreReadOnly where that cannot be.
    Without ``create`` an embedded Milvus that does not exist is not made: raises LibraryNotFound.
    """
    if create:
        require_writable(settings)
    if not create and is_untouched(settings):
        if lost := _lost_library(settings):
            raise lost
        raise LibraryNotFound(
            f"Nothing has been ingested into {settings.data_dir} yet.",
            "`sightline ingest PATH` puts footage and photographs into it; "
            "--data-dir chooses another folder.",
        )
    from search_core.store.milvus.store import MilvusStore

    store = MilvusStore(resolve_endpoint(settings))
    try:
        store.tidy()
        _probe_once(store)
        yield store
    except LibraryNotFound:
        if lost := _lost_library(settings):
            raise lost from None
        raise
    finally:
        store.close()


def _probe_once(store: MilvusStore) -> None:
    """Try a server that this data directory has not seen, and say what does not work."""
    found = None
    with suppress(StoreError), err().status("") as status:
        found = store.probe_once(lambda name: status.update(f"First use of this Milvus: {name} …"))
    if found is None or not found.failed:
        return
    for finding in found.failed:
        note(f"{found.server}: {finding.name} does not work: {finding.found}")
    note("`sightline doctor --probe` tries all that Sightline needs.")


def require_writable(settings: Settings) -> None:
    """Raise StoreReadOnly where this user cannot write to the data directory."""
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        raise read_only(folder)


def _lost_library(settings: Settings) -> StoreDamaged | None:
    """Return the error for a library that Milvus lacks and must hold by the ledger, else None."""
    if not settings.ledger_path.exists():
        return None
    from ingest.curation.verification import expected_keyframes
    from ingest.ledger import Ledger

    with Ledger(settings.ledger_path) as ledger:
        if settings.library not in ledger.libraries():
            return None
        expected = expected_keyframes(ledger, settings.library)
    sources = sum(keyframes > 0 for keyframes, _ in expected.values())
    return StoreDamaged(
        f"The library {settings.library} is not in Milvus any more: {sources:,} sources were "
        "taken into it.",
        "`sightline verify` lists them; `sightline verify --repair` takes them in again.",
    )


def bulk_storage_of(settings: Settings) -> BulkStorage:
    """Return where files for a bulk insert are left; refuses Milvus Lite before it is opened."""
    from search_core.store.milvus.bulk_insert import bulk_storage, no_bulk_insert

    if resolve_endpoint(settings).embedded:
        raise no_bulk_insert()
    return bulk_storage(settings)


def load_encoder(settings: Settings) -> Encoder:
    """Load the encoder the settings name, saying so while it takes its seconds."""
    with err().status(f"Loading the encoder {settings.model} …"):
        from search_core.encoders.openclip import load_encoder as load

        return load(settings)


def make_engine(settings: Settings, store: MilvusStore) -> SearchEngine:
    """Return what answers queries and records them.

    A missing library is refused before the encoder is loaded.
    """
    store.library(settings.library)
    encoder = load_encoder(settings)
    from search_core.search.engine import SearchEngine
    from search_core.search.query_log import QueryLog

    log = QueryLog(settings.searches_path) if settings.record_searches else None
    return SearchEngine(encoder, store, settings.library, log=log)
