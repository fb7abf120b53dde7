"""What pages show of the jobs they follow: the state, when, cancelling, and trying again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.i18n.formatting import clock, local_time, plain
from dashboard.i18n.gettext import _, said
from dashboard.query.request import forget_answer
from ingest.jobs.table import Job
from search_core.system.machine import now_ms

_IDLE_MS = 6_000
_COLOURS: dict[str, Any] = {
    "queued": "gray", "running": "blue", "done": "green", "failed": "red", "cancelled": "orange",
}  # fmt: skip


def follow(jobs: Sequence[Job], key: str) -> None:
    """Reload the page when a job begins or ends: what it works on has changed."""
    now_open = {job.id for job in jobs if job.is_open}
    before: set[str] = st.session_state.get(key, now_open)
    st.session_state[key] = now_open
    if before != now_open:
        resources.forget_what_was_read()
        forget_answer()
        st.rerun()


def say_when_stuck(jobs: Sequence[Job]) -> None:
    """Warn where jobs wait and nothing performs them."""
    if is_stuck(jobs, now_ms()):
        st.warning(_("No worker is running, so jobs wait. An administrator can start one."))


def is_stuck(jobs: Sequence[Job], now_ms: int) -> bool:
    """Whether jobs wait and nothing performs them."""
    waiting = [job for job in jobs if job.state == "queued"]
    running = any(job.state == "running" for job in jobs)
    return bool(waiting) and not running and now_ms - waiting[0].created_ms > _IDLE_MS


def draw_head(job: Job, title: str) -> None:
    """Draw a job's line: its state, its title in Markdown, when, and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(said(job.state), color=_COLOURS[job.state])
        st.markdown(title, width="content")
        st.caption(plain(_when(job)), width="content")
        st.space("stretch")
        if job.is_open:
            # The queue as its user may use it when the button is pressed.
            st.button(_("Cancel"), key=f"cancel-{job.id}", on_click=_cancel, args=(job.id,))
        elif job.state != "done":
            st.button(_("Try again"), key=f"retry-{job.id}", on_click=_retry, args=(job.id,))


def _cancel(job_id: str) -> None:
    resources.jobs().cancel(job_id)


def _retry(job_id: str) -> None:
    resources.jobs().retry(job_id)


def _when(job: Job) -> str:
    if job.started_ms is None:
        return _("queued {when}").format(when=local_time(job.created_ms))
    if job.finished_ms is None:
        return _("started {when}").format(when=local_time(job.started_ms))
    return _("{when}, took {time}").format(
        when=local_time(job.finished_ms), time=clock(job.finished_ms - job.started_ms)
    )
