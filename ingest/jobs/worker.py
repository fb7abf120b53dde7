"""The worker: performs queued jobs with one warm store and encoder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ingest.jobs.claims import BELIEVED_MS, Claim, Claims
from ingest.jobs.control import Watch, beating
from ingest.jobs.job import JobState
from ingest.jobs.performer import LoadEncoder, Performer, other_encoders_refused
from ingest.jobs.requests import request_of
from search_core.encoders.base import Encoder
from search_core.errors import DiskFull, QueueUnavailable, ServeError, SightlineError, in_words
from search_core.messages import Message, joined
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.cancellation import Interrupted, Stop, StopFlag
from search_core.system.locks import file_lock

LOCK_FILE = "worker.lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """How often a worker looks for jobs, for cancelling, and says that it lives, in seconds.

    ``believed_ms`` is how long a worker that is not heard of is taken to live.
    """

    idle_s: float = 0.5
    look_s: float = 0.5
    beat_s: float = 10.0
    believed_ms: int = BELIEVED_MS


def run_worker(
    settings: Settings,
    *,
    store: Store,
    encoder: Encoder,
    load_encoder: LoadEncoder = other_encoders_refused,
    stop: Stop | None = None,
    until_idle: bool = False,
    timing: Timing | None = None,
) -> None:
    """Perform jobs until ``stop`` is set, or with ``until_idle`` until there are none.

    When it is stopped in the middle of a job, what is done of it stays done, and the job is taken
    up again by the next worker. Raises ServeError when a worker runs on this data directory
    already (workers that share a queue may), and QueueUnavailable when the queue cannot be reached
    at the start.
    """
    stop, timing = stop or StopFlag(), timing or Timing()
    with _only_worker(settings), closing(Claims(settings, timing.believed_ms)) as claims:
        performer = Performer(settings, store, encoder, load_encoder)
        _Worker(claims, performer, stop, timing).work(until_idle)


class _Worker:
    """What performs jobs, one after the other."""

    def __init__(self, claims: Claims, performer: Performer, stop: Stop, timing: Timing) -> None:
        self._claims = claims
        self._performer = performer
        self._stop = stop
        self._timing = timing

    def work(self, until_idle: bool) -> None:
        while not self._stop.is_set():
            claim = self._next()
            if claim is not None:
                with beating(claim, self._timing.beat_s):
                    self._perform(claim)
            elif until_idle:
                return
            else:
                self._stop.wait(self._timing.idle_s)

    def _next(self) -> Claim | None:
        try:
            return self._claims.next()
        except (QueueUnavailable, DiskFull) as error:  # a server that restarts is waited for
            _log.warning("%s %s", error.message, error.hint)
            return None

    def _perform(self, claim: Claim) -> None:
        job = claim.job
        watch = Watch(claim, self._stop, self._timing.look_s)
        state: JobState
        report: dict[str, Any] | None = None
        try:
            done = self._performer.perform(job.id, request_of(job), watch)
            state, message, report = "done", done.message, done.report
        except Interrupted as cut:
            if not watch.is_cancelled():
                self._settle(
                    partial(claim.give_back, Message("interrupted; it goes on at the next start"))
                )
                return
            state, message, report = "cancelled", cut.message, cut.report
        except SightlineError as error:
            state, message = "failed", joined(error.message, error.hint, separator=" ")
        except Exception as error:  # a job that fails must not end the worker
            _log.exception("job %s failed", job.id)
            state = "failed"
            message = Message(
                "Failed unexpectedly: {reason}. The worker's log says more.", reason=in_words(error)
            )
        self._settle(partial(claim.finish, state, message, report, watch.counts))

    def _settle(self, write: Callable[[], None]) -> None:
        """Write how a job ended, as soon as the queue can be reached and has room for it.

        Asked to stop before, it leaves the job to who finds that nobody is heard of there.
        """
        while True:
            try:
                write()
                return
            except (QueueUnavailable, DiskFull) as error:
                _log.warning("%s %s", error.message, error.hint)
                if self._stop.wait(self._timing.idle_s):
                    return


@contextmanager
def _only_worker(settings: Settings) -> Iterator[None]:
    """Hold a data directory whose queue is its own; many workers may share one on Redis."""
    if settings.queue is not None:
        yield
        return
    busy = ServeError(
        "A worker runs on {data_dir} already.",
        "`sightline serve` runs one. Several can share a queue on Redis: SIGHTLINE_QUEUE.",
        data_dir=settings.data_dir,
    )
    with file_lock(settings.data_dir / LOCK_FILE, busy=busy):
        yield
