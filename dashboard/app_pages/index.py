"""Index: which index answers now, how others would do on the same vectors, and changing it."""

from __future__ import annotations

import time

import streamlit as st

from dashboard import comparisons, resources
from dashboard.charts import comparison_chart, comparison_frame, params_text
from dashboard.index_form import apply_index, pick_index
from dashboard.library_picker import how_to_begin, pick_library
from dashboard.search_request import forget_answer
from dashboard.wording import counted, local_time
from search_core.lab.comparison import IndexBenchmark
from search_core.lab.judge import recommend
from search_core.lab.options import CompareOptions, Progress
from search_core.lab.plan import search_params_of, spec_of
from search_core.lab.records import IndexRun
from search_core.library import LibraryInfo

_OPTIONS = CompareOptions(queries=50, repeats=4, settings=4)
_FEW_ROWS = 5_000


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    rows = resources.facets(info.name).count
    _current(info, rows)
    left, right = st.columns([5, 2], gap="large")
    with left:
        _comparison(info)
    with right, st.container(border=True):
        pick_index(info, rows)


def _current(info: LibraryInfo, rows: int) -> None:
    params = info.index.build_params()
    search = info.index.search_params(info.search, 1)
    with st.container(horizontal=True, key="current-index", gap="large"):
        st.metric("Index", info.index.index_type, width="content")
        st.metric("Built with", params_text(params), width="content")
        st.metric("Searched with", params_text(search), width="content")
        st.metric("Vectors", f"{rows:,}", width="content")
        st.metric("Dimensions", f"{info.encoder.dim}", width="content")
        st.metric("Metric", info.metric, width="content")


def _comparison(info: LibraryInfo) -> None:
    st.markdown("##### Indexes compared on this library's vectors")
    if st.button("Compare indexes", type="primary", icon=":material/play_arrow:"):
        _measure(info)
    found = comparisons.latest(resources.settings().data_dir, info.name)
    if found is None or not found.runs:
        st.caption(
            "Builds FLAT, IVF_FLAT, IVF_SQ8 and HNSW beside the one that serves, over the same "
            "vectors, and measures how much each finds of what exact search finds, and how fast."
        )
        return
    first = found.runs[0]
    st.caption(
        f"{first.queries:,} queries over "
        f"{counted(first.rows, 'vector')}, measured {local_time(found.measured_ms)}"
    )
    frame = comparison_frame(found.runs)
    st.altair_chart(comparison_chart(frame, first.k), width="stretch")
    _table(info, list(found.runs))


def _measure(info: LibraryInfo) -> None:
    bar = st.progress(0.0, text="Reading vectors")

    def show(progress: Progress) -> None:
        share = progress.done / progress.total if progress.total else 0.0
        bar.progress(min(1.0, share), text=progress.doing.capitalize())

    try:
        measured = IndexBenchmark(resources.store(), info.name, _OPTIONS).run(on_progress=show)
    finally:
        bar.empty()
    data_dir = resources.settings().data_dir
    comparisons.keep(data_dir, info.name, measured.searches, round(time.time() * 1000))


def _table(info: LibraryInfo, runs: list[IndexRun]) -> None:
    advice = recommend(runs)
    best = advice.chosen.run if advice is not None else runs[0]
    chosen = st.dataframe(
        comparison_frame(runs),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [runs.index(best)]}},
        column_config={
            "Recall": st.column_config.ProgressColumn(
                f"Recall@{runs[0].k}", format="%.3f", min_value=0.0, max_value=1.0
            ),
            "p50 ms": st.column_config.NumberColumn(format="%.2f"),
            "p95 ms": st.column_config.NumberColumn(format="%.2f"),
            "Build s": st.column_config.NumberColumn(format="%.2f"),
        },
        key=f"runs-{info.name}",
    )
    rows = chosen["selection"]["rows"]
    measured = runs[0].rows
    run = runs[rows[0]] if rows and rows[0] < len(runs) else best
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(f"Use {run.index_type}, {params_text(run.search_params)}"):
            _use(info, run)
        if measured < _FEW_ROWS:
            st.caption(f"{measured:,} vectors are so few that any index will do.")
        elif run is best and advice is not None:
            st.caption(advice.sentence)


def _use(info: LibraryInfo, run: IndexRun) -> None:
    apply_index(info, spec_of(run), search_params_of(run))
    forget_answer()
