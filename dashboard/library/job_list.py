"""The latest jobs, watched while they run: how far they are, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import streamlit as st

from dashboard import resources
from dashboard.components.errors import shown_in_words
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import clock, counted, local_time, plain
from dashboard.i18n.gettext import _
from dashboard.library.job_results import sent, show_results
from ingest.jobs.table import Job
from search_core.system.machine import now_ms

_SHOWN_JOBS = 20
_IDLE_MS = 6_000
_WATCHED = "watched_jobs"
_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "orange",
}


def show_jobs() -> None:
    """Draw the latest jobs; reload every second while one runs."""
    busy = any(job.is_open for job in resources.jobs().list(_SHOWN_JOBS))
    st.fragment(_jobs, run_every=1.0 if busy else 5.0)()


def is_stuck(jobs: Sequence[Job], now_ms: int) -> bool:
    """Whether jobs wait and nothing performs them."""
    waiting = [job for job in jobs if job.state == "queued"]
    running = any(job.state == "running" for job in jobs)
    return bool(waiting) and not running and now_ms - waiting[0].created_ms > _IDLE_MS


@shown_in_words()
def _jobs() -> None:
    found = resources.jobs().list(_SHOWN_JOBS)
    _follow(found)
    if not found:
        return
    st.markdown("##### " + _("Jobs"))
    if is_stuck(found, now_ms()):
        st.warning(_("No worker takes jobs here. `sightline serve` runs one beside the dashboard."))
    for number, job in enumerate(found):
        with st.container(border=True, key=f"job-{job.id}"):
            _job(job, newest=number == 0)


def _job(job: Job, *, newest: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(said(job.state), color=_COLOURS[job.state])  # type: ignore[arg-type]
        st.markdown(f"**{plain(_title(job))}**", width="content")
        st.caption(plain(_when(job)), width="content")
        st.space("stretch")
        if job.is_open:
            st.button(_("Cancel"), key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
        elif job.state != "done":
            st.button(_("Try again"), key=f"retry-{job.id}", on_click=_retry, args=(job.id,))
    counts = _counts(job) if job.kind == "ingest" else ""
    if job.state == "running":
        st.progress(min(1.0, max(0.0, job.progress)), text=counts or None)
    elif job.state == "done" and counts:
        st.caption(counts)
    if job.state == "running" or (job.message and (job.state != "done" or not counts)):
        # What runs always has its line, for what is below it not to jump.
        st.caption(plain(_doing(job)) or "…")
    show_results(job, newest=newest)


def _title(job: Job) -> str:
    paths = [str(path) for path in job.request.get("paths", ())]
    if not paths:
        return job.title
    first = sent(paths[0])
    if len(paths) == 1:
        return first
    return _("{first} and {count} more").format(first=first, count=f"{len(paths) - 1:,}")


def _doing(job: Job) -> str:
    """Return what a job is at, or how it ended: an uploaded file by the name it had."""
    files = {PurePath(path).name: path for path in map(str, job.request.get("paths", ()))}
    return sent(files[job.message]) if job.message in files else said(job.message)


def _cancel(job_id: str) -> None:
    resources.jobs().cancel(job_id)


def _retry(job_id: str) -> None:
    resources.jobs().retry(job_id)


def _follow(jobs: Sequence[Job]) -> None:
    """Reload the page when a job has ended: the library has changed."""
    now_open = {job.id for job in jobs if job.is_open}
    before: set[str] = st.session_state.get(_WATCHED, set())
    st.session_state[_WATCHED] = now_open
    if before - now_open or now_open - before:
        resources.forget_what_was_read()
        st.rerun()


def _counts(job: Job) -> str:
    counts = job.counts
    of_all = _("{count} of {files}").format(
        count=f"{counts.get('finished', 0):,}", files=counted(counts.get("total", 0), "file")
    )
    parts = [of_all]
    if counts.get("failed"):
        parts.append(_("{count} failed").format(count=f"{counts['failed']:,}"))
    if counts.get("skipped"):
        parts.append(_("{count} skipped").format(count=f"{counts['skipped']:,}"))
    return " · ".join([*parts, counted(counts.get("keyframes", 0), "keyframe")])


def _when(job: Job) -> str:
    if job.started_ms is None:
        return _("queued {when}").format(when=local_time(job.created_ms))
    if job.finished_ms is None:
        return _("started {when}").format(when=local_time(job.started_ms))
    return _("{when}, took {time}").format(
        when=local_time(job.finished_ms), time=clock(job.finished_ms - job.started_ms)
    )
