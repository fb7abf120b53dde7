"""What a search found: how much, when, in which order, and the cards; drawn without the page."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import filters_panel, search_export
from dashboard.cards import cards_of_moments
from dashboard.problems import shown_in_words
from dashboard.result_grid import draw_cards
from dashboard.search_request import SearchRequest, embeddings
from dashboard.timeline import Span, show_timeline
from dashboard.wording import counted, plain, time_range, viewer_zone
from search_core.moments import Moment, fold_alike, fold_moments
from search_core.search import Answer, Hit

BEST, NEWEST, OLDEST = "Best", "Newest", "Oldest"
#: Seconds between hits of one camera up to which they are one moment.
GAPS_S = {"never": 0, "10 s": 10, "30 s": 30, "2 min": 120, "10 min": 600}
_DEFAULT_GAP = "10 s"
#: Closer embeddings (cosine distance) look the same: twice what ingest calls a near-duplicate.
ALIKE_DISTANCE = 0.02


@st.fragment
@shown_in_words()
def show_results(request: SearchRequest, found: Answer) -> None:
    """Draw what was found; ordering, folding, brushing and turning pages search no more."""
    if found.fits_nothing:
        st.info("**No good match.** Nothing there looks like that.", icon=":material/search_off:")
    body, foot = st.container(), st.container(key="weak-matches")
    with foot:
        weak_too = _weak_too(found)
    hits = [hit for hit in found.hits if weak_too or not hit.is_weak]
    with body:
        if hits:
            _show_hits(request, found, hits, f"{hash(request):x}{'-weak' if weak_too else ''}")


def _weak_too(found: Answer) -> bool:
    """Offer the hits that are no matches; return whether they are shown."""
    weak = sum(hit.is_weak for hit in found.hits)
    if not weak:
        return False
    return st.toggle(
        f"Show what is least unlike it ({weak:,})"
        if found.fits_nothing
        else f"Show {counted(weak, 'weak match')}",
        key="weak",
        bind="query-params",
        help="Every search finds the nearest there is. These score no better than much else in "
        "the library does.",
    )


def _show_hits(request: SearchRequest, found: Answer, every: list[Hit], key: str) -> None:
    head = st.container(horizontal=True, vertical_alignment="center", key="results-head")
    when = st.container(key="timeline")
    with when:
        span = show_timeline(every, f"timeline-{key}")
    hits = [hit for hit in every if span is None or span.holds(hit)]
    with head:
        counts = st.container(width="content")
        st.space("stretch")
        order, gap_s, alike = _arrangement()
        moments = _arranged(request, found, hits, order, gap_s, alike)
        search_export.export_menu(request, [hit for one in moments for hit in one.hits])
    counts.markdown(_counts(found, hits, moments))
    if span is not None:
        with when:
            _brushed(span, len(hits), len(every))
    if found.effort.reason:
        st.caption(plain(found.effort.reason))
    cards = cards_of_moments(moments)
    draw_cards(request.library, cards, key, searching=True, looked_for=found.embedding)


def _arrangement() -> tuple[str, int, bool]:
    order = st.segmented_control(
        "Order",
        (BEST, NEWEST, OLDEST),
        default=BEST,
        required=True,
        key="sort",
        bind="query-params",
        label_visibility="collapsed",
    )
    with st.popover("Fold", icon=":material/layers:", help="Hits that belong together"):
        gap = st.select_slider(
            "Hits of one camera are one moment within",
            list(GAPS_S),
            value=_DEFAULT_GAP,
            key="fold",
            bind="query-params",
        )
        alike = st.toggle(
            "Fold pictures that look the same",
            key="alike",
            bind="query-params",
            help="Near-duplicates, whatever their camera and time.",
        )
    return order or BEST, GAPS_S[str(gap)], alike


def _arranged(
    request: SearchRequest, found: Answer, hits: list[Hit], order: str, gap_s: int, alike: bool
) -> list[Moment]:
    moments = fold_moments(hits, gap_s * 1000)
    if alike:
        moments = fold_alike(moments, embeddings(request, found), ALIKE_DISTANCE)
    if order == NEWEST:
        return sorted(moments, key=lambda moment: -moment.last_ms)
    if order == OLDEST:
        return sorted(moments, key=lambda moment: moment.first_ms)
    return moments


def _counts(found: Answer, hits: list[Hit], moments: list[Moment]) -> str:
    total = found.encode_ms + found.milvus_ms
    text = f"**{counted(len(hits), 'hit')}**"
    if len(moments) < len(hits):
        text += f" in {counted(len(moments), 'moment')}"
    return (
        f"{text} · :gray[{total:.0f} ms]"
        f" :gray[:small[(encode {found.encode_ms:.0f} ms, Milvus {found.milvus_ms:.0f} ms)]]"
    )


def _brushed(span: Span, shown: int, of: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="brushed"):
        st.caption(
            plain(f"{shown} of {of} hits, {time_range(span.first_ms, span.last_ms)}"),
            width="content",
        )
        if st.button(
            "Search only this time",
            icon=":material/search:",
            type="tertiary",
            help="Looks for more hits in it. To show all hits again, double-click the chart.",
            on_click=_search_only,
            args=(span,),
        ):
            st.rerun()


def _search_only(span: Span) -> None:
    zone = viewer_zone()
    first, last = (
        datetime.fromtimestamp(edge / 1000, zone).replace(tzinfo=None, second=0, microsecond=0)
        for edge in (span.first_ms, span.last_ms + 59_999)
    )
    filters_panel.set_times(first, last)
