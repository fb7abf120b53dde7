"""How the indexes of a comparison stand: each at the setting one would use it with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from search_core.lab.recommendation import recommend
from search_core.lab.records import IndexRun
from search_core.lab.report.frames import params_text, series_names


@dataclass(frozen=True, slots=True)
class Standing:
    """One index at its fastest setting that meets the target, else at the one that finds most.

    ``run`` is its slowest measurement without a filter, one query at a time; ``recalls`` has such
    a measurement for each kind of query. ``hardest`` found least, with a filter or without.
    ``throughput`` answered the most queries a second, ``build`` tells seconds and sizes.
    """

    series: str
    run: IndexRun
    recalls: dict[str, IndexRun]
    hardest: IndexRun
    meets: bool
    throughput: IndexRun | None
    build: IndexRun

    @property
    def searched(self) -> str:
        """Its search parameters in words."""
        return params_text(self.run.search_params)


def standings(runs: Sequence[IndexRun], target_recall: float = 0.95) -> list[Standing]:
    """Return where each index stands: those that meet the target by latency, then by recall."""
    names = series_names(runs)
    groups: dict[str, list[IndexRun]] = defaultdict(list)
    for run in runs:
        groups[names[run.index_type, params_text(run.build_params)]].append(run)
    found = [
        standing
        for series, group in groups.items()
        if (standing := _standing(series, group, target_recall)) is not None
    ]
    return sorted(
        found,
        key=lambda one: (not one.meets, one.run.p50_ms if one.meets else -_recall(one.hardest)),
    )


def _standing(series: str, runs: Sequence[IndexRun], target_recall: float) -> Standing | None:
    plain = [
        run
        for run in runs
        if run.kind == "search" and not run.error and not run.filter and run.strategy == "fixed"
    ]
    if not plain:
        return None
    advice = recommend(runs, target_recall)
    if advice is not None:
        chosen, hardest, meets = advice.chosen.run, advice.chosen.hardest, advice.chosen.meets
    else:  # indexes of bits are never recommended, and stand here all the same
        chosen = hardest = max(plain, key=lambda run: (_recall(run), -(run.p50_ms or 0.0)))
        meets = False
    same = [run for run in runs if run.search_params == chosen.search_params and not run.error]
    fastest = max(
        (run for run in same if run.kind == "throughput"),
        key=lambda run: run.qps or 0.0,
        default=None,
    )
    recalls: dict[str, IndexRun] = {run.query_kind: run for run in same if run in plain}
    build = next((run for run in runs if run.kind == "build"), chosen)
    return Standing(series, chosen, recalls, hardest, meets, fastest, build)


def _recall(run: IndexRun) -> float:
    return run.ann_recall_at_k or 0.0
