"""The newest pictures of a library, and the days that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dashboard.i18n.formatting import viewer_zone
from search_core.schema.entity import MediaEntity, ms_from_datetime
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.store.library import Store

_FIRST_WINDOW_MS = 60_000
_READ_ROWS = 1000


def newest_entities(
    store: Store, library: str, where: Filter, facets: Facets, count: int
) -> list[MediaEntity]:
    """Return the newest entities that pass a filter, newest first.

    Milvus returns rows in no order, so ever longer times before the last capture are asked for
    until they hold enough. ``facets`` are those of the library.
    """
    first_ms, last_ms = facets.first_ms or 0, facets.last_ms or 0
    if where.before is not None:
        last_ms = min(last_ms, ms_from_datetime(where.before))
    if where.after is not None:
        first_ms = max(first_ms, ms_from_datetime(where.after))
    wanted = min(count, store.count(library, where))
    window_ms = _FIRST_WINDOW_MS
    while True:
        reaches_all = last_ms - window_ms <= max(0, first_ms)
        after = datetime.fromtimestamp(max(0, last_ms - window_ms) / 1000, UTC)
        within = where if reaches_all else replace(where, after=after)
        if reaches_all or store.count(library, within, fresh=False) >= wanted:
            found = store.entities(library, within, limit=_READ_ROWS)
            return sorted(found, key=lambda entity: (-entity.captured_at, entity.id))[:count]
        window_ms *= 4


def day_headings(entities: Sequence[MediaEntity]) -> dict[int, str]:
    """Return the days of entities in order of time, each by the index of its first one."""
    zone = viewer_zone()
    days = [f"{datetime.fromtimestamp(e.captured_at / 1000, zone):%Y-%m-%d}" for e in entities]
    return {
        index: f"**{day}**"
        for index, day in enumerate(days)
        if index == 0 or day != days[index - 1]
    }
