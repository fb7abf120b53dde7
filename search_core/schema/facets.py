"""What a library is made of: its cameras with counts and times, its tags, its media types."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Every zone's hours and days begin with one.
QUARTER_HOUR_MS = 15 * 60 * 1000
#: The fields of an entity that facets are counted from.
FACET_FIELDS = ("camera", "captured_at", "tags", "media_type", "source_id")


@dataclass(frozen=True, slots=True)
class CameraFacet:
    """One camera's share: how many entities, and when the first and the last were captured.

    ``first_ms`` and ``last_ms`` are milliseconds since the epoch in UTC. ``quarter_hours`` are
    counts by the quarter of an hour of the capture, named by its start in the same.
    """

    camera: str
    count: int
    first_ms: int
    last_ms: int
    quarter_hours: Mapping[int, int] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts over entities: by camera (in name order), by tag, by media type; and their sources."""

    count: int = 0
    cameras: tuple[CameraFacet, ...] = ()
    tags: Mapping[str, int] = field(default_factory=dict)
    media_types: Mapping[str, int] = field(default_factory=dict)
    source_ids: frozenset[str] = frozenset()

    @property
    def first_ms(self) -> int | None:
        """When the earliest entity was captured; None when there is none."""
        return min((camera.first_ms for camera in self.cameras), default=None)

    @property
    def last_ms(self) -> int | None:
        """When the latest entity was captured; None when there is none."""
        return max((camera.last_ms for camera in self.cameras), default=None)


def count_facets(rows: Iterable[Mapping[str, Any]]) -> Facets:
    """Count rows that hold FACET_FIELDS."""
    times: dict[str, tuple[int, int, int]] = {}
    quarters: defaultdict[str, Counter[int]] = defaultdict(Counter)
    tags: Counter[str] = Counter()
    media_types: Counter[str] = Counter()
    sources: set[str] = set()
    for row in rows:
        moment = int(row["captured_at"])
        count, first, last = times.get(row["camera"], (0, moment, moment))
        times[row["camera"]] = (count + 1, min(first, moment), max(last, moment))
        quarters[row["camera"]][moment - moment % QUARTER_HOUR_MS] += 1
        tags.update(str(tag) for tag in row["tags"] or ())
        media_types[row["media_type"]] += 1
        sources.add(row["source_id"])
    return Facets(
        count=sum(count for count, _, _ in times.values()),
        cameras=tuple(CameraFacet(name, *times[name], quarters[name]) for name in sorted(times)),
        tags=dict(sorted(tags.items())),
        media_types=dict(sorted(media_types.items())),
        source_ids=frozenset(sources),
    )
