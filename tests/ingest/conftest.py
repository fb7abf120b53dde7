"""An empty folder for media, settings in a fresh folder, and an ingest that uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

import pytest

from ingest.engines.base import Engine
from ingest.jobs import Jobs
from ingest.jobs.worker import Timing, run_worker
from ingest.ledger import Ledger
from ingest.pipeline import ingest
from ingest.report import IngestReport, Progress
from ingest.rows.bulk_writer import BulkInsert
from ingest.sources.names import Naming
from search_core.encoders.base import Encoder
from search_core.schema.clocks import Clocks
from search_core.settings import MediaSettings, Settings
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.system.cancellation import Stop
from tests.support.made_media import HistogramEncoder
from tests.support.queued import EAGER


class IngestOptions(TypedDict, total=False):
    """What a test may ask of an ingest; the store, the encoder and the library are the test's."""

    store: Store
    encoder: Encoder
    library: str
    camera: str
    started_at: datetime
    clocks: Clocks
    keyframes: str
    tags: Sequence[str]
    naming: Naming
    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    engine: Engine
    bulk: BulkInsert | None
    patience_s: float


class TakeIn(Protocol):
    def __call__(self, *paths: Path | str, **options: Unpack[IngestOptions]) -> IngestReport: ...


class WorkOptions(TypedDict, total=False):
    """What a test may ask of a worker; the store and the encoder are the test's."""

    store: Store
    encoder: Encoder
    stop: Stop
    timing: Timing


class Work(Protocol):
    def __call__(self, **options: Unpack[WorkOptions]) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", media=MediaSettings(workers=1, thumbnail_px=64))


@pytest.fixture
def encoder() -> HistogramEncoder:
    return HistogramEncoder()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """An empty folder for the media of a test."""
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


@pytest.fixture
def take_in(settings: Settings, encoder: HistogramEncoder, store: MemoryStore) -> TakeIn:
    """Ingest paths into the library "main" of the test's store; returns the report."""

    def run(*paths: Path | str, **options: Unpack[IngestOptions]) -> IngestReport:
        given: IngestOptions = {"encoder": encoder, "store": store, "library": "main"}
        given.update(options)
        return ingest([str(path) for path in paths], settings=settings, **given)

    return run


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    with closing(Jobs(settings)) as jobs:
        yield jobs


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with Ledger(settings.ledger_path) as ledger:
        yield ledger


@pytest.fixture
def work(settings: Settings, store: MemoryStore, encoder: HistogramEncoder) -> Work:
    """Let a worker do the jobs there are."""

    def run(**options: Unpack[WorkOptions]) -> None:
        given: WorkOptions = {"store": store, "encoder": encoder, "timing": EAGER}
        given.update(options)
        run_worker(settings, until_idle=True, **given)

    return run
