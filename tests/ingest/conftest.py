"""An empty folder for media, settings in a fresh folder, and an ingest that uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

import pytest

from ingest.engines.base import Engine
from ingest.jobs.client import Jobs
from ingest.jobs.worker import Timing, run_worker
from ingest.ledger import Ledger
from ingest.media.decoding import listen_to_libav
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport, Progress
from ingest.rows.writer import BulkInsert
from search_core.encoders.base import Encoder
from search_core.settings import MediaSettings, Settings
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.system.cancellation import Stop
from tests.support.made_media import HistogramEncoder
from tests.support.queued import EAGER


class IngestArguments(TypedDict, total=False):
    """What a test may ask of an ingest; the store, the encoder and the library are the test's."""

    store: Store
    encoder: Encoder
    library: str
    camera: str
    started_at: datetime
    keyframes: str
    regions: str
    tags: tuple[str, ...]
    timezones: tuple[str, ...]
    clock_offsets: tuple[str, ...]
    name_patterns: tuple[str, ...]
    alone: bool | None
    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    engine: Engine
    bulk: BulkInsert | None
    patience_s: float


class TakeIn(Protocol):
    def __call__(self, *paths: Path | str, **options: Unpack[IngestArguments]) -> IngestReport: ...


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
    return Settings(
        data_dir=tmp_path / "data", media=MediaSettings(workers=1, thumbnail_px=64, read="off")
    )


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
    """Ingest paths into the library "main" of the test's store; returns the report.

    Without regions, unless the test asks for some: most count rows.
    """

    def run(*paths: Path | str, **options: Unpack[IngestArguments]) -> IngestReport:
        given: dict[str, Any] = {"encoder": encoder, "store": store, "library": "main", **options}
        names = {field.name for field in fields(IngestOptions)}
        asked = {
            "alone": False,
            "regions": "off",
            **{name: given.pop(name) for name in names & given.keys()},
        }
        return ingest(
            [str(path) for path in paths], IngestOptions(**asked), settings=settings, **given
        )

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


@pytest.fixture
def like_a_decoding_process() -> None:
    """Let errors carry libav's last words, as in a process that only decodes."""
    listen_to_libav()
