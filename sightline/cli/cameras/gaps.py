"""When cameras were not seen and folders not watched, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from search_core.schema.durations import format_duration
from search_core.schema.entity import iso_from_ms
from search_core.system.machine import now_ms
from sightline.cli.terminal import local_time, say, table

if TYPE_CHECKING:
    from ingest.cameras.status_log import Gap


def iso(epoch_ms: int | None) -> str | None:
    """Return a time as ISO 8601 in UTC, None where there is none."""
    return None if epoch_ms is None else iso_from_ms(epoch_ms)


def gap_records(gaps: Iterable[Gap], name: str) -> list[dict[str, str | None]]:
    """Return the gaps of one camera or folder as plain JSON values."""
    return [
        {"from": iso(gap.began_ms), "to": iso(gap.ended_ms), "reason": gap.reason}
        for gap in gaps
        if gap.name == name
    ]


def print_gaps(gaps: Iterable[Gap], last: timedelta, heading: str) -> None:
    """Print gaps, each with its length; ``heading`` is over the names."""
    made = table(heading, "From", "To", "Seconds", "Why", right=("Seconds",), fold=("Why",))
    at_ms = now_ms()
    for gap in gaps:
        made.add_row(
            gap.name,
            local_time(gap.began_ms),
            local_time(gap.ended_ms) if gap.ended_ms else "now",
            f"{((gap.ended_ms or at_ms) - gap.began_ms) / 1000:,.0f}",
            gap.reason,
        )
    say(made if made.row_count else f"No gaps in the last {format_duration(last)}.")
