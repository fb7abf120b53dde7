"""How long to wait before a camera is tried again: longer each time, and never all at once."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 30.0
#: A connection that lasted this long was a good one: the next wait is a short one again.
STEADY_S = 20.0


class Backoff:
    """Exponential, with jitter: each wait is between half and all of what is due.

    ``draw`` gives numbers from 0 to 1.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._due_s = FIRST_S

    def next_s(self, lasted_s: float = 0.0) -> float:
        """Return how long to wait after a connection that lasted ``lasted_s``."""
        if lasted_s >= STEADY_S:
            self._due_s = FIRST_S
        wait_s = self._due_s * (0.5 + 0.5 * self._draw())
        self._due_s = min(LONGEST_S, self._due_s * 2)
        return wait_s
