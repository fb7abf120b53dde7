"""Making another index the library's: as a kept comparison advises, with what that costs, or by
hand, with only the parameters that the chosen type has.

The data directory has a folder for each job that measured a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

import streamlit as st

from dashboard import resources
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import _, said
from dashboard.index.jobs import ask_for_index
from search_core.errors import IndexParameterError
from search_core.indexes import (
    INDEX_SPECS,
    IndexSpec,
    Parameter,
    SearchParams,
    make_index_spec,
    parameters_of,
)
from search_core.indexes.milvus_version import ServerInfo
from search_core.lab.plan import search_params_of, spec_of
from search_core.lab.recommendation import Recommendation, recommend, setting_text
from search_core.lab.records import FIRST_FILE, Comparison, IndexRun, RunContext, read_jsonl
from search_core.lab.report.frames import runs_frame
from search_core.lab.report.sections import standings
from search_core.lab.report.tables import number, share, size
from search_core.store.library import LibraryInfo

_FEW_ROWS = 5_000
_FLOAT_BYTES = 4
_RUNS = "runs.jsonl"
_REPORT = "report.html"
_READ_AT_ONCE = 64


def setting_words(run: IndexRun) -> str:
    """Return an index and its setting as people say it: ``HNSW (M 16) with ef 64``."""
    index, searched, setting = setting_text(run).partition(" with ")
    return _("{index} with {searched}").format(index=index, searched=setting) if searched else index


def recommendation_words(advice: Recommendation) -> str:
    """Return which setting to use, how fast it is, and with what margin."""
    words = said(advice.sentence)
    for setting in (advice.chosen, *advice.ties):
        words = words.replace(setting_text(setting.run), setting_words(setting.run))
    return words


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting that can be applied: how it was measured, and what building it took.

    ``recall`` is the least it found, with every kind of query and every filter.
    """

    run: IndexRun
    build: IndexRun
    recall: float
    advised: bool

    @property
    def label(self) -> str:
        """What it is, finds and takes, in a line."""
        star = "★ " if self.advised else ""
        return star + _("{setting} · recall {recall} · {time} ms").format(
            setting=setting_words(self.run),
            recall=share(self.recall),
            time=number(self.run.p50_ms),
        )

    def is_in_use(self, info: LibraryInfo) -> bool:
        """Whether the library has this index and searches it so."""
        same = info.search_params(None, self.run.k) == dict(self.run.search_params)
        return same and info.index == spec_of(self.run)


def choices(kept: KeptComparison) -> list[Choice]:
    """Return the advised setting, and every other index at the setting one would use it with."""
    runs, target = kept.comparison.runs, kept.context.target_recall
    advice = kept.advice
    found = [_advised(kept, advice)] if advice is not None else []
    for one in standings(runs, target):
        alike = any(
            (one.run.index_type, one.run.build_params, one.run.search_params)
            == (other.run.index_type, other.run.build_params, other.run.search_params)
            for other in found
        )
        if INDEX_SPECS[one.run.index_type].vector_kind == "float" and not alike:
            recall = one.hardest.ann_recall_at_k or 0.0
            found.append(Choice(one.run, one.build, recall, advised=False))
    return found


def cost_text(choice: Choice, dim: int, rows: int) -> str:
    """Return what it costs to build a choice over ``rows`` vectors, in words.

    Seconds and bytes are those measured, in proportion where the library has more vectors now.
    """
    measured, build = max(1, choice.run.rows), choice.build
    scale = rows / measured
    alike = 0.99 <= scale <= 1.01
    parts = []
    if build.build_s is not None:
        took, now = number(build.build_s), number(build.build_s * scale)
        text = _("building took {seconds} s")
        if not alike:
            text = _(
                "building takes about {now} s, extrapolated from {seconds} s measured over "
                "{vectors}"
            )
        parts.append(text.format(seconds=took, now=now, vectors=counted(measured, "vector")))
    if build.memory_bytes is not None:
        exact = alike and build.memory_from == "measured"
        text = _("loaded it holds {size}") if exact else _("loaded it holds about {size}")
        parts.append(text.format(size=size(round(build.memory_bytes * scale))))
    text = _(
        "all vectors are copied first, and until it takes over, they are held twice ({size} more)"
    )
    parts.append(text.format(size=size(rows * dim * _FLOAT_BYTES)))
    costs = _("; ").join(parts)
    return _("{costs}. Searches and ingest go on, and it takes over in one step.").format(
        costs=f"{costs[0].upper()}{costs[1:]}"
    )


def show_advice(info: LibraryInfo, rows: int, kept: KeptComparison) -> None:
    """Draw the advice in its sentence, the settings to apply, and what the chosen one costs."""
    advice = kept.advice
    if advice is None:
        st.warning(_("None of them could be measured, so none can be recommended."))
        return
    meets = advice.chosen.meets
    icon = ":material/star:" if meets else ":material/info:"
    draw = st.success if meets else st.warning
    draw(plain(recommendation_words(advice)), icon=icon)
    if rows < _FEW_ROWS:
        few = _("{vectors}: so few that any index will do.")
        st.caption(few.format(vectors=counted(rows, "vector")))
    found = choices(kept)
    place = st.selectbox(
        _("Use"),
        range(len(found)),
        format_func=lambda place: found[place].label,
        key=f"use-{kept.job_id}-{kept.state}",
    )
    chosen = found[place]
    if chosen.is_in_use(info):
        st.caption(_("The library has this index and setting already."))
        return
    st.caption(plain(cost_text(chosen, info.encoder.dim, rows)))
    if st.button(
        _("Apply {index}").format(index=chosen.run.index_type),
        key=f"apply-{kept.job_id}",
        type="primary",
        icon=":material/published_with_changes:",
    ):
        ask_for_index(info.name, spec_of(chosen.run), search_params_of(chosen.run))


def _advised(kept: KeptComparison, advice: Recommendation) -> Choice:
    run = advice.chosen.run
    build = next(
        (
            one
            for one in kept.comparison.runs
            if one.kind == "build"
            and (one.index_type, one.build_params) == (run.index_type, run.build_params)
        ),
        run,
    )
    return Choice(run, build, advice.chosen.recall, advised=True)


def pick_index(info: LibraryInfo, rows: int) -> None:
    """Draw the form; its button asks for the index, which is built while the library answers."""
    current = info.index.index_type
    kinds = offered_types(resources.store().server(), info.encoder.dim)
    if current not in kinds:
        kinds.append(current)
    kind = st.selectbox(_("Type"), kinds, index=kinds.index(current), key=f"kind-{info.name}")
    st.caption(_(INDEX_SPECS[kind].explanation))
    start = info.index if kind == current else INDEX_SPECS[kind].sized(rows, info.encoder.dim)
    with st.form(f"index-{info.name}-{kind}", border=False):
        build = {
            name: _value(parameter, getattr(start, name))
            for name, parameter in parameters_of(start)
        }
        search = _search_params(start, info.search)
        pressed = st.form_submit_button(_("Apply"), type="primary", width="stretch")
    builds = _("Builds over {vectors}; searches go on meanwhile.")
    st.caption(builds.format(vectors=counted(rows, "vector")))
    if pressed:
        ask_for_index(info.name, make_index_spec(kind, build), search)


def _search_params(start: IndexSpec, now: SearchParams) -> SearchParams:
    """Return what the form says of the parameter that trades time for recall, if there is one."""
    if start.sweep is None:
        return SearchParams()
    parameter = dict(parameters_of(now))[start.sweep]
    value = getattr(now, start.sweep)
    if value is None:
        value = start.search_params(SearchParams(), 1)[start.sweep]
    return SearchParams(**{start.sweep: int(_value(parameter, value))})


def _value(parameter: Parameter, value: int | str | bool) -> int | str | bool:
    """Draw what sets a parameter, with what more of it does; return what is set."""
    chosen: int | str | bool
    effect = _(parameter.effect)
    if parameter.choices:
        at = parameter.choices.index(str(value))
        chosen = st.selectbox(parameter.name, parameter.choices, index=at)
        about = effect
    elif parameter.high:
        low, high = parameter.low, parameter.high
        chosen = int(st.number_input(parameter.name, low, high, min(max(int(value), low), high)))
        about = _("{unit}, {low} to {high}; more: {effect}").format(
            unit=_(parameter.unit), low=f"{low:,}", high=f"{high:,}", effect=effect
        )
    else:
        chosen = st.checkbox(parameter.name, bool(value))
        about = effect
    st.caption(about)
    return chosen


@dataclass(frozen=True)
class KeptComparison:
    """One comparison and the job that measured it.

    ``is_first``: all there is of it is its first pass.
    """

    job_id: str
    folder: Path
    comparison: Comparison
    is_first: bool = False

    @property
    def context(self) -> RunContext:
        """What its measurements share."""
        return self.comparison.context

    @property
    def measured_ms(self) -> int:
        """When it began, epoch milliseconds."""
        return round(datetime.fromisoformat(self.context.started_at).timestamp() * 1000)

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end: what was cancelled has no report."""
        return self.report_path.is_file()

    @property
    def state(self) -> str:
        """How much of it is measured, in a word: widgets that show it are other ones after that.

        Streamlit goes on showing the old label of a choice whose place stays the same.
        """
        return "first" if self.is_first else "whole" if self.is_whole else "part"

    @property
    def report_path(self) -> Path:
        """Its report, one page of HTML; there only where the comparison came to its end."""
        return self.folder / _REPORT

    @cached_property
    def index_types(self) -> tuple[str, ...]:
        """The index types it has searches of, in the order they were measured."""
        return tuple(dict.fromkeys(run.index_type for run in self.comparison.searches))

    @cached_property
    def advice(self) -> Recommendation | None:
        """The setting to use for the recall that was asked for; None where none gave numbers."""
        return recommend(self.comparison.runs, self.context.target_recall)

    def to_csv(self) -> str:
        """Return all its measurements, a line each."""
        return str(runs_frame([self.comparison]).to_csv(index=False))


def kept_comparisons(folder: Path, library: str) -> list[KeptComparison]:
    """Return the comparisons of a library in ``folder`` that have searches, newest first.

    Where nothing else is measured yet it is the first pass. What cannot be read is left out; the
    disk is asked about each file every time, and a file is read once.
    """
    found: dict[str, KeptComparison] = {}
    for path in (*folder.glob(f"*/{FIRST_FILE}"), *folder.glob(f"*/{_RUNS}")):
        try:
            stat = path.stat()
            kept = _read(path, stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if kept.context.library == library and kept.comparison.searches:
            found[kept.job_id] = kept
    return sorted(found.values(), key=lambda kept: kept.measured_ms, reverse=True)


@lru_cache(maxsize=_READ_AT_ONCE)
def _read(path: Path, _changed_ns: int, _size: int) -> KeptComparison:
    first = path.name == FIRST_FILE
    kept = KeptComparison(path.parent.name, path.parent, read_jsonl(path), first)
    datetime.fromisoformat(kept.context.started_at)  # what is not a time is damage, found here
    return kept


def offered_types(server: ServerInfo, dim: int) -> list[str]:
    """Return the index types for a library's vectors that this Milvus has."""
    found = []
    for name, spec in INDEX_SPECS.items():
        if spec.vector_kind != "float" or spec.refusal(server, surely=True):
            continue
        try:
            spec().require_dim(dim)
        except IndexParameterError:
            continue
        found.append(name)
    return found
