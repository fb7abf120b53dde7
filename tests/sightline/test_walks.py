"""How far the commonest calls walk through the code: counts, which no machine changes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.walks import walks


def test_a_warm_search_enters_few_modules_and_asks_milvus_twice(tmp_path: Path) -> None:
    found = walks(tmp_path)
    search = found["search of 50 hits"]
    assert len(search.modules) <= 14 and search.moves.total() <= 100
    assert (search.calls, search.described) == ({"query": 1, "search": 1}, 0)
    ingest = found["ingest of one picture"]
    assert len(ingest.modules) <= 35 and ingest.described == 1
    assert found["delete of one picture"].moves.total() <= 101  # half of what they were
