"""What measurements mean: which setting to use, which cannot be told apart, what was ignored."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.indexes import INDEX_SPECS, IndexSpec, SearchParams
from search_core.lab.plan import search_params_of, spec_of
from search_core.lab.records import IndexRun
from search_core.messages import Message, Value, joined
from search_core.store.library import LibraryInfo

#: A search that looks into an eighth of an index or less, and reaches half of the rows or more,
#: was not held to what it was asked.
_LITTLE = 1 / 8
_MUCH = 1 / 2
Key = tuple[str, tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One index searched one way, over all kinds of query and all filters it was measured with.

    ``run`` is its slowest unfiltered measurement; ``hardest`` the one that found least, of those
    with a filter and without; ``meets`` whether even that found the target.
    """

    run: IndexRun
    hardest: IndexRun
    meets: bool

    @property
    def recall(self) -> float:
        """The least recall it had."""
        return self.hardest.ann_recall_at_k or 0.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The setting to use; ``sentence`` says which, how fast, and with what margin.

    ``margin`` is its least recall less the target, negative where nothing meets it. ``ties`` are
    others that meet the target and whose medians cannot be told apart from the fastest.
    """

    chosen: Setting
    target_recall: float
    margin: float
    ties: tuple[Setting, ...]
    sentence: str

    @property
    def spec(self) -> IndexSpec:
        """The index to build."""
        return spec_of(self.chosen.run)

    @property
    def search(self) -> SearchParams:
        """How to search it."""
        return search_params_of(self.chosen.run)

    @property
    def command(self) -> str:
        """The command that makes it a library's index."""
        return set_command(self.chosen.run)

    def is_in_use(self, info: LibraryInfo) -> bool:
        """Whether the library has this index and setting now."""
        k = self.chosen.run.k
        return info.index == self.spec and info.search_params(None, k) == dict(
            self.chosen.run.search_params
        )


def recommend(runs: Sequence[IndexRun], target_recall: float = 0.95) -> Recommendation | None:
    """Return the fastest setting that meets the target with every kind of query and every filter.

    Under a filter a setting counts as searches do it, filter-aware, where that was measured. Of
    settings whose medians cannot be told apart from the fastest (their 95 % intervals overlap) it
    is the one that finds most; of several, the exact one, which finds as much of what comes later
    too, then the smallest. Where none meets the target, it is the one that finds most. None where
    nothing can be recommended; indexes of bits never are, as libraries hold floats.
    """
    settings = [
        found
        for group in _by_setting(runs).values()
        if (found := _setting(group, target_recall)) is not None
    ]
    if not settings:
        return None
    enough = [setting for setting in settings if setting.meets]
    if not enough:
        best = max(settings, key=lambda setting: (setting.recall, -_p50(setting.run)))
        return _recommendation(best, target_recall, ())
    fastest = min(enough, key=lambda setting: _p50_at_first(setting.run))
    level = [setting for setting in enough if not told_apart(setting.run, fastest.run)]
    order = {name: place for place, name in enumerate(INDEX_SPECS)}
    best = min(
        level,
        key=lambda setting: (
            -round(setting.recall, 4),
            not INDEX_SPECS[setting.run.index_type].exact,
            setting.run.memory_bytes or 0,
            order[setting.run.index_type],
            _p50_at_first(setting.run),
        ),
    )
    others = tuple(setting for setting in level if setting is not best)
    return _recommendation(best, target_recall, others)


def told_apart(one: IndexRun, other: IndexRun) -> bool:
    """Whether two medians differ: their 95 % intervals do not overlap.

    Where they were measured apart, in different lots, each is taken to the speed of the first lot,
    by the reference that was asked in all of them; what is not known of that widens the intervals.
    """
    if one is other:
        return False
    if one.lot == other.lot:
        return _high(one) < _low(other) or _high(other) < _low(one)
    (low, high), (other_low, other_high) = _at_first(one), _at_first(other)
    return high < other_low or other_high < low


def pareto_front(runs: Iterable[IndexRun]) -> list[IndexRun]:
    """Return the runs than which no other is both faster and finds as much, fastest first."""
    front: list[IndexRun] = []
    best = -1.0
    for run in sorted(runs, key=lambda run: (_p50(run), -(run.ann_recall_at_k or 0.0))):
        if (run.ann_recall_at_k or 0.0) > best:
            best = run.ann_recall_at_k or 0.0
            front.append(run)
    return front


def sweep_ignored(
    parameter: str, found: Sequence[NDArray[np.int64]], recalls: Sequence[float]
) -> str:
    """Return a note where a search parameter changed nothing, "" where it did or none is due.

    ``found`` holds the rows (q, k) under each value of the parameter. Where everything is found
    anyway, the same answers are no sign.
    """
    if len(found) < 2 or min(recalls) >= 1.0:
        return ""
    first = np.sort(found[0], axis=1)
    if any(not np.array_equal(first, np.sort(rows, axis=1)) for rows in found[1:]):
        return ""
    return (
        f"{parameter} changed nothing: all its values gave the same answers, though neighbours "
        "were missed. Milvus seems to ignore it."
    )


def reach_ignored(parameter: str, value: int, share: float, reached: int, rows: int) -> str:
    """Return a note where a search that should see ``share`` of the rows ``reached`` far more.

    An IVF index of nlist clusters searched with nprobe 1 sees about 1 / nlist of the rows; one that
    was not built as asked sees all of them.
    """
    if share > _LITTLE or rows == 0 or reached < _MUCH * rows:
        return ""
    return (
        f"{parameter} {value} should reach about {share * rows:,.0f} of {rows:,} rows and reached "
        f"{reached:,}: Milvus searches exhaustively, as it does in small or unindexed segments."
    )


def set_command(run: IndexRun) -> str:
    """Return the command that makes a run's index and setting a library's."""
    flags = {"nlist": "--nlist", "M": "--m", "efConstruction": "--ef-construction"}
    flags |= {"m": "--m", "nprobe": "--nprobe", "ef": "--ef"}
    options = {**run.build_params, **run.search_params}
    parts = (
        f"{flags[name]} {value}" if name in flags else f"--option {name}={value}"
        for name, value in options.items()
    )
    return " ".join(["sightline index set", run.index_type, *parts])


def setting_text(run: IndexRun) -> str:
    """Return an index and its setting as people say it: ``HNSW (M 16) with ef 64``."""
    built = ", ".join(f"{name} {value}" for name, value in run.build_params.items())
    searched = ", ".join(f"{name} {value}" for name, value in run.search_params.items())
    text = run.index_type + (f" ({built})" if built else "")
    return f"{text} with {searched}" if searched else text


def _by_setting(runs: Sequence[IndexRun]) -> dict[Key, list[IndexRun]]:
    groups: dict[Key, list[IndexRun]] = defaultdict(list)
    for run in runs:
        kind = INDEX_SPECS[run.index_type].vector_kind
        if run.kind == "search" and not run.error and kind == "float":
            built = tuple(sorted(run.build_params.items()))
            groups[run.index_type, built, tuple(sorted(run.search_params.items()))].append(run)
    return groups


def _setting(group: Sequence[IndexRun], target_recall: float) -> Setting | None:
    """Return what the runs of one setting come to; None where it was not measured unfiltered."""
    cells: dict[tuple[str, str], IndexRun] = {}
    for run in sorted(group, key=lambda run: run.strategy == "filter_aware"):
        cells[run.query_kind, run.filter] = run
    plain = [run for (_, label), run in cells.items() if not label]
    if not plain:
        return None
    hardest = min(cells.values(), key=lambda run: run.ann_recall_at_k or 0.0)
    meets = (hardest.ann_recall_at_k or 0.0) >= target_recall
    return Setting(max(plain, key=_p50), hardest, meets)


def _recommendation(
    best: Setting, target_recall: float, ties: tuple[Setting, ...]
) -> Recommendation:
    run, hardest = best.run, best.hardest
    margin = best.recall - target_recall
    where = hardest.filter and Message(" under the filter {filter}", filter=hardest.filter)
    values: dict[str, Value] = {
        "setting": setting_text(run),
        "found": best.recall,
        "where": where,
        "ms": _p50(run),
        "target": target_recall,
    }
    if not best.meets:
        sentence: str = Message(
            "Nothing measured reaches the target of {target:.1%}; {setting} comes nearest: it "
            "finds {found:.1%} of the true neighbours{where} in {ms:.2g} ms (median), {short:.1%} "
            "short.",
            **values,
            short=-margin,
        )
    else:
        low = hardest.recall_low
        doubt: str = ""
        if low is not None and low < target_recall:
            doubt = Message(" (95 % interval from {low:.1%}: more queries would tell)", low=low)
        sentence = Message(
            "Use {setting}: it finds {found:.1%} of the true neighbours{where} in {ms:.2g} ms "
            "(median), {margin:.1f} points above the target of {target:.1%}{doubt}.",
            **values,
            margin=100 * margin,
            doubt=doubt,
        )
        sentence = joined(sentence, _ties_text(ties) if ties else "", separator=" ")
    return Recommendation(best, target_recall, margin, ties, sentence)


def _ties_text(ties: Sequence[Setting]) -> str:
    names = [setting_text(setting.run) for setting in ties[:2]]
    more = len(ties) - 2
    return Message(
        "In speed it cannot be told apart from {names}{more}.",
        names=", ".join(names),
        more=Message(" and {count} more", count=more) if more > 0 else "",
    )


def _p50(run: IndexRun) -> float:
    return run.p50_ms if run.p50_ms is not None else float("inf")


def _p50_at_first(run: IndexRun) -> float:
    """Return a median at the speed that the first lot was measured at, as near as is known."""
    return _p50(run) / math.sqrt(run.drift_low * run.drift_high)


def _at_first(run: IndexRun) -> tuple[float, float]:
    """Return a median's interval at the speed that the first lot was measured at."""
    return _low(run) / run.drift_high, _high(run) / run.drift_low


def _low(run: IndexRun) -> float:
    return run.p50_low_ms if run.p50_low_ms is not None else _p50(run)


def _high(run: IndexRun) -> float:
    return run.p50_high_ms if run.p50_high_ms is not None else _p50(run)
