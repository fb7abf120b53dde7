"""An empty folder for media, settings in a fresh folder, and an ingest that uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.jobs import Jobs
from ingest.pipeline import ingest
from ingest.worker import run_worker
from search_core.memory_store import MemoryStore
from search_core.settings import MediaSettings, Settings
from tests.ingest.made_media import HistogramEncoder
from tests.ingest.queued import EAGER


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
def take_in(settings, encoder, store):
    """Ingest paths into the library "main" of the test's store; returns the report."""

    def run(*paths: Path | str, **options):
        return ingest(
            [str(path) for path in paths],
            **{
                "settings": settings,
                "encoder": encoder,
                "store": store,
                "library": "main",
                **options,
            },
        )

    return run


@pytest.fixture
def jobs(settings):
    jobs = Jobs(settings)
    yield jobs
    jobs.close()


@pytest.fixture
def work(settings, store, encoder):
    def run(**options):
        given = {"store": store, "encoder": encoder, "timing": EAGER, **options}
        run_worker(settings, until_idle=True, **given)

    return run
