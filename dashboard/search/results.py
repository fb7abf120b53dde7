"""What a search found: how much, when, in which order, and the cards; drawn without the page."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import resources
from dashboard.components.cards import cards_of_moments
from dashboard.components.errors import shown_in_words
from dashboard.components.url_choices import choose_in_address, slide_in_address
from dashboard.i18n.core_translation import said
from dashboard.i18n.formatting import counted, plain, time_range, viewer_zone
from dashboard.i18n.gettext import N_, _
from dashboard.moment.grid import draw_cards
from dashboard.query.request import SearchRequest, embeddings
from dashboard.search import export as search_export
from dashboard.search import filters as filters_panel
from dashboard.search.timeline import Span, show_timeline
from search_core.search.engine import Answer, Hit
from search_core.search.grouping import Moment, fold_alike, fold_moments

BEST, NEWEST, OLDEST = N_("Best"), N_("Newest"), N_("Oldest")
#: Seconds between hits of one camera up to which they are one moment.
_USUAL_GAP = N_("10 s")
GAPS_S = {N_("never"): 0, _USUAL_GAP: 10, N_("30 s"): 30, N_("2 min"): 120, N_("10 min"): 600}
#: Closer embeddings (cosine distance) look the same: twice what ingest calls a near-duplicate.
ALIKE_DISTANCE = 0.02


@st.fragment
@shown_in_words()
def show_results(request: SearchRequest, found: Answer) -> None:
    """Draw what was found; ordering, folding, brushing and turning pages search no more."""
    if found.unknown:
        text = _("These words mean nothing to this encoder: {words}.")
        st.caption(text.format(words=plain(_(", ").join(found.unknown))))
    if found.fits_nothing:
        _say_that_nothing_stands_out(request)
        if not _nearest_too(found):
            return
    _show_hits(request, found, found.hits, f"{hash(request):x}")


def _say_that_nothing_stands_out(request: SearchRequest) -> None:
    text = _(
        "**No good match.** No picture stands out: it may not be there, or be in too many pictures "
        "to tell. Say more of it, such as a colour, or look at the nearest pictures."
    )
    if not request.where.is_empty:
        text += " " + _("Only pictures that pass the filters were looked at.")
    st.info(text, icon=":material/search_off:")


def _nearest_too(found: Answer) -> bool:
    """Offer the hits of which none is a match; return whether they are shown."""
    return st.toggle(
        _("Show the nearest pictures ({count})").format(count=f"{len(found.hits):,}"),
        key="weak",
        bind="query-params",
        help=_(
            "Every search finds the nearest there is. These score no better than much else in "
            "the library does."
        ),
    )


def _show_hits(request: SearchRequest, found: Answer, every: list[Hit], key: str) -> None:
    head = st.container(horizontal=True, vertical_alignment="center", key="results-head")
    when = st.container(key="timeline")
    with when:
        known = sorted(camera.camera for camera in resources.facets(request.library).cameras)
        span = show_timeline(every, known, f"timeline-{key}")
    if span is not None and not any(map(span.holds, every)):
        span = None  # brushed where there is nothing
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
        st.caption(plain(said(found.effort.reason)))
    for read in found.truncated:
        text = _("The encoder reads only the beginning of so long a sentence: “{read} …”")
        st.caption(text.format(read=plain(read)))
    cards = cards_of_moments(moments)
    arranged = f"{key}-{hash((order, gap_s, alike, span)):x}"
    draw_cards(request.library, cards, arranged, searching=True, looked_for=found.embedding)


def _arrangement() -> tuple[str, int, bool]:
    order = choose_in_address(_("Order"), (BEST, NEWEST, OLDEST), key="sort")
    with st.popover(_("Fold"), icon=":material/layers:", help=_("Hits that belong together")):
        within = _("Hits of one camera are one moment within")
        gap = slide_in_address(within, list(GAPS_S), key="fold", usual=_USUAL_GAP)
        alike = st.toggle(
            _("Fold pictures that look the same"),
            key="alike",
            bind="query-params",
            help=_("Near-duplicates, whatever their camera and time."),
        )
    return order, GAPS_S[gap], alike


def _arranged(
    request: SearchRequest, found: Answer, hits: list[Hit], order: str, gap_s: int, alike: bool
) -> list[Moment]:
    moments = fold_moments(hits, gap_s * 1000)
    if alike:
        moments = fold_alike(moments, embeddings(request, found), ALIKE_DISTANCE)
    if order == NEWEST:
        moments = sorted(moments, key=lambda moment: -moment.last_ms)
    elif order == OLDEST:
        moments = sorted(moments, key=lambda moment: moment.first_ms)
    return sorted(moments, key=lambda moment: moment.best.is_less_sure)


def _counts(found: Answer, hits: list[Hit], moments: list[Moment]) -> str:
    total = found.encode_ms + found.milvus_ms
    text = _("**{hits}** in {moments}") if len(moments) < len(hits) else "**{hits}**"
    text = text.format(hits=counted(len(hits), "hit"), moments=counted(len(moments), "moment"))
    split = _("encode {encode} ms, Milvus {milvus} ms").format(
        encode=f"{found.encode_ms:.0f}", milvus=f"{found.milvus_ms:.0f}"
    )
    took = _("{count} ms").format(count=f"{total:.0f}")
    return f"{text} · :gray[{took}] :gray[:small[({split})]]"


def _brushed(span: Span, shown: int, of: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="brushed"):
        text = _("{shown} of {hits}, {time}").format(
            shown=shown, hits=counted(of, "hit"), time=time_range(span.first_ms, span.last_ms)
        )
        st.caption(plain(text), width="content")
        if st.button(
            _("Search only this time"),
            icon=":material/search:",
            type="tertiary",
            help=_("Looks for more hits in it. To show all hits again, double-click the chart."),
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
