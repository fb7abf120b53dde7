"""The outcome of each file of an ingest: while it runs from the ledger, then from its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.i18n.core_translation import said
from dashboard.i18n.gettext import _, ngettext
from dashboard.library.uploads import sent_name
from ingest.jobs.table import Job

#: How many files of a running job are read and sent again every second.
_SHOWN_LIVE = 200
_ROW_PX, _MOST_ROWS = 35, 10


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
