"""What a comparison advises, and making it the library's index, with what that costs."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import _
from dashboard.index.comparisons import KeptComparison
from dashboard.index.jobs import ask_for_index
from search_core.indexes import INDEX_SPECS
from search_core.lab.plan import search_params_of, spec_of
from search_core.lab.recommendation import Recommendation
from search_core.lab.records import IndexRun
from search_core.lab.report.sections import standings
from search_core.lab.report.tables import number, share, size
from search_core.store.library import LibraryInfo

_FEW_ROWS = 5_000
_FLOAT_BYTES = 4


def setting_words(run: IndexRun) -> str:
    """Return an index and its setting as people say it: ``HNSW (M 16) with ef 64``."""
    built = ", ".join(f"{name} {value}" for name, value in run.build_params.items())
    searched = ", ".join(f"{name} {value}" for name, value in run.search_params.items())
    index = f"{run.index_type} ({built})" if built else run.index_type
    if not searched:
        return index
    return _("{index} with {searched}").format(index=index, searched=searched)


def recommendation_words(advice: Recommendation) -> str:
    """Return which setting to use, how fast it is, and with what margin."""
    chosen = advice.chosen
    run, hardest = chosen.run, chosen.hardest
    found = _("it finds {recall} of the true neighbours in {time} ms (median)")
    if hardest.filter:
        found = _(
            "it finds {recall} of the true neighbours under the filter {filter} in {time} ms "
            "(median)"
        )
    found = found.format(
        recall=f"{chosen.recall:.1%}", filter=hardest.filter, time=f"{run.p50_ms or 0.0:.2g}"
    )
    words = {
        "setting": setting_words(run),
        "found": found,
        "short": f"{-advice.margin:.1%}",
        "points": f"{100 * advice.margin:.1f}",
        "target": f"{advice.target_recall:.1%}",
    }
    if not chosen.meets:
        return _(
            "Nothing measured reaches the target of {target}; {setting} comes nearest: {found}, "
            "{short} short."
        ).format(**words)
    low = hardest.recall_low
    text = _("Use {setting}: {found}, {points} points above the target of {target}.")
    if low is not None and low < advice.target_recall:
        words["low"] = f"{low:.1%}"
        text = _(
            "Use {setting}: {found}, {points} points above the target of {target} "
            "(95 % interval from {low}: more queries would tell)."
        )
    said = text.format(**words)
    return f"{said} {_ties(advice)}" if advice.ties else said


def _ties(advice: Recommendation) -> str:
    names = ", ".join(setting_words(setting.run) for setting in advice.ties[:2])
    more = len(advice.ties) - 2
    text = _("In speed it cannot be told apart from {settings}.")
    if more > 0:
        text = _("In speed it cannot be told apart from {settings} and {more} more.")
    return text.format(settings=names, more=more)


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
                "building takes some {now} s, in proportion to the {seconds} s measured over "
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
        st.warning(_("None of them gave numbers, so that none can be advised."))
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
        key=f"use-{kept.job_id}",
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
