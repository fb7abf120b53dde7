"""The worker: performs queued jobs with one warm store and encoder. ``python -m ingest.worker``."""

from __future__ import annotations

import argparse
import fcntl
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ingest.jobs import Jobs
from ingest.outcomes import IngestReport, Progress
from ingest.pipeline import ingest
from ingest.stopping import Stop, StopFlag, stopped_by
from ingest.writer import Store
from search_core.encoders.base import Encoder
from search_core.errors import ServeError, SightlineError
from search_core.settings import Settings, load_settings

LOCK_FILE = "worker.lock"
_IDLE_S = 0.5
_LOOK_EVERY_S = 0.5

_log = logging.getLogger(__name__)


def run_worker(
    settings: Settings,
    *,
    stop: Stop | None = None,
    store: Store | None = None,
    encoder: Encoder | None = None,
    until_idle: bool = False,
) -> None:
    """Perform jobs until ``stop`` is set, or with ``until_idle`` until there are none.

    When it is stopped in the middle of a job, what is done of it stays done, and the job is taken
    up again by the next worker. Raises ServeError when a worker runs on this data directory
    already, and what opening the store or loading the encoder raises.
    """
    stop = stop or StopFlag()
    with _only_worker(settings):
        if encoder is None:
            from search_core.encoders.openclip import load_encoder

            encoder = load_encoder(settings)
        if store is None:
            from search_core.endpoint import resolve_endpoint
            from search_core.store import MilvusStore

            with closing(MilvusStore(resolve_endpoint(settings))) as opened:
                _Worker(settings, opened, encoder, stop).work(until_idle)
        else:
            _Worker(settings, store, encoder, stop).work(until_idle)


class _Worker:
    """What performs jobs, one after the other."""

    def __init__(self, settings: Settings, store: Store, encoder: Encoder, stop: Stop) -> None:
        self._settings = settings
        self._store = store
        self._encoder = encoder
        self._stop = stop
        self._jobs = Jobs(settings, self._perform)

    def work(self, until_idle: bool) -> None:
        with closing(self._jobs):
            self._jobs.take_up_again()
            while not self._stop.is_set():
                if self._jobs.run_next():
                    continue
                if until_idle:
                    return
                self._stop.wait(_IDLE_S)

    def _perform(self, job_id: str) -> None:
        request = self._jobs.claim(job_id)
        if request is None:
            return
        watch = _Watch(self._jobs, job_id, self._stop)
        try:
            report = ingest(
                request.paths,
                settings=self._settings,
                store=self._store,
                encoder=self._encoder,
                library=request.library,
                camera=request.camera,
                started_at=request.started,
                keyframes=request.keyframes,
                tags=request.tags,
                on_progress=watch.progress,
                should_stop=watch.should_stop,
            )
        except SightlineError as error:
            self._jobs.finish(job_id, "failed", f"{error.message} {error.hint}".strip())
        except Exception as error:  # a job that fails must not end the worker
            _log.exception("job %s failed", job_id)
            self._jobs.finish(job_id, "failed", f"{type(error).__name__}: {error}")
        else:
            watch.flush()
            self._settle(job_id, report)

    def _settle(self, job_id: str, report: IngestReport) -> None:
        if not report.interrupted:
            self._jobs.finish(job_id, "done", _summary(report), report)
        elif self._jobs.is_cancelled(job_id):
            message = f"cancelled; what was done is kept: {_summary(report)}"
            self._jobs.finish(job_id, "cancelled", message, report)
        else:
            self._jobs.finish(job_id, "queued", "interrupted; it goes on at the next start")


class _Watch:
    """Between a running ingest and its row: writes progress and looks for cancelling, not often."""

    def __init__(self, jobs: Jobs, job_id: str, stop: Stop) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._stop = stop
        self._looked_s = self._wrote_s = float("-inf")
        self._latest: Progress | None = None
        self._cancelled = False

    def progress(self, progress: Progress) -> None:
        self._latest = progress
        if time.monotonic() - self._wrote_s >= _LOOK_EVERY_S:
            self.flush()

    def flush(self) -> None:
        if self._latest is not None:
            self._jobs.report_progress(self._job_id, self._latest)
            self._wrote_s = time.monotonic()

    def should_stop(self) -> bool:
        if time.monotonic() - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            self._cancelled = self._jobs.is_cancelled(self._job_id)
        return self._cancelled or self._stop.is_set()


@contextmanager
def _only_worker(settings: Settings) -> Iterator[None]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServeError(f"A worker runs on {settings.data_dir} already.") from None
        yield


def _summary(report: IngestReport) -> str:
    return (
        f"{report.done} done, {report.skipped} skipped, {report.failed} failed, "
        f"{report.keyframes} keyframes"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a worker until SIGTERM or Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ingest.worker", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where Sightline keeps its files")
    parser.add_argument("--model", help="the encoder, if not the one in the settings")
    parser.add_argument("--pretrained", help="its weights, if not those in the settings")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(
            data_dir=given.data_dir, model=given.model, pretrained=given.pretrained
        )
        with stopped_by(signal.SIGTERM, signal.SIGINT) as stop:
            run_worker(settings, stop=stop)
    except SightlineError as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
