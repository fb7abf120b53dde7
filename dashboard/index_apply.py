"""What a comparison advises, and making it the library's index, with what that costs."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.comparisons import KeptComparison
from dashboard.index_jobs import ask_for_index
from dashboard.wording import counted, plain
from search_core.index_specs import INDEX_SPECS
from search_core.lab.judge import Recommendation, setting_text
from search_core.lab.plan import search_params_of, spec_of
from search_core.lab.records import IndexRun
from search_core.lab.report_tables import number, share, size
from search_core.lab.standings import standings
from search_core.library import LibraryInfo

_FEW_ROWS = 5_000
_FLOAT_BYTES = 4


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
        return (
            f"{star}{setting_text(self.run)} · recall {share(self.recall)} · "
            f"{number(self.run.p50_ms)} ms"
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
        seconds = f"{number(build.build_s * scale)} s"
        parts.append(
            f"building took {seconds}"
            if alike
            else f"building takes some {seconds}, in proportion to the "
            f"{number(build.build_s)} s measured over {counted(measured, 'vector')}"
        )
    if build.memory_bytes is not None:
        about = "" if alike and build.size_from == "measured" else "about "
        parts.append(f"loaded it holds {about}{size(round(build.memory_bytes * scale))}")
    twice = size(rows * dim * _FLOAT_BYTES)
    parts.append(
        f"all vectors are copied first, and until it takes over, they are held twice ({twice} more)"
    )
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}. Searches and ingest go on, and it takes over in one step."


def show_advice(info: LibraryInfo, rows: int, kept: KeptComparison) -> None:
    """Draw the advice in its sentence, the settings to apply, and what the chosen one costs."""
    advice = kept.advice
    if advice is None:
        st.warning("None of them gave numbers, so that none can be advised.")
        return
    meets = advice.chosen.meets
    icon = ":material/star:" if meets else ":material/info:"
    draw = st.success if meets else st.warning
    draw(plain(advice.sentence), icon=icon)
    if rows < _FEW_ROWS:
        st.caption(f"{counted(rows, 'vector')}: so few that any index will do.")
    found = choices(kept)
    place = st.selectbox(
        "Use",
        range(len(found)),
        format_func=lambda place: found[place].label,
        key=f"use-{kept.job_id}",
    )
    chosen = found[place]
    if chosen.is_in_use(info):
        st.caption("The library has this index and setting already.")
        return
    st.caption(plain(cost_text(chosen, info.encoder.dim, rows)))
    name = chosen.run.index_type
    if st.button(
        f"Apply {name}",
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
