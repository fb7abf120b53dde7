"""Adding footage in the browser: the upload form, and the jobs watched while they run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import PurePath

import streamlit as st

from dashboard import identity, resources
from dashboard.problems import shown_in_words
from dashboard.uploads import save_uploads
from dashboard.wording import clock, counted, local_time, plain
from ingest.jobs import Job
from search_core.facets import Facets
from search_core.library import check_library_name

_SHOWN_JOBS = 20
_SHOWN_FAILURES = 50
_IDLE_MS = 6_000
_WATCHED = "watched_jobs"
_UPLOADS = "upload_round"
_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "orange",
}


def upload_form(library: str | None, facets: Facets) -> None:
    """Draw the form that uploads files and queues their ingest."""
    with st.container(border=True):
        files = st.file_uploader(
            "Photographs, videos, zip archives",
            accept_multiple_files=True,
            help="What a file is is read from its content; what cannot be used is listed with why.",
            key=f"uploads-{st.session_state.get(_UPLOADS, 0)}",
        )
        columns = st.columns(4, vertical_alignment="bottom")
        with columns[0]:
            allowed = identity.current().cameras
            known = [camera.camera for camera in facets.cameras if camera.camera]
            cameras = known if allowed is None else list(allowed)
            camera = st.selectbox(
                "Camera",
                cameras,
                index=None if allowed is None else 0,
                accept_new_options=allowed is None,
                placeholder="uploads",
                help="Which camera all of it is from: choose one, or type a new name.",
                key="upload-camera",
            )
        with columns[1]:
            names = [info.name for info in resources.libraries()]
            first = library or resources.settings().library
            options = [first, *(name for name in names if name != first)]
            into = st.selectbox("Library", options, accept_new_options=True, key="upload-library")
        with columns[2]:
            tags = st.multiselect(
                "Tags",
                list(facets.tags),
                accept_new_options=True,
                placeholder="none",
                key="upload-tags",
            )
        with columns[3]:
            pressed = st.button(
                f"Ingest {counted(len(files), 'file')}" if files else "Ingest",
                type="primary",
                disabled=not files,
                width="stretch",
            )
    if pressed and files:
        name = check_library_name(into or first)
        with st.spinner("Keeping the files …"):
            paths = save_uploads(files, resources.settings().uploads_dir)
        resources.jobs().submit_ingest(
            [str(path) for path in paths], name, camera=camera or "uploads", tags=tags
        )
        st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1
        st.rerun()


def show_jobs() -> None:
    """Draw the latest jobs, anew every second while one is under way."""
    busy = any(job.is_open for job in resources.jobs().list(_SHOWN_JOBS))
    st.fragment(_jobs, run_every=1.0 if busy else 5.0)()


@shown_in_words()
def _jobs() -> None:
    found = resources.jobs().list(_SHOWN_JOBS)
    _follow(found)
    if not found:
        return
    st.markdown("##### Jobs")
    if is_stuck(found, round(time.time() * 1000)):
        st.warning("No worker takes jobs here. `sightline serve` runs one beside the dashboard.")
    for job in found:
        with st.container(border=True, key=f"job-{job.id}"):
            _job(job)


def is_stuck(jobs: Sequence[Job], now_ms: int) -> bool:
    """Whether jobs wait and nothing performs them."""
    waiting = [job for job in jobs if job.state == "queued"]
    running = any(job.state == "running" for job in jobs)
    return bool(waiting) and not running and now_ms - waiting[0].created_ms > _IDLE_MS


def _job(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(job.state, color=_COLOURS[job.state])  # type: ignore[arg-type]
        st.markdown(f"**{plain(job.title)}**", width="content")
        st.caption(plain(_when(job)), width="content")
        st.space("stretch")
        if job.is_open:
            st.button("Cancel", key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
        elif job.state != "done":
            st.button("Try again", key=f"retry-{job.id}", on_click=_retry, args=(job.id,))
    counts = _counts(job) if job.kind == "ingest" else ""
    if job.state == "running":
        st.progress(min(1.0, max(0.0, job.progress)), text=counts or None)
    elif job.state == "done" and counts:
        st.caption(counts)
    if job.message and (job.state != "done" or not counts):
        st.caption(plain(job.message))
    failures = (job.report or {}).get("failures", [])
    if failures:
        with st.expander(f"{counted(len(failures), 'file')} failed"):
            for failure in failures[:_SHOWN_FAILURES]:
                name = PurePath(str(failure["uri"])).name
                st.markdown(f"- **{plain(name)}** {plain(str(failure['reason']))}")


def _cancel(job_id: str) -> None:
    resources.jobs().cancel(job_id)


def _retry(job_id: str) -> None:
    resources.jobs().retry(job_id)


def _follow(jobs: Sequence[Job]) -> None:
    """Draw the whole page anew when a job that was watched is over: the library has changed."""
    now_open = {job.id for job in jobs if job.is_open}
    before: set[str] = st.session_state.get(_WATCHED, set())
    st.session_state[_WATCHED] = now_open
    if before - now_open or now_open - before:
        resources.forget_what_was_read()
        st.rerun()


def _counts(job: Job) -> str:
    counts = job.counts
    text = f"{counts.get('finished', 0):,} of {counted(counts.get('total', 0), 'file')}"
    if counts.get("failed"):
        text += f" · {counts['failed']:,} failed"
    if counts.get("skipped"):
        text += f" · {counts['skipped']:,} skipped"
    return f"{text} · {counted(counts.get('keyframes', 0), 'keyframe')}"


def _when(job: Job) -> str:
    if job.started_ms is None:
        return f"queued {local_time(job.created_ms)}"
    if job.finished_ms is None:
        return f"started {local_time(job.started_ms)}"
    return f"{local_time(job.finished_ms)}, took {clock(job.finished_ms - job.started_ms)}"
