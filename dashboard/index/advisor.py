"""Which index to start with, for a library there is not yet: a form, a sentence, a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import N_, _
from search_core.indexes.advice import (
    DIM_LIMIT,
    LITE_ROWS,
    ROWS_LIMIT,
    Advice,
    advise,
    usable_bytes,
)
from search_core.lab.report.frames import params_text
from search_core.store.library import LibraryInfo

_GIB = 2**30
_ANY = N_("any Milvus server")
_MOST_GIB = 24_576.0


def show_advising(info: LibraryInfo, rows: int) -> None:
    """Draw the form, and what it comes to for what is in it."""
    server = resources.store().server()
    with st.form("advise"):
        first, second, third = st.columns(3)
        wanted = first.number_input(_("Vectors"), 1, ROWS_LIMIT, max(rows, 1_000_000), step=100_000)
        memory = second.number_input(
            _("Memory of the machine, GiB"), 0.5, _MOST_GIB, 16.0, step=1.0,
            help=_("All of it: Milvus fills nine tenths."),
        )  # fmt: skip
        target = third.number_input(
            _("Target recall"), 0.50, 1.00, 0.95, step=0.01, key="advise-for"
        )
        fourth, fifth, last = st.columns(3, vertical_alignment="bottom")
        dim = fourth.number_input(_("Dimensions"), 1, DIM_LIMIT, info.encoder.dim)
        where = fifth.selectbox("Milvus", [str(server), _ANY], format_func=_)
        last.form_submit_button(_("Advise"), type="primary", width="stretch")
    memory_bytes = round(memory * _GIB)
    found = advise(
        int(wanted), int(dim), memory_bytes, float(target), None if where == _ANY else server
    )
    best = found[0]
    if best.verdict == "recommended":
        st.success(plain(advice_sentence(found, int(wanted), memory_bytes, float(target))))
    else:
        st.warning(plain(advice_sentence(found, int(wanted), memory_bytes, float(target))))
    st.dataframe(advice_frame(found), hide_index=True, width="stretch", key="advised")
    if server.embedded and where != _ANY and wanted > LITE_ROWS:
        slowly = _(
            "Milvus Lite searches slowly beyond some {count} vectors, whatever the index; "
            "a Milvus server does not (SIGHTLINE_MILVUS_URI)."
        )
        st.caption(slowly.format(count=f"{LITE_ROWS:,}"))
    st.caption(
        _(
            "Memory and disk are computed by formulas that were checked against measured sizes; "
            "recall was measured on made vectors that lie as CLIP's do. A comparison measures your "
            "own."
        )
    )


def advice_sentence(
    found: Sequence[Advice], rows: int, memory_bytes: int, target_recall: float
) -> str:
    """Return what to start with and why; where nothing does, what comes nearest."""
    best = found[0]
    usable = gib(usable_bytes(memory_bytes))
    if best.verdict == "recommended":
        start = start_text(best)
        text = _(
            "Start with {index}: {why}. For {vectors} it needs {memory} of the {usable} "
            "that can be used."
        )
        if best.recall is not None:
            text = _(
                "Start with {index}: {why}. For {vectors} it needs {memory} of the {usable} "
                "that can be used, and finds some {recall}."
            )
        return text.format(
            index=f"{best.spec.index_type} ({start})" if start else best.spec.index_type,
            why=said(best.why),
            vectors=counted(rows, "vector"),
            memory=gib(best.size.memory_bytes),
            usable=usable,
            recall="" if best.recall is None else f"{best.recall:.0%}",
        )
    text = _("Nothing here fits {usable} that can be used and finds {target}.")
    told = text.format(usable=usable, target=f"{target_recall:.0%}")
    large = [one for one in found if one.verdict == "too large"]
    if not large:
        return told
    least = min(large, key=lambda one: one.size.memory_bytes)
    needs = _("{index} needs the least memory, {memory}.").format(
        index=least.spec.index_type, memory=gib(least.size.memory_bytes)
    )
    return f"{told} {needs}"


def advice_frame(found: Sequence[Advice]) -> pd.DataFrame:
    """Return a row for each index type: what it needs, finds, and starts with."""
    return pd.DataFrame(
        {
            _("Index"): [one.spec.index_type for one in found],
            _("Verdict"): [said(one.verdict) for one in found],
            _("Memory"): [gib(one.size.memory_bytes) for one in found],
            _("Disk"): [gib(one.size.disk_bytes) for one in found],
            _("Recall"): [None if one.recall is None else round(one.recall, 3) for one in found],
            _("Start with"): [start_text(one) or "–" for one in found],
            _("Because"): [said(one.because) for one in found],
        }
    )


def start_text(advice: Advice) -> str:
    """Return the parameters to start with, without the switches that are off."""
    given = {**advice.spec.build_params(), **advice.search.given()}
    on = {name: value for name, value in given.items() if value != "false"}
    return params_text(on) if on else ""


def gib(size_bytes: float) -> str:
    """Return bytes as memory is sold: ``512 MiB``, ``13.3 GiB``."""
    if size_bytes < _GIB:
        return f"{size_bytes / 2**20:,.0f} MiB"
    return f"{size_bytes / _GIB:,.1f} GiB"
