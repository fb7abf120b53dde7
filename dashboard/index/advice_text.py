"""What a comparison advises, in the language of the page: the lab says the same in English."""

from __future__ import annotations

from dashboard.i18n.gettext import _
from search_core.lab.recommendation import Recommendation
from search_core.lab.records import IndexRun


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
