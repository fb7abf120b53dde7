from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Flat, Hnsw, SearchParams
from search_core.lab.recommendation import (
    pareto_front,
    reach_ignored,
    recommend,
    sweep_ignored,
    told_apart,
)
from search_core.lab.records import IndexRun
from search_core.store.library import LibraryInfo

HNSW = {"M": 16, "efConstruction": 200}


def run(index_type: str, recall: float, p50_ms: float, **changes: Any) -> IndexRun:
    built = {"HNSW": HNSW, "IVF_FLAT": {"nlist": 64}}.get(index_type, {})
    return replace(
        IndexRun(
            "search", index_type, built, ann_recall_at_k=recall, p50_ms=p50_ms,
            p50_low_ms=0.95 * p50_ms, p50_high_ms=1.05 * p50_ms, recall_low=recall - 0.01,
        ),
        **changes,
    )  # fmt: skip


def nprobe(value: int, recall: float, p50_ms: float, **changes: Any) -> IndexRun:
    return run("IVF_FLAT", recall, p50_ms, search_params={"nprobe": value}, **changes)


def ef(value: int, recall: float, p50_ms: float, **changes: Any) -> IndexRun:
    return run("HNSW", recall, p50_ms, search_params={"ef": value}, **changes)


def test_the_fastest_that_meets_the_target_is_advised_with_its_margin() -> None:
    flat, few, many = run("FLAT", 1.0, 9.0), nprobe(1, 0.6, 1.0), nprobe(8, 0.97, 3.0)
    advice = recommend([flat, few, many], 0.95)
    assert advice is not None and advice.chosen.run is many
    assert round(advice.margin, 4) == 0.02 and advice.ties == ()
    assert "IVF_FLAT (nlist 64) with nprobe 8: it finds 97.0%" in advice.sentence
    assert "3 ms (median), 2.0 points above the target of 95.0%." in advice.sentence
    assert advice.command == "sightline index set IVF_FLAT --nlist 64 --nprobe 8"


def test_what_was_measured_apart_is_told_apart_only_beyond_what_the_speed_may_have_changed() -> (
    None
):
    first, slow = ef(64, 0.98, 3.0), run("FLAT", 1.0, 4.0, lot=1)
    assert told_apart(first, slow)
    # The reference took 1.1 to 1.5 of its time in the second lot: 4 ms there may be 3 ms here.
    unsure = replace(slow, drift_low=1.1, drift_high=1.5)
    assert not told_apart(first, unsure) and not told_apart(unsure, first)
    advice = recommend([first, unsure])
    assert advice is not None and [tie.run for tie in advice.ties] == [first]
    far = run("FLAT", 1.0, 6.0, lot=1, drift_low=1.1, drift_high=1.5)
    assert told_apart(first, far)
    # Of two that were measured together in a slow moment, nothing more is unsure.
    assert told_apart(unsure, replace(unsure, p50_ms=5.0, p50_low_ms=4.8, p50_high_ms=5.2))


def test_the_fastest_is_so_at_the_same_speed_of_the_machine() -> None:
    first = ef(64, 0.98, 3.0)
    later = nprobe(8, 0.97, 3.6, lot=1, drift_low=1.98, drift_high=2.02)  # 1.8 ms at first
    advice = recommend([first, later])
    assert advice is not None and advice.chosen.run is later and advice.ties == ()


def test_of_those_as_fast_the_one_that_finds_most_is_advised() -> None:
    fast, as_fast, slow = nprobe(4, 0.96, 3.0), ef(64, 0.98, 3.2), run("FLAT", 1.0, 9.0)
    assert not told_apart(fast, as_fast) and told_apart(fast, slow)
    advice = recommend([fast, as_fast, slow])
    assert advice is not None and advice.chosen.run is as_fast
    assert [tie.run for tie in advice.ties] == [fast]
    assert "cannot be told apart from IVF_FLAT" in advice.sentence


def test_of_those_as_fast_that_find_as_much_the_exact_one_is_advised_then_the_smallest() -> None:
    flat = run("FLAT", 1.0, 3.0, memory_bytes=300)
    ivf, hnsw = nprobe(4, 1.0, 2.9, memory_bytes=80), ef(64, 1.0, 3.1, memory_bytes=400)
    exact, small = recommend([ivf, hnsw, flat]), recommend([hnsw, ivf])
    assert exact is not None and exact.chosen.run is flat
    assert small is not None and small.chosen.run is ivf


def test_the_target_is_met_with_every_kind_of_query_and_every_filter() -> None:
    pictures, sentences = nprobe(8, 0.99, 2.0), nprobe(8, 0.90, 2.0, query_kind="text")
    hnsw = [ef(64, 0.99, 3.0), ef(64, 0.97, 3.0, query_kind="text")]
    advice = recommend([pictures, sentences, *hnsw])
    assert advice is not None and advice.chosen.hardest is hnsw[1]

    collapsed = ef(64, 0.4, 3.0, filter="1%", selectivity=0.01)
    wide = ef(256, 0.99, 5.0), ef(256, 0.96, 5.0, filter="1%", selectivity=0.01)
    filtered = recommend([*hnsw, collapsed, *wide])
    assert filtered is not None and filtered.chosen.hardest is wide[1]
    assert "under the filter 1%" in filtered.sentence
    unfiltered = recommend([*hnsw, *wide])
    assert unfiltered is not None and unfiltered.chosen.run is hnsw[0]

    aware = replace(collapsed, ann_recall_at_k=0.99, strategy="filter_aware")
    minded = recommend([*hnsw, aware, collapsed, *wide])
    assert minded is not None and minded.chosen.run is hnsw[0]


def test_where_nothing_meets_the_target_the_one_that_finds_most_is_named() -> None:
    advice = recommend([nprobe(1, 0.5, 1.0), nprobe(8, 0.9, 8.0)], 0.95)
    assert advice is not None and not advice.chosen.meets
    assert advice.chosen.run.search_params == {"nprobe": 8}
    assert "Nothing measured reaches the target of 95.0%" in advice.sentence
    assert "5.0% short" in advice.sentence


def test_an_interval_that_reaches_below_the_target_is_said() -> None:
    advice = recommend([nprobe(8, 0.955, 1.0)])
    assert advice is not None and "95 % interval from 94.5%" in advice.sentence


def test_failures_and_indexes_of_bits_are_not_advised() -> None:
    failed = IndexRun("build", "SCANN", {}, error="it hung")
    bits = run("BIN_FLAT", 1.0, 0.1)
    batch = replace(run("FLAT", 1.0, 0.1), kind="batch", nq=10)
    assert recommend([failed, bits, batch]) is None


def test_an_advice_knows_what_the_library_has() -> None:
    identity = EncoderIdentity("e", "", "0" * 32, 16, "fp32")
    advice = recommend([ef(64, 0.99, 1.0)])
    assert advice is not None
    has = LibraryInfo("main", "c", identity, "COSINE", Hnsw(), SearchParams(ef=64), 0)
    assert advice.is_in_use(has)
    assert not advice.is_in_use(replace(has, search=SearchParams(ef=128)))
    assert not advice.is_in_use(replace(has, index=Flat()))


def test_the_front_is_what_nothing_beats() -> None:
    runs = [nprobe(1, 0.5, 1.0), nprobe(2, 0.4, 2.0), ef(64, 0.9, 3.0), run("FLAT", 1.0, 9.0)]
    assert pareto_front(runs) == [runs[0], runs[2], runs[3]]


def test_a_parameter_that_changes_nothing_is_noticed() -> None:
    rows = np.arange(20).reshape(2, 10)
    other = rows + np.array([[0], [1]])
    assert "ef changed nothing" in sweep_ignored("ef", [rows, rows[:, ::-1]], [0.7, 0.7])
    assert sweep_ignored("ef", [rows, other], [0.7, 0.8]) == ""
    assert sweep_ignored("ef", [rows, rows], [1.0, 1.0]) == ""
    assert sweep_ignored("ef", [rows], [0.7]) == ""


def test_a_search_that_reaches_too_much_is_noticed() -> None:
    note = reach_ignored("nprobe", 1, 1 / 64, reached=6_400, rows=6_400)
    assert "should reach about 100 of 6,400 rows and reached 6,400" in note
    assert reach_ignored("nprobe", 1, 1 / 64, reached=140, rows=6_400) == ""
    assert reach_ignored("nprobe", 4, 1 / 4, reached=6_400, rows=6_400) == ""
