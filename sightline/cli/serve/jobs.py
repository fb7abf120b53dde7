"""`sightline jobs`: what was asked of the workers, how far it is, and why it failed; and `sightline
worker`: performs queued jobs, beside a serve or on another machine.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import UsageError
from search_core.system.cancellation import Stop, stopped_by
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.terminal import (
    counted,
    facts,
    local_time,
    note,
    open_workspace,
    print_json,
    say,
    shown_path,
    table,
)

if TYPE_CHECKING:
    from ingest.jobs.client import Jobs
    from ingest.jobs.table import Job

app = typer.Typer(
    name="jobs",
    help="List, cancel and retry what workers do: ingests, index builds, comparisons.",
    no_args_is_help=True,
)
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Which job, as `sightline jobs list` names it.")
]
_SHOWN_FAILURES = 20
_GRACE_S = 20.0


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")
    ] = 20,
    json: JsonOption = False,
) -> None:
    """List the latest jobs, newest first."""
    with _opened(ctx) as jobs:
        found = jobs.list(limit)
    if json:
        print_json([job.to_dict() for job in found])
        return
    if not found:
        say("There are no jobs. The dashboard's uploads are jobs, and what is given --job.")
        return
    made = table(
        "Id", "Kind", "What", "State", "Done", "Asked for", "Message",
        right=("Done",), fold=("What", "Message"),
    )  # fmt: skip
    for job in found:
        asked = local_time(job.created_ms)
        made.add_row(
            job.id, job.kind, job.title, job.state, f"{job.progress:.0%}", asked, job.message
        )
    say(made)


@app.command("show")
def show(ctx: typer.Context, job_id: IdArgument, json: JsonOption = False) -> None:
    """Show one job: what was asked, how far it is, and what came of it."""
    with _opened(ctx) as jobs:
        job = _found(jobs, job_id)
    if json:
        print_json(job.to_dict())
        return
    times = {"Asked for": job.created_ms, "Started": job.started_ms, "Ended": job.finished_ms}
    say(
        facts(
            [
                ("Job", f"{job.id}, {job.kind}"),
                ("What", job.title),
                ("State", f"{job.state}, {job.progress:.0%}"),
                *((name, local_time(moment)) for name, moment in times.items() if moment),
                ("Message", job.message or "–"),
            ]
        )
    )
    failures = (job.report or {}).get("failures", [])
    for failure in failures[:_SHOWN_FAILURES]:
        say(f"✗ {shown_path(failure['uri'])} {failure['reason']}")
    if len(failures) > _SHOWN_FAILURES:
        say(f"… and {counted(len(failures) - _SHOWN_FAILURES, 'more failure')}; --json has them.")


@app.command("cancel")
def cancel(ctx: typer.Context, job_id: IdArgument) -> None:
    """Cancel a job; one that is running stops soon, and keeps what it did."""
    with _opened(ctx) as jobs:
        job = _found(jobs, job_id)
        if not jobs.cancel(job_id):
            raise UsageError(f"The job {job_id} is {job.state}: there is nothing to cancel.")
    note(f"{'Stopping' if job.state == 'running' else 'Cancelled'} {job.title}.")


@app.command("retry")
def retry(ctx: typer.Context, job_id: IdArgument) -> None:
    """Queue a job again that failed or was cancelled; what it did already is not done twice."""
    with _opened(ctx) as jobs:
        job = _found(jobs, job_id)
        if not jobs.retry(job_id):
            raise UsageError(
                f"The job {job_id} is {job.state}.", "Jobs that failed or were cancelled can be."
            )
    note(f"Queued {job.title} again.")


def _opened(ctx: typer.Context) -> closing[Jobs]:
    settings = settings_of(ctx)
    from ingest.jobs.client import Jobs

    return closing(Jobs(settings))


def _found(jobs: Jobs, job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        raise UsageError(f"There is no job {job_id}.", "`sightline jobs list` names them.")
    return job


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
                settings,
                store=store,
                encoder=encoder,
                load_encoder=workspace.encoder,
                encoder_of=lambda library: workspace.encoder(library=library),
                stop=stop,
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
