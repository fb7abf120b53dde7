"""The worker: performs queued jobs with one warm store and encoder. ``sightline worker``."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ingest.jobs import Claim, Claims, request_of
from ingest.jobs.claims import BELIEVED_MS
from ingest.jobs.control import Interrupted, Watch, beating
from ingest.jobs.job import JobState
from ingest.jobs.performer import Performer
from search_core.encoders.base import Encoder
from search_core.errors import DiskFull, QueueUnavailable, ServeError, SightlineError, in_words
from search_core.settings import Settings, load_settings
from search_core.store.library import Store
from search_core.system.cancellation import Stop, StopFlag, stopped_by

LOCK_FILE = "worker.lock"
_GRACE_S = 20.0
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
    stop: Stop | None = None,
    store: Store | None = None,
    encoder: Encoder | None = None,
    until_idle: bool = False,
    timing: Timing | None = None,
) -> None:
    """Perform jobs until ``stop`` is set, or with ``until_idle`` until there are none.

    When it is stopped in the middle of a job, what is done of it stays done, and the job is taken
    up again by the next worker. Raises ServeError when a worker runs on this data directory
    already (workers that share a queue may), QueueUnavailable when the queue cannot be reached at
    the start, and what opening the store or loading the encoder raises.
    """
    stop, timing = stop or StopFlag(), timing or Timing()
    with _only_worker(settings), closing(Claims(settings, timing.believed_ms)) as claims:
        claims.begin()
        if encoder is None:
            from search_core.encoders.openclip import load_encoder

            encoder = load_encoder(settings)
        if store is not None:
            performer = Performer(settings, store, encoder)
            _Worker(claims, performer, stop, timing).work(until_idle)
            return
        from search_core.store.endpoint import resolve_endpoint
        from search_core.store.milvus.store import MilvusStore

        with closing(MilvusStore(resolve_endpoint(settings))) as opened:
            if (found := opened.probe_once()) is not None:
                for finding in found.failed:
                    _log.warning("Milvus: %s does not work: %s", finding.name, finding.found)
            performer = Performer(settings, opened, encoder)
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
                self._settle(partial(claim.give_back, "interrupted; it goes on at the next start"))
                return
            state, message, report = "cancelled", cut.message, cut.report
        except SightlineError as error:
            state, message = "failed", f"{error.message} {error.hint}".strip()
        except Exception as error:  # a job that fails must not end the worker
            _log.exception("job %s failed", job.id)
            reason = in_words(error)
            state, message = "failed", f"Failed unexpectedly: {reason}. The worker's log says more."
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
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServeError(
                f"A worker runs on {settings.data_dir} already.",
                "`sightline serve` runs one. Several can share a queue on Redis: SIGHTLINE_QUEUE.",
            ) from None
        yield


def _end_at_last(stop: Stop) -> None:
    """End the process some time after it was asked to stop, whatever it waits for.

    Where `sightline serve` was killed, its Milvus is gone too, and calls to it may wait long. A job
    that is cut off is taken up again.
    """
    while not stop.is_set():
        time.sleep(0.5)
    time.sleep(_GRACE_S)
    os._exit(1)


def main(arguments: list[str] | None = None) -> int:
    """Run a worker until SIGTERM or Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ingest.jobs.worker", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where Sightline keeps its files")
    parser.add_argument("--model", help="the encoder, if not the one in the settings")
    parser.add_argument("--pretrained", help="its weights, if not those in the settings")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(
            data_dir=given.data_dir, model=given.model, pretrained=given.pretrained
        )
        with stopped_by(signal.SIGTERM, signal.SIGINT) as stop:
            threading.Thread(target=_end_at_last, args=(stop,), daemon=True).start()
            run_worker(settings, stop=stop)
    except SightlineError as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
