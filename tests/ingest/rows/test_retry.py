"""Milvus away in the middle of an ingest: waited for, told of, and not waited for too long."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.ledger import Ledger
from ingest.report import Progress
from ingest.rows import writer as outages
from ingest.rows.writer import Outages
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import StoreError, StoreUnavailable
from search_core.indexes import DEFAULT_INDEX, IndexSpec, MetricType
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, LibraryInfo
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo

PICTURES, SECONDS = 6, 5


class Moody(MemoryStore):
    """A store that fails some calls: those of ``calls`` in ``away``, as often as that says."""

    def __init__(self) -> None:
        super().__init__()
        self.away: dict[str, int] = {}
        self.error: StoreError = StoreUnavailable("Milvus cannot be reached.")

    def _called(self, name: str) -> None:
        if self.away.get(name, 0) > 0:
            self.away[name] -= 1
            raise self.error

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        self._called("upsert")
        super().upsert(name, entities, embeddings)

    def ensure_library(
        self,
        name: str,
        identity: EncoderIdentity,
        *,
        metric: MetricType = "COSINE",
        index: IndexSpec = DEFAULT_INDEX,
    ) -> LibraryInfo:
        self._called("ensure_library")
        return super().ensure_library(name, identity, metric=metric, index=index)

    def settle(self, name: str) -> None:
        self._called("settle")
        super().settle(name)

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        self._called("count")
        return super().count(name, where, fresh=fresh)


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(outages, "_LONGEST_WAIT_S", 0.002)


@pytest.fixture
def media(media: Path) -> Path:
    make_clip(media / "a.mp4", seconds=SECONDS)
    for number in range(PICTURES):
        make_photo(media / f"{number}.png", (number, 60, 90))
    return media


@pytest.mark.parametrize("call", ["ensure_library", "upsert", "settle"])
def test_milvus_is_waited_for_and_that_is_told(
    take_in: TakeIn, media: Path, store: Moody, call: str
) -> None:
    store.away = {call: 3}
    told: list[str] = []
    report = take_in(media, on_progress=lambda progress: told.append(progress.waiting))

    assert (report.done, report.failed, report.interrupted) == (PICTURES + 1, 0, False)
    assert store.count("main") == PICTURES + SECONDS
    waited = [text for text in told if text]
    assert waited[0] == "Milvus does not answer; waiting for it."
    assert told[-1] == ""


def test_counting_before_it_starts_waits_too(take_in: TakeIn, media: Path, store: Moody) -> None:
    take_in(media)
    store.away = {"count": 2}
    assert take_in(media).skipped == PICTURES + 1


def test_asked_to_stop_it_does_not_wait(
    take_in: TakeIn, media: Path, store: Moody, settings: Settings
) -> None:
    store.away = {"upsert": 10**9}
    waits = threading.Event()

    def look(progress: Progress) -> None:
        if progress.waiting:
            waits.set()

    report = take_in(media, on_progress=look, should_stop=waits.is_set)

    assert report.interrupted and report.done == 0
    with Ledger(settings.ledger_path) as ledger:
        assert ledger.counts("main")["done"] == 0
    store.away = {}
    assert take_in(media).done == PICTURES + 1


def test_patience_ends_with_an_error_that_says_what_to_do(
    take_in: TakeIn, media: Path, store: Moody
) -> None:
    store.away = {"upsert": 10**9}
    with pytest.raises(StoreUnavailable, match="did not answer for 0 seconds") as raised:
        take_in(media, patience_s=0.0)
    assert "run the same command again" in raised.value.hint


def test_what_waiting_does_not_mend_is_raised_at_once(
    take_in: TakeIn, media: Path, store: Moody
) -> None:
    store.error = StoreError("Milvus refused the schema.")
    store.away = {"upsert": 1}
    told: list[str] = []
    with pytest.raises(StoreError, match="refused"):
        take_in(media, on_progress=lambda progress: told.append(progress.waiting))
    assert not any(told)


def test_the_address_is_named() -> None:
    told: list[str] = []
    answers = iter([StoreUnavailable("x"), None])

    def ask() -> None:
        if error := next(answers):
            raise error

    Outages("http://milvus:19530", tell=told.append).outlast(ask)
    assert told == ["Milvus at http://milvus:19530 does not answer; waiting for it.", ""]
