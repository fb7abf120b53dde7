"""Filters that nothing in a library passes, named one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.terminal import warn
from search_core.filters import Filter

if TYPE_CHECKING:
    from search_core.library import Store


def warn_of_unknown(store: Store, library: str, where: Filter) -> bool:
    """Warn of each camera, tag and id of a filter that no keyframe in a library has.

    Return whether there are any.
    """
    unknown = [
        what for what, alone in _conditions(where) if not store.count(library, alone, fresh=False)
    ]
    for what in unknown:
        warn(f"No keyframe in the library {library} {what}.")
    return bool(unknown)


def why_nothing_passes(store: Store, library: str, where: Filter) -> str:
    """Return what to say of a filter that no keyframe passes, with values that are all known."""
    period = Filter(after=where.after, before=where.before)
    if not period.is_empty and not store.count(library, period, fresh=False):
        ends = (("from", where.after), ("before", where.before))
        words = " and ".join(f"{word} {end.isoformat(' ')}" for word, end in ends if end)
        return f"No keyframe in the library {library} was captured {words}."
    return f"No keyframe in the library {library} passes these filters together."


def _conditions(where: Filter) -> Iterator[tuple[str, Filter]]:
    for camera in where.cameras:
        yield f"is of the camera {camera!r}", Filter(cameras=(camera,))
    for tag in where.tags:
        yield f"has the tag {tag!r}", Filter(tags=(tag,))
    for entity_id in where.ids:
        yield f"has the id {entity_id!r}", Filter(ids=(entity_id,))
