"""Comparisons and index builds as jobs: asked for, watched while they run, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.components.errors import shown_in_words
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import clock, local_time, plain
from dashboard.i18n.gettext import N_, _
from dashboard.library.job_list import is_stuck
from dashboard.query.request import forget_answer
from ingest.jobs.requests import CompareRequest, IndexRequest
from ingest.jobs.table import Job
from search_core.indexes import IndexSpec, SearchParams, index_spec_to_dict
from search_core.lab.options import CompareOptions
from search_core.system.machine import now_ms

_KINDS = (CompareRequest.kind, IndexRequest.kind)
_LOOKED_AT = 200
_OPEN = "open_index_jobs"
_TITLES = {CompareRequest.kind: N_("Comparing"), IndexRequest.kind: N_("Building")}
_COLOURS: dict[str, Any] = {
    "queued": "gray", "running": "blue", "done": "green", "failed": "red", "cancelled": "orange",
}  # fmt: skip


def ask_for_comparison(library: str, options: CompareOptions) -> None:
    """Queue a comparison and reload the page."""
    resources.jobs().submit(CompareRequest(library, options))
    st.rerun()


def ask_for_index(library: str, spec: IndexSpec, search: SearchParams) -> None:
    """Queue the build of an index and reload the page.

    Raises IndexParameterError for parameters that do not go together, before anything is queued.
    """
    spec.search_params(search, 1)
    resources.jobs().submit(IndexRequest(library, index_spec_to_dict(spec), search.given()))
    st.rerun()


def open_jobs(library: str) -> list[Job]:
    """Return what is queued or under way for a library's index."""
    return [job for job in _about(library, resources.jobs().list(_LOOKED_AT)) if job.is_open]


def show_index_jobs(library: str) -> None:
    """Draw the running jobs of a library's index; reload every second while there are any."""
    st.fragment(_watch, run_every=1.0 if open_jobs(library) else 5.0)(library)


@shown_in_words()
def _watch(library: str) -> None:
    every = resources.jobs().list(_LOOKED_AT)
    jobs = _about(library, every)
    _follow(library, jobs)
    if any(job.is_open for job in jobs) and is_stuck(every, now_ms()):
        st.warning(_("No worker takes jobs here. `sightline serve` runs one beside the dashboard."))
    for job in worth_showing(jobs):
        with st.container(border=True, key=f"index-job-{job.id}"):
            _draw(job)


def worth_showing(jobs: Sequence[Job]) -> list[Job]:
    """Return what is open of jobs, newest first, and the newest of all, however it ended.

    A comparison that is done is not: the page shows what it measured.
    """
    shown = [job for job in jobs if job.is_open or job is jobs[0]]
    return [job for job in shown if (job.kind, job.state) != (CompareRequest.kind, "done")]


def _about(library: str, jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job.kind in _KINDS and job.request.get("library") == library]


def _follow(library: str, jobs: Sequence[Job]) -> None:
    """Reload the page when a job begins or ends."""
    key = f"{_OPEN}-{library}"
    now_open = {job.id for job in jobs if job.is_open}
    before: set[str] = st.session_state.get(key, now_open)
    st.session_state[key] = now_open
    if before != now_open:
        resources.forget_what_was_read()
        forget_answer()
        st.rerun()


def _draw(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(said(job.state), color=_COLOURS[job.state])
        doing = _(_TITLES[job.kind])
        st.markdown(f"**{doing}** {plain(_title(job))}", width="content")
        st.caption(_when(job), width="content")
        st.space("stretch")
        if job.is_open:
            st.button(_("Cancel"), key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
        elif job.state != "done":
            st.button(_("Try again"), key=f"retry-{job.id}", on_click=_retry, args=(job.id,))
    if job.state == "running":
        share = min(1.0, max(0.0, job.progress))
        doing = said(job.message) or _("starting")
        if "%" not in doing:
            doing += f", {share:.0%}"
        st.progress(share, text=plain(f"{doing[0].upper()}{doing[1:]}"))
    elif job.message:
        st.caption(plain(said(job.message)))


def _title(job: Job) -> str:
    library, asked = job.request["library"], job.request
    if job.kind == IndexRequest.kind:
        return _("{index} for {library}").format(
            index=asked["index"]["index_type"], library=library
        )
    indexes = ", ".join(asked["options"]["types"]) or _("indexes")
    return _("{indexes} of {library}").format(indexes=indexes, library=library)


def _when(job: Job) -> str:
    if job.finished_ms is not None and job.started_ms is not None:
        return _("{when}, took {time}").format(
            when=local_time(job.finished_ms), time=clock(job.finished_ms - job.started_ms)
        )
    return _("since {when}").format(when=local_time(job.started_ms or job.created_ms))


def _cancel(job_id: str) -> None:
    resources.jobs().cancel(job_id)


def _retry(job_id: str) -> None:
    resources.jobs().retry(job_id)
