"""Between a running job and its place in the table: progress goes out, a wish to stop comes in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ingest.jobs.claims import Claim
from search_core.errors import DiskFull, QueueUnavailable
from search_core.system.cancellation import Interrupted, Stop


class Watch:
    """What a running job tells and asks; it looks and writes once in ``look_s`` seconds.

    A queue that cannot be reached for a while does not disturb the job.
    """

    def __init__(self, claim: Claim, stop: Stop, look_s: float) -> None:
        self._claim = claim
        self._stop = stop
        self._look_s = look_s
        self._looked_s = self._wrote_s = float("-inf")
        self._latest: tuple[float, str, dict[str, int]] | None = None
        self._cancelled = False

    def report(self, share: float, message: str, counts: dict[str, int] | None = None) -> None:
        """Tell how far the job is: a share from 0 to 1, in words, and in numbers."""
        self._latest = (share, message, counts or {})
        if time.monotonic() - self._wrote_s >= self._look_s:
            self.flush()

    @property
    def counts(self) -> dict[str, int]:
        """What was told last, in numbers."""
        return self._latest[2] if self._latest else {}

    def flush(self) -> None:
        """Write what was told last."""
        if self._latest is not None:
            with suppress(QueueUnavailable, DiskFull):
                self._claim.report_progress(*self._latest)
            self._wrote_s = time.monotonic()

    def should_stop(self) -> bool:
        """Whether the job was cancelled, its worker is to stop, or another worker has it."""
        if time.monotonic() - self._looked_s >= self._look_s:
            self._looked_s = time.monotonic()
            self.is_cancelled()
        return self._cancelled or self._claim.is_lost or self._stop.is_set()

    def check(self) -> None:
        """Raise Interrupted where the job is not to go on."""
        if self.should_stop():
            raise Interrupted(is_put_off=not self._cancelled)

    def is_cancelled(self) -> bool:
        """Look now whether somebody cancelled the job."""
        with suppress(QueueUnavailable, DiskFull):
            self._cancelled = self._cancelled or self._claim.is_cancelled()
        return self._cancelled


@contextmanager
def beating(claim: Claim, every_s: float) -> Iterator[None]:
    """Say every so many seconds, in a thread, that the job's worker lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every_s):
            with suppress(QueueUnavailable, DiskFull):
                claim.beat()

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
