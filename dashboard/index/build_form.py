"""The form that rebuilds a library's index: only the parameters the chosen type has."""

from __future__ import annotations

import math

import streamlit as st

from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import N_, _
from dashboard.index.jobs import ask_for_index
from search_core.indexes import (
    EF_CONSTRUCTION_RANGE,
    EF_RANGE,
    M_RANGE,
    NLIST_RANGE,
    Hnsw,
    SearchParams,
    make_index_spec,
)
from search_core.store.library import LibraryInfo

_ABOUT = {
    "FLAT": N_("Compares every vector: exact, and slower in proportion to the library."),
    "IVF_FLAT": N_("Sorts vectors into clusters and searches the nearest ones."),
    "IVF_SQ8": N_(
        "As IVF_FLAT with a byte a dimension: a quarter of the memory, a little less found."
    ),
    "HNSW": N_("Walks a graph of neighbours: fastest at high recall, and the most memory."),
}


def pick_index(info: LibraryInfo, rows: int) -> None:
    """Draw the form; its button asks for the index, which is built while the library answers."""
    current = info.index.index_type
    kinds = list(_ABOUT)
    at = kinds.index(current) if current in kinds else 0
    kind = st.selectbox(_("Type"), kinds, index=at, key=f"kind-{info.name}")
    st.caption(_(_ABOUT[kind]))
    with st.form(f"index-{info.name}-{kind}", border=False):
        build = _build_options(info, kind, rows)
        search = _search_options(info, kind, build)
        pressed = st.form_submit_button(_("Apply"), type="primary", width="stretch")
    builds = _("Builds over {vectors}; searches go on meanwhile.")
    st.caption(builds.format(vectors=counted(rows, "vector")))
    if pressed:
        ask_for_index(info.name, make_index_spec(kind, build), search)


def _build_options(info: LibraryInfo, kind: str, rows: int) -> dict[str, int | None]:
    same = info.index.index_type == kind
    if kind.startswith("IVF"):
        usual = max(1, min(round(4 * math.sqrt(max(1, rows))), max(1, rows // 39), NLIST_RANGE[1]))
        now = info.index.build_params()["nlist"] if same else usual
        about = _("Clusters; about 4 × √vectors is usual.")
        return {"nlist": _number("nlist", NLIST_RANGE, now, about)}
    if kind == "HNSW":
        spec = info.index if isinstance(info.index, Hnsw) else Hnsw()
        links = _("Links a node keeps; more finds more, is larger.")
        return {
            "m": _number("M", M_RANGE, spec.m, links),
            "ef_construction": _number(
                "efConstruction",
                EF_CONSTRUCTION_RANGE,
                spec.ef_construction,
                _("Candidates while building; more is a better graph and a longer build."),
            ),
        }
    return {}


def _search_options(info: LibraryInfo, kind: str, build: dict[str, int | None]) -> SearchParams:
    if kind.startswith("IVF"):
        usual = max(1, (build["nlist"] or 1) // 8)
        now = info.search.nprobe if info.search.nprobe is not None else usual
        about = _("Clusters each search looks into; more finds more and is slower. At most nlist.")
        return SearchParams(nprobe=_number("nprobe", NLIST_RANGE, now, about))
    if kind == "HNSW":
        about = _("Candidates each search keeps; more finds more and is slower. At least the hits.")
        return SearchParams(ef=_number("ef", EF_RANGE, info.search.ef or 64, about))
    return SearchParams()


def _number(name: str, limits: tuple[int, int], value: int, about: str) -> int:
    low, high = limits
    chosen = st.number_input(name, low, high, min(max(value, low), high), step=1)
    st.caption(about)
    return int(chosen)
