"""The sections of a report: which charts it has, for one comparison or several side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from search_core.lab.recommendation import Recommendation, recommend
from search_core.lab.records import Comparison, IndexRun
from search_core.lab.report import charts, frames
from search_core.messages import Message

_KIND_TITLES = {
    "pictures": Message("Pictures"),
    "sentences": Message("Sentences"),
    "recorded pictures": Message("Recorded pictures"),
    "recorded sentences": Message("Recorded sentences"),
}


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
        return frames.params_text(self.run.search_params)


#: Titles and charts; those of one title that follow each other share a panel.
Drawn = Iterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A comparison, how its indexes stand, and the setting (series, search) to ring in charts."""

    comparison: Comparison
    standings: Sequence[Standing]
    target_recall: float
    chosen: tuple[str, str] | None = None

    @property
    def k(self) -> int:
        """How many neighbours were asked for."""
        return self.comparison.context.k

    @property
    def settings(self) -> Mapping[str, str]:
        """The setting each index stands at: search parameters in words, by series."""
        return {standing.series: standing.searched for standing in self.standings}


@dataclass(frozen=True, slots=True)
class Panel:
    """Charts below one heading, without a theme; ``comparison`` is the place of theirs."""

    comparison: int
    title: str
    charts: tuple[Any, ...]

    def specs(self, section: str) -> list[dict[str, Any]]:
        """Return the charts as Vega-Lite; each says what it is, in which section, when read out."""
        described = {"description": f"{section}: {self.title}"}
        made = [chart.to_dict(validate=False) | described for chart in self.charts]
        return [{name: of[name] for name in of if name != "config"} for of in made]


@dataclass(frozen=True, slots=True)
class Section:
    """Charts that belong together; ``name`` is its PNG's too. ``wide`` panels are two a row.

    The ``caption`` explains what the charts' legends do not: points, lines and bars of any colour.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    wide: bool = False


def subject_of(
    comparison: Comparison, advice: Recommendation | None, target_recall: float
) -> Subject:
    """Return a comparison as charts take it, the advised setting ringed."""
    chosen = None
    if advice is not None:
        run = advice.chosen.run
        series = frames.series_names(comparison.runs)[
            run.index_type, frames.params_text(run.build_params)
        ]
        chosen = (series, frames.params_text(run.search_params))
    return Subject(comparison, standings(comparison.runs, target_recall), target_recall, chosen)


def sections(subjects: Sequence[Subject]) -> list[Section]:
    """Return the sections for which anything was measured."""
    is_advised = any(one.chosen for one in subjects)
    made = (
        Section(
            "recall-latency",
            Message("Recall against latency"),
            Message(
                "Up and to the left is better. Filled points on the broad line are the Pareto "
                "front: nothing measured is both faster and finds as much; hollow ones are not on "
                "it. Thin rules are 95 % intervals{ring}",
                ring=Message("; the ring is the advice.") if is_advised else ".",
            ),
            _panels(subjects, frames.recall_latency_frame, _recall_latency),
            wide=True,
        ),
        Section(
            "recall-parameter",
            Message("Recall against the search parameter"),
            Message(
                "What nprobe, ef and their like buy, without a filter. Thin rules are 95 % "
                "intervals."
            ),
            _panels(subjects, frames.sweep_frame, _recall_parameter),
        ),
        Section(
            "filters",
            Message("Under filters"),
            Message(
                "What is found, and in what time, the fewer rows a filter leaves; each index at "
                "its setting in the table. Filter-aware search looks into more of the index, or "
                "searches exactly what the filter leaves."
            ),
            _panels(subjects, frames.filter_frame, _filters, at_settings=True),
        ),
        Section(
            "latency-nq",
            Message("Latency against queries in a request"),
            Message(
                "Many queries sent in one request take less time each. Of each index the "
                "lowest and the highest setting are drawn, and its setting in the table."
            ),
            _panels(subjects, frames.nq_frame, _latency_nq),
        ),
        Section(
            "qps-concurrency",
            Message("Many clients at once"),
            Message(
                "One query a request; clients are threads of one process. Each index is at its "
                "setting in the table."
            ),
            _panels(subjects, frames.concurrency_frame, _throughput, at_settings=True),
            wide=True,
        ),
        Section(
            "build-size",
            Message("Building, loading and keeping"),
            Message(
                "Seconds to build the index and to load it; what it takes in memory and on disk. "
                "Outlined bars with ≈ are estimates by formula, others are measured."
            ),
            _panels(subjects, frames.build_frame, _build_and_size),
            wide=True,
        ),
    )
    return [section for section in made if section.panels]


def _recall_latency(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    look: dict[str, Any] = {"target": one.target_recall, "chosen": one.chosen, "axes": every}
    for kind, part in frame.groupby("query_kind"):
        title = _KIND_TITLES.get(str(kind), str(kind))
        yield title, charts.recall_latency_chart(part, one.k, **look)


def _recall_parameter(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    for name, part in frame.groupby("series", sort=False):
        same_parameter = every[every["parameter"] == part["parameter"].iloc[0]]
        yield str(name), charts.sweep_chart(part, one.k, axes=same_parameter)


def _filters(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    for name, part in frame.groupby("series", sort=False):
        title = f"{name}, {part['searched'].iloc[0]}".removesuffix(", –")
        yield title, charts.filter_recall_chart(part, one.k, target=one.target_recall, axes=every)
        yield title, charts.filter_latency_chart(part, axes=every)


def _latency_nq(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    for name, part in frame.groupby("series", sort=False):
        yield str(name), charts.nq_chart(part, one.settings.get(str(name)), axes=every)


def _throughput(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    yield Message("Queries a second"), charts.concurrency_chart(frame, axes=every)
    yield Message("Latency"), charts.concurrency_latency_chart(frame, axes=every)


def _build_and_size(one: Subject, frame: pd.DataFrame, every: pd.DataFrame) -> Drawn:
    built = frame[frame["error"] == ""]
    timed = built.dropna(subset=["build_s"])
    if not timed.empty:
        yield Message("Time to build"), charts.build_chart(timed, axes=every)
    sized = built.dropna(subset=["memory_bytes", "index_bytes"], how="all")
    if not sized.empty:
        yield Message("Memory and disk"), charts.size_chart(sized, axes=every)


def _panels(
    subjects: Sequence[Subject],
    make: Callable[[Sequence[IndexRun]], pd.DataFrame],
    draw: Callable[[Subject, pd.DataFrame, pd.DataFrame], Drawn],
    *,
    at_settings: bool = False,
) -> tuple[Panel, ...]:
    """Return each comparison's charts by their titles; all frames together give them their axes."""
    found = [make(one.comparison.runs) for one in subjects]
    if at_settings:
        found = [
            frames.at_settings(frame, one.settings)
            for frame, one in zip(found, subjects, strict=True)
        ]
    if all(frame.empty for frame in found):
        return ()
    every = pd.concat([frame for frame in found if not frame.empty])
    panels = []
    for place, (one, frame) in enumerate(zip(subjects, found, strict=True)):
        if not frame.empty:
            for title, drawn in groupby(draw(one, frame, every), key=itemgetter(0)):
                panels.append(Panel(place, title, tuple(chart for _, chart in drawn)))
    return tuple(panels)


def standings(runs: Sequence[IndexRun], target_recall: float = 0.95) -> list[Standing]:
    """Return where each index stands: those that meet the target by latency, then by recall."""
    names = frames.series_names(runs)
    groups: dict[str, list[IndexRun]] = defaultdict(list)
    for run in runs:
        groups[names[run.index_type, frames.params_text(run.build_params)]].append(run)
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
