"""Comparisons and index builds as jobs: asked for, watched while they run, cancelled."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import resources
from dashboard.components.errors import shown_in_words
from dashboard.components.jobs import draw_head, follow, say_when_stuck
from dashboard.i18n.formatting import plain
from dashboard.i18n.gettext import N_, _, said
from ingest.jobs.requests import CompareRequest, IndexRequest
from ingest.jobs.table import Job
from search_core.indexes import IndexSpec, SearchParams, index_spec_to_dict
from search_core.lab.plan import CompareOptions
from search_core.lab.records import FIRST_FILE

_KINDS = (CompareRequest.kind, IndexRequest.kind)
_LOOKED_AT = 200
_TITLES = {CompareRequest.kind: N_("Comparing"), IndexRequest.kind: N_("Building")}


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
    follow(jobs, f"open_index_jobs-{library}")
    _follow_first_passes(jobs, f"first_passes-{library}")
    if any(job.is_open for job in jobs):
        say_when_stuck(every)
    for job in worth_showing(jobs):
        with st.container(border=True, key=f"index-job-{job.id}"):
            _draw(job)


def _follow_first_passes(jobs: Sequence[Job], key: str) -> None:
    """Reload the page when a comparison that runs has the advice of its first pass."""
    folder = resources.settings().comparisons_dir
    there = {job.id for job in jobs if job.is_open and (folder / job.id / FIRST_FILE).is_file()}
    before: set[str] = st.session_state.get(key, there)
    st.session_state[key] = there
    if there - before:
        st.rerun()


def worth_showing(jobs: Sequence[Job]) -> list[Job]:
    """Return what is open of jobs, newest first, and the newest of all, however it ended.

    A comparison that is done is not: the page shows what it measured.
    """
    shown = [job for job in jobs if job.is_open or job is jobs[0]]
    return [job for job in shown if (job.kind, job.state) != (CompareRequest.kind, "done")]


def _about(library: str, jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job.kind in _KINDS and job.request.get("library") == library]


def _draw(job: Job) -> None:
    doing = _(_TITLES[job.kind])
    draw_head(job, f"**{doing}** {plain(_title(job))}")
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
