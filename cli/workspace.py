"""Opening what a command works on: the store and the encoder of its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cli.terminal import err, note
from search_core.endpoint import resolve_endpoint
from search_core.errors import LibraryNotFound, StoreError
from search_core.settings import Settings

if TYPE_CHECKING:
    from search_core.bulk_storage import BulkStorage
    from search_core.encoders.base import Encoder
    from search_core.search import SearchEngine
    from search_core.store.milvus.store import MilvusStore


def is_untouched(settings: Settings) -> bool:
    """Whether these settings mean an embedded Milvus that nothing has been put into yet."""
    uri = resolve_endpoint(settings).uri
    return "://" not in uri and not Path(uri).exists()


@contextmanager
def open_store(settings: Settings, *, create: bool = False) -> Iterator[MilvusStore]:
    """Connect to Milvus, and let go of it at the end; what a killed command left is removed.

    Without ``create`` an embedded Milvus that does not exist is not made: raises LibraryNotFound.
    """
    if not create and is_untouched(settings):
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


def bulk_storage_of(settings: Settings) -> BulkStorage:
    """Return where files for a bulk insert are left; refuses Milvus Lite before it is opened."""
    from search_core.bulk_storage import bulk_storage, no_bulk_insert

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
    from search_core.query_log import QueryLog
    from search_core.search import SearchEngine

    log = QueryLog(settings.searches_path) if settings.record_searches else None
    return SearchEngine(encoder, store, settings.library, log=log)
