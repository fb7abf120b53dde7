"""The sections of a report: which charts it has, for one comparison or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from search_core.lab.recommendation import Recommendation
from search_core.lab.records import Comparison
from search_core.lab.report import charts, frames
from search_core.lab.report.standings import Standing, standings
from search_core.messages import Message

_KIND_TITLES = {
    "pictures": Message("Pictures"),
    "sentences": Message("Sentences"),
    "recorded pictures": Message("Recorded pictures"),
    "recorded sentences": Message("Recorded sentences"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A comparison, how its indexes stand, and the setting (series, search) to ring in charts."""

    comparison: Comparison
    standings: Sequence[Standing]
    target_recall: float
    chosen: tuple[str, str] | None = None

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
    made = (
        _recall_latency(subjects),
        _recall_parameter(subjects),
        _filters(subjects),
        _latency_nq(subjects),
        _throughput(subjects),
        _build_and_size(subjects),
    )
    return [section for section in made if section.panels]


def _recall_latency(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.recall_latency_frame)
    panels = [
        Panel(
            place,
            _KIND_TITLES.get(str(kind), str(kind)),
            (
                charts.recall_latency_chart(
                    part,
                    subject.comparison.context.k,
                    target=subject.target_recall,
                    chosen=subject.chosen,
                    axes=every,
                ),
            ),
        )
        for place, subject, frame in found
        for kind, part in frame.groupby("query_kind")
    ]
    return Section(
        "recall-latency",
        Message("Recall against latency"),
        Message(
            "Up and to the left is better. Filled points on the broad line are the Pareto front: "
            "nothing measured is both faster and finds as much; hollow ones are not on it. Thin "
            "rules are 95 % intervals{ring}",
            ring=Message("; the ring is the advice.")
            if any(one.chosen for one in subjects)
            else ".",
        ),
        tuple(panels),
        wide=True,
    )


def _recall_parameter(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.sweep_frame)
    panels = [
        Panel(place, name, (charts.sweep_chart(part, subject.comparison.context.k, axes=alike),))
        for place, subject, frame in found
        for name, part, alike in _by_series(frame, every)
    ]
    return Section(
        "recall-parameter",
        Message("Recall against the search parameter"),
        Message(
            "What nprobe, ef and their like buy, without a filter. Thin rules are 95 % intervals."
        ),
        tuple(panels),
    )


def _filters(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.filter_frame, at_settings=True)
    panels = []
    for place, subject, frame in found:
        k, target = subject.comparison.context.k, subject.target_recall
        for name, part, _ in _by_series(frame, every):
            title = f"{name}, {part['searched'].iloc[0]}".removesuffix(", –")
            recall = charts.filter_recall_chart(part, k, target=target, axes=every)
            latency = charts.filter_latency_chart(part, axes=every)
            panels.append(Panel(place, title, (recall, latency)))
    return Section(
        "filters",
        Message("Under filters"),
        Message(
            "What is found, and in what time, the fewer rows a filter leaves; each index at its "
            "setting in the table. Filter-aware search looks into more of the index, or searches "
            "exactly what the filter leaves."
        ),
        tuple(panels),
    )


def _latency_nq(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.nq_frame)
    panels = [
        Panel(place, name, (charts.nq_chart(part, subject.settings.get(name), axes=every),))
        for place, subject, frame in found
        for name, part, _ in _by_series(frame, every)
    ]
    return Section(
        "latency-nq",
        Message("Latency against queries in a request"),
        Message(
            "Many queries sent in one request take less time each. Of each index the "
            "lowest and the highest setting are drawn, and its setting in the table."
        ),
        tuple(panels),
    )


def _throughput(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.concurrency_frame, at_settings=True)
    panels = []
    for place, _, frame in found:
        qps = charts.concurrency_chart(frame, axes=every)
        latency = charts.concurrency_latency_chart(frame, axes=every)
        panels += [
            Panel(place, Message("Queries a second"), (qps,)),
            Panel(place, Message("Latency"), (latency,)),
        ]
    return Section(
        "qps-concurrency",
        Message("Many clients at once"),
        Message(
            "One query a request; clients are threads of one process. Each index is at its "
            "setting in the table."
        ),
        tuple(panels),
        wide=True,
    )


def _build_and_size(subjects: Sequence[Subject]) -> Section:
    found, every = _framed(subjects, frames.build_frame)
    panels = []
    for place, _, frame in found:
        built = frame[frame["error"] == ""]
        timed = built.dropna(subset=["build_s"])
        if not timed.empty:
            panels.append(
                Panel(place, Message("Time to build"), (charts.build_chart(timed, axes=every),))
            )
        sized = built.dropna(subset=["memory_bytes", "index_bytes"], how="all")
        if not sized.empty:
            panels.append(
                Panel(place, Message("Memory and disk"), (charts.size_chart(sized, axes=every),))
            )
    return Section(
        "build-size",
        Message("Building, loading and keeping"),
        Message(
            "Seconds to build the index and to load it; what it takes in memory and on disk. "
            "Outlined bars with ≈ are estimates by formula, others are measured."
        ),
        tuple(panels),
        wide=True,
    )


def _framed(
    subjects: Sequence[Subject],
    make: Callable[[Sequence[Any]], pd.DataFrame],
    *,
    at_settings: bool = False,
) -> tuple[list[tuple[int, Subject, pd.DataFrame]], pd.DataFrame]:
    """Return each comparison's frame where it has rows, and all of them together for the axes."""
    found = []
    for place, subject in enumerate(subjects):
        frame = make(subject.comparison.runs)
        if at_settings:
            frame = frames.at_settings(frame, subject.settings)
        if not frame.empty:
            found.append((place, subject, frame))
    every = pd.concat([frame for *_, frame in found]) if found else pd.DataFrame()
    return found, every


def _by_series(
    frame: pd.DataFrame, every: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return each series with its rows, and the rows of all with the same search parameter."""
    for name, part in frame.groupby("series", sort=False):
        alike = every[every["parameter"] == part["parameter"].iloc[0]]
        yield str(name), part, alike
