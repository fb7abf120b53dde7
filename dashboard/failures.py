"""What could not be ingested, and why, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.wording import counted, local_time
from ingest.ledger import Ledger, LedgerRow

_SHOWN = 1000


def show_failures(library: str) -> None:
    """Draw the counts of the library's sources, and those that failed or were skipped."""
    with Ledger(resources.settings().ledger_path) as ledger:
        counts = ledger.counts(library)
        rows = [
            *ledger.outcomes(library, "failed", _SHOWN),
            *ledger.outcomes(library, "skipped", _SHOWN),
        ]
    st.markdown(
        f"**{counted(counts['done'], 'source')}** done · **{counts['failed']:,}** failed · "
        f"**{counts['skipped']:,}** skipped"
    )
    if not rows:
        st.caption("Everything that was given could be ingested.")
        return
    st.dataframe(
        failure_frame(rows),
        hide_index=True,
        width="stretch",
        column_config={
            "Why": st.column_config.TextColumn(width="large"),
            "File": st.column_config.TextColumn(width="large"),
        },
    )
    failed = [row.uri for row in rows if row.status == "failed"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Try {counted(len(failed), 'file')} again",
            disabled=not failed,
            icon=":material/refresh:",
        ):
            resources.jobs().ingest_again(library, _SHOWN)
            st.toast("Queued. **Add footage** shows how far it is.")
        st.caption("What is skipped is no footage, or shows nothing new.")


def failure_frame(rows: Sequence[LedgerRow]) -> pd.DataFrame:
    """Return one row a source: what became of it, why, which file, and when."""
    return pd.DataFrame(
        {
            "State": [row.status for row in rows],
            "Why": [row.reason for row in rows],
            "File": [row.uri for row in rows],
            "Stage": [row.stage for row in rows],
            "When": [local_time(row.updated_ms) for row in rows],
        }
    )
