"""`sightline worker`: performs queued jobs, beside a serve or on another machine."""

from __future__ import annotations

import signal

import typer

from search_core.system.cancellation import stopped_by
from sightline.cli.options import settings_of
from sightline.cli.terminal import note


def worker(ctx: typer.Context) -> None:
    """Perform queued jobs until Ctrl-C: ingests, index builds, comparisons, re-embedding.

    `sightline serve` runs one worker by itself. More of them, on this machine or on others, share
    a queue on a Redis server that SIGHTLINE_QUEUE names; they need the same Milvus server, the
    footage under the same paths, and thumbnails and uploads in one folder. A job whose worker dies
    is taken up again by another.
    """
    settings = settings_of(ctx)
    from ingest.jobs.worker import run_worker

    with stopped_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as stop:
        note(f"Performing the jobs of {settings.queue_shown}; Ctrl-C stops.")
        run_worker(settings, stop=stop)
    note("Stopped.")
