"""The latest jobs, watched while they run, with the outcome of each file of an ingest (from the
ledger while it runs, then from its report); and all that could not be ingested, with why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.components.errors import shown_in_words
from dashboard.components.jobs import draw_head, follow, say_when_stuck
from dashboard.i18n.formatting import counted, local_time, plain
from dashboard.i18n.gettext import _, ngettext, said
from dashboard.library.adding import sent_name, sent_path
from ingest.jobs.table import Job
from ingest.ledger import Ledger, LedgerRow
from ingest.sources.media_locator import present

_SHOWN_JOBS = 20
#: How many files of a running job are read and sent again every second.
_SHOWN_LIVE = 200
_ROW_PX, _MOST_ROWS = 35, 10
_SHOWN = 1000


def show_jobs() -> None:
    """Draw the latest jobs; reload every second while one runs."""
    busy = any(job.is_open for job in resources.jobs().list(_SHOWN_JOBS))
    st.fragment(_jobs, run_every=1.0 if busy else 5.0)()


@shown_in_words()
def _jobs() -> None:
    found = resources.jobs().list(_SHOWN_JOBS)
    follow(found, "watched_jobs")
    if not found:
        return
    st.markdown("##### " + _("Jobs"))
    say_when_stuck(found)
    for number, job in enumerate(found):
        with st.container(border=True, key=f"job-{job.id}"):
            _job(job, newest=number == 0)


def _job(job: Job, *, newest: bool) -> None:
    draw_head(job, f"**{plain(_title(job))}**")
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


def show_results(job: Job, *, newest: bool) -> None:
    """Draw the result of each file of a job on request: tables of all jobs are large."""
    running = job.kind == "ingest" and job.state == "running"
    told = (job.report or {}).get("results", [])
    if not (running or told):
        return
    if not st.toggle(_("Each file"), value=newest, key=f"results-{job.id}"):
        return
    frame = result_frame(job, _so_far(job) if running else told)
    expected = max(job.counts.get("total", 0), len(job.request["paths"])) if running else 0
    rows = min(max(len(frame), expected), _MOST_ROWS)
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        # While files come in the table has the height it will have: nothing below it moves.
        height=_ROW_PX * (rows + 1) + 3,
        column_config={
            _("File"): st.column_config.TextColumn(width="medium"),
            _("Result"): st.column_config.TextColumn(width="small"),
            _("Keyframes"): st.column_config.NumberColumn(format="localized", width="small"),
            _("Why"): st.column_config.TextColumn(width="large"),
        },
    )
    more = job.counts.get("finished", len(frame)) - len(frame)
    if more > 0:
        text = _("{count} more. Those that failed come first.")
        if running and len(frame) < _SHOWN_LIVE:
            text = _("{count} more: in the library already.")
        st.caption(text.format(count=f"{more:,}"))


def result_frame(job: Job, results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a file of an ingest: its outcome, its keyframes, and why."""
    return pd.DataFrame(
        {
            _("File"): [_name(str(result["uri"]), job.request) for result in results],
            _("Result"): [said(str(result["status"])) for result in results],
            _("Keyframes"): [int(result["keyframes"]) for result in results],
            _("Why"): [_why(result, job.request) for result in results],
        }
    )


def sent(path: str) -> str:
    """Return a file's name as it was when it was uploaded, or as it is."""
    return sent_name(PurePath(path), resources.settings().uploads_dir)


def _so_far(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "uri": row.uri,
            "status": row.status,
            "why": row.reason or row.warning,
            "keyframes": row.keyframes,
            "left_out": row.left_out,
        }
        for row in resources.jobs().results_so_far(job, _SHOWN_LIVE)
    ]


def _name(uri: str, request: Mapping[str, Any]) -> str:
    """Return a file's path below what was asked for."""
    for path in map(str, request.get("paths", ())):
        below = uri.removeprefix(path)
        if below != uri and (not below or below.startswith("/") or path.endswith("/")):
            return f"{sent(path)}/{below}".rstrip("/").replace("//", "/")
    return uri


def _why(result: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    if result["why"]:
        why = said(str(result["why"]))
        for path in map(str, request.get("paths", ())):
            why = why.replace(path, sent(path))
        return why
    left_out = int(result["left_out"])
    if not left_out:
        return ""
    return ngettext(
        "{count} frame left out: it shows nothing new",
        "{count} frames left out: they show nothing new",
        left_out,
    ).format(count=f"{left_out:,}")


def show_failures(library: str) -> None:
    """Draw the counts of the library's sources, and those that failed or were skipped."""
    with Ledger(resources.settings().ledger_path) as ledger:
        counts = ledger.counts(library)
        failed = present(resources.settings(), ledger, ledger.outcomes(library, "failed"))
        skipped = present(resources.settings(), ledger, ledger.outcomes(library, "skipped", _SHOWN))
    rows = [*failed[:_SHOWN], *skipped]
    st.markdown(
        _("**{done}** done · **{failed}** failed · **{skipped}** skipped").format(
            done=counted(counts["done"], "source"),
            failed=f"{len(failed):,}",
            skipped=f"{counts['skipped']:,}",
        )
    )
    if not rows:
        st.caption(_("Everything was ingested."))
        return
    st.dataframe(
        failure_frame(rows),
        hide_index=True,
        width="stretch",
        column_config={
            _("Why"): st.column_config.TextColumn(width="large"),
            _("File"): st.column_config.TextColumn(width="large"),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            _("Try {files} again").format(files=counted(min(len(failed), _SHOWN), "file")),
            disabled=not failed,
            icon=":material/refresh:",
        ):
            resources.jobs().ingest_again(library, _SHOWN)
            st.toast(_("Queued. **Add footage** shows the progress."))
        st.caption(_("Skipped files are not media, or show nothing new."))


def failure_frame(rows: Sequence[LedgerRow]) -> pd.DataFrame:
    """Return one row a source: its outcome, why, which file, and when."""
    uploads = resources.settings().uploads_dir
    return pd.DataFrame(
        {
            _("State"): [said(row.status) for row in rows],
            _("Why"): [said(row.reason) for row in rows],
            _("File"): [sent_path(PurePath(row.uri), uploads) for row in rows],
            _("Stage"): [said(row.stage) for row in rows],
            _("When"): [local_time(row.updated_ms) for row in rows],
        }
    )
