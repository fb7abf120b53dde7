"""The time of day, as rows, ledgers and logs keep it."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the time now: epoch milliseconds in UTC."""
    return time.time_ns() // 1_000_000
