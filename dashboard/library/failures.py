"""What could not be ingested, and why, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, local_time
from dashboard.i18n.gettext import _
from dashboard.library.uploads import sent_path
from ingest.ledger import Ledger, LedgerRow
from ingest.sources.media_locator import present

_SHOWN = 1000


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
        st.caption(_("Everything that was given could be ingested."))
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
            st.toast(_("Queued. **Add footage** shows how far it is."))
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
