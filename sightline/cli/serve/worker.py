"""`sightline worker`: performs queued jobs, beside a serve or on another machine."""

from __future__ import annotations

import os
import signal
import threading
import time

import typer

from search_core.system.cancellation import Stop, stopped_by
from sightline.cli.options import settings_of
from sightline.cli.terminal import note, open_workspace

_GRACE_S = 20.0


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
        threading.Thread(target=_end_at_last, args=(stop,), daemon=True).start()
        with open_workspace(settings) as workspace:
            store = workspace.store(create=True)
            encoder = workspace.encoder()
            note(f"Performing the jobs of {settings.queue_shown}; Ctrl-C stops.")
            run_worker(
                settings, store=store, encoder=encoder, load_encoder=workspace.encoder, stop=stop
            )
    note("Stopped.")


def _end_at_last(stop: Stop) -> None:
    """End the process some time after it was asked to stop, whatever it waits for.

    Where `sightline serve` was killed, its Milvus is gone too, and calls to it may wait long. A job
    that is cut off is taken up again.
    """
    while not stop.is_set():
        time.sleep(0.5)
    time.sleep(_GRACE_S)
    os._exit(1)
