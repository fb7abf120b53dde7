"""The first pass of a comparison: an advice soon, while the rest is measured.

A few of the queries are asked, without filters. Of each index its most thorough setting is asked,
and by bisection the fastest that reaches the target; these are timed. What is left open is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from search_core.lab.plan import CompareOptions, PlannedIndex
from search_core.lab.recommendation import setting_text
from search_core.lab.records import IndexRun
from search_core.messages import Message

#: How many queries of each kind are asked, and how many of those are timed, and how often: what
#: is timed more often has the narrower interval, what is asked more the better recall.
QUERIES = 20
TIMED_QUERIES = 6
REPEATS = 4
_NAMED = 3
_T = TypeVar("_T")


def narrow(settings: Sequence[_T], reaches: Callable[[_T], bool]) -> list[_T]:
    """Ask the last of the settings, and others until the first that reaches the target is known.

    ``settings`` are from the fastest to the most thorough. Return those worth timing: all asked
    that reach it, and the last.
    """
    found = [settings[-1]]
    low, high = 0, len(settings) - 1
    if not reaches(settings[high]):
        return found
    while low < high:
        middle = (low + high) // 2
        if reaches(settings[middle]):
            high = middle
            found.append(settings[middle])
        else:
            low = middle + 1
    return found


def most_asked(settings: int) -> int:
    """Return how many of so many settings `narrow` asks at most."""
    return 1 + (settings - 1).bit_length()


def remarks(
    planned: Sequence[PlannedIndex], options: CompareOptions, asked: Sequence[IndexRun]
) -> tuple[str, ...]:
    """Return what a first pass did, and what it leaves open.

    ``asked`` has a run for each setting and kind of query that was asked.
    """
    settings: dict[str, list[IndexRun]] = {}
    for run in asked:
        settings.setdefault(setting_text(run), []).append(run)
    built = {run.index_type for run in asked}
    later = [item.spec.index_type for item in planned if item.spec.index_type not in built]
    close = [
        setting
        for setting, runs in settings.items()  # one kind of query that is missed decides it
        if min(run.recall_low or 0.0 for run in runs) < options.target_recall
        and min(run.recall_high or 0.0 for run in runs) >= options.target_recall
    ]
    said: list[str] = [
        Message(
            "A first pass: {queries} queries of each kind, {asked} of {settings} settings.",
            queries=max((run.queries for run in asked), default=0),
            asked=len(settings),
            settings=sum(len(item.settings) for item in planned),
        )
    ]
    if close:
        more = len(close) - _NAMED
        said.append(
            Message(
                "More queries have to tell whether these reach the target: {settings}{more}.",
                settings="; ".join(close[:_NAMED]),
                more=Message(" and {count} more", count=more) if more > 0 else "",
            )
        )
    if later:
        names = ", ".join(dict.fromkeys(later))
        said.append(Message("Not measured yet: {indexes}.", indexes=names))
    if options.filters:
        labels = ", ".join(case.label for case in options.filters)
        said.append(
            Message("Not measured yet: searches under filters ({filters}).", filters=labels)
        )
    return tuple(said)
