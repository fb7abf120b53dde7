"""How an ingest ends: done, stopped, interrupted by Ctrl-C, or without its Milvus."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.ledger import Ledger
from ingest.pipeline import ingest
from ingest.report import Progress
from search_core.encoders.base import Embeddings
from search_core.errors import StoreUnavailable
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_photo


def test_progress_reaches_the_end(take_in: TakeIn, media: Path) -> None:
    for number in range(5):
        make_photo(media / f"{number}.png", (number, 0, 0))
    seen: list[Progress] = []
    take_in(media, on_progress=seen.append)
    finished = [progress.sources_finished for progress in seen]
    assert finished == sorted(finished)
    assert (seen[-1].sources_finished, seen[-1].sources_total, seen[-1].done) == (5, 5, 5)
    assert seen[-1].keyframes == 5


def test_stopping_leaves_the_rest_pending(
    take_in: TakeIn, media: Path, store: MemoryStore, ledger: Ledger, settings: Settings
) -> None:
    settings.encoder.batch_size = 1
    for number in range(20):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    seen = []
    report = take_in(
        media,
        on_progress=lambda progress: seen.append(progress.done),
        should_stop=lambda: bool(seen and seen[-1] >= 3),
    )
    assert report.interrupted and 3 <= report.done < 20
    assert ledger.counts("main")["done"] == report.done
    rest = take_in(media)
    assert (rest.done, rest.skipped, rest.interrupted) == (20 - report.done, report.done, False)
    assert store.count("main") == 20


def test_ctrl_c_stops_cleanly(
    take_in: TakeIn, media: Path, store: MemoryStore, ledger: Ledger, settings: Settings
) -> None:
    settings.encoder.batch_size = 1
    for number in range(20):
        make_photo(media / f"{number:02}.png", (number, 0, 0))

    def press_ctrl_c(progress: Progress) -> None:
        if progress.done == 2:
            signal.raise_signal(signal.SIGINT)

    # A shell starts what runs in the background deaf to Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        report = take_in(media, on_progress=press_ctrl_c)
    finally:
        signal.signal(signal.SIGINT, before)
    assert report.interrupted and 2 <= report.done < 20
    assert ledger.counts("main") == {"done": report.done, "skipped": 0, "failed": 0}
    assert take_in(media).done == 20 - report.done
    assert store.count("main") == 20


def test_a_store_that_fails_stops_the_ingest_and_nothing_counts_as_done(
    media: Path, settings: Settings, encoder: HistogramEncoder, ledger: Ledger
) -> None:
    for number in range(5):
        make_photo(media / f"{number}.png", (number, 0, 0))

    class Failing(MemoryStore):
        def upsert(
            self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings
        ) -> None:
            raise StoreUnavailable("Milvus is gone.")

    with pytest.raises(StoreUnavailable):
        ingest(
            [str(media)],
            settings=settings,
            store=Failing(),
            encoder=encoder,
            library="main",
            patience_s=0.0,
        )
    assert ledger.counts("main")["done"] == 0
