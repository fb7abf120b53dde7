"""The bulk writer: what is called done is there; files fill up, overlap, and fail in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import ingest.rows.writer
from ingest.ledger import Ledger
from ingest.report import SourceOutcome
from ingest.rows.writer import BulkWriter, Ending, Rows, Writer
from search_core.encoders.base import Embeddings
from search_core.errors import StoreError
from search_core.schema.entity import MediaEntity
from search_core.store.memory.store import MemoryStore
from tests.conftest import make_entity


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest.rows.writer, "FILE_BYTES", 4 * 64)  # four rows


def give(writer: Writer, number: int, rows: int = 2) -> None:
    """Hand over a source with rows of 16 dimensions, and its end."""
    entities = [make_entity(100 * number + row) for row in range(rows)]
    writer.put(Rows(entities, np.ones((rows, 16), np.float32)))
    writer.put(Ending(f"source{number}", SourceOutcome(f"{number}.mp4", "done", keyframes=rows)))


def done(ledger: Ledger) -> set[str]:
    return {row.uri for row in ledger.outcomes("main", "done")}


def test_rows_are_gathered_into_files_and_all_are_written_at_the_end(
    ledger: Ledger, store: MemoryStore
) -> None:
    sizes = []
    with BulkWriter(
        store,
        ledger,
        "main",
        "r",
        lambda name, rows, vectors: sizes.append((len(rows), len(vectors))),
    ) as writer:
        for number in range(5):
            give(writer, number)
    assert sorted(sizes) == [(2, 2), (4, 4), (4, 4)]
    assert done(ledger) == {f"{number}.mp4" for number in range(5)}
    assert [outcome.uri for outcome in writer.settled(0)] == [f"{n}.mp4" for n in range(5)]
    assert writer.rows == 10 and writer.seconds > 0


def test_a_source_is_done_when_all_rows_before_it_are_there(
    ledger: Ledger, store: MemoryStore
) -> None:
    first_may_end = threading.Event()
    second_ended = threading.Event()

    def insert(name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        if entities[0].id == make_entity(0).id:
            assert first_may_end.wait(30)
        else:
            second_ended.set()

    with BulkWriter(store, ledger, "main", "r", insert) as writer:
        give(writer, 0, rows=4)
        give(writer, 1, rows=4)
        assert second_ended.wait(30)  # while the first is still under way
        give(writer, 2, rows=1)
        assert done(ledger) == set()
        first_may_end.set()
    assert done(ledger) == {"0.mp4", "1.mp4", "2.mp4"}


def test_nothing_of_a_failed_file_or_after_it_is_done(ledger: Ledger, store: MemoryStore) -> None:
    def insert(name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        if entities[0].id == make_entity(100).id:
            raise StoreError("no")

    with (
        pytest.raises(StoreError, match="no"),
        BulkWriter(store, ledger, "main", "r", insert) as writer,
    ):
        give(writer, 0, rows=4)
        give(writer, 1, rows=4)
        give(writer, 2, rows=4)
    assert done(ledger) <= {"0.mp4"}


def refused(name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
    raise AssertionError("there are no rows to insert")


def test_sources_without_rows_are_recorded(ledger: Ledger, store: MemoryStore) -> None:
    with BulkWriter(store, ledger, "main", "r", refused) as writer:
        writer.put(Ending("source0", SourceOutcome("0.txt", "skipped", "no media", "open")))
    assert [row.uri for row in ledger.outcomes("main", "skipped")] == ["0.txt"]
