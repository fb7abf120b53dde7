"""What a search found: how much, in which order, and the cards, drawn without the page; and when,
by camera: a histogram whose brush narrows the results to a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from dashboard import resources
from dashboard.components.cards import cards_of_moments
from dashboard.components.errors import shown_in_words
from dashboard.components.theme import NO_COLOUR, camera_colours
from dashboard.components.url_choices import choose_in_address, slide_in_address
from dashboard.i18n.formatting import counted, plain, time_range, viewer_zone
from dashboard.i18n.gettext import N_, _, said
from dashboard.moment.grid import draw_cards
from dashboard.query.request import SearchRequest, embeddings
from dashboard.search import export as search_export
from dashboard.search.clips import offer_clips
from dashboard.search.filters import set_times
from dashboard.search.times import Span, bulk, offer_outlying
from search_core.search.engine import Answer, Hit
from search_core.search.grouping import Moment, fold_alike, fold_moments

BEST, NEWEST, OLDEST = N_("Best"), N_("Newest"), N_("Oldest")
#: Seconds between hits of one camera up to which they are one moment.
_USUAL_GAP = N_("10 s")
GAPS_S = {N_("never"): 0, _USUAL_GAP: 10, N_("30 s"): 30, N_("2 min"): 120, N_("10 min"): 600}
#: Closer embeddings (cosine distance) look the same: twice what ingest calls a near-duplicate.
ALIKE_DISTANCE = 0.02
HEIGHT_PX = 120
_BINS = 72
#: Widths of a bar that people read easily, in milliseconds.
_WIDTHS_MS = tuple(
    second * 1000
    for second in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
        *(86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 91 * 86400, 365 * 86400),
    )
)
#: How many cameras the timeline shows by themselves; the others share one colour.
_MOST_CAMERAS = 8
_BRUSH = "brush"
#: How a tick is written, by the finest unit of time that it needs.
_TICKS = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%b %d",
    "date": "%b %d",
    "day": "%b %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S",
}
_MS = timedelta(milliseconds=1)


@st.fragment
@shown_in_words()
def show_results(request: SearchRequest, found: Answer) -> None:
    """Draw what was found; ordering, folding, brushing and turning pages search no more."""
    if found.unknown:
        text = _("This encoder does not know these words: {words}.")
        st.caption(text.format(words=plain(_(", ").join(found.unknown))))
    if found.fits_nothing:
        text = _(
            "**No good match.** No picture stands out: it may not be in the library, or be in too "
            "many pictures to tell. Add detail, such as a colour, or look at the nearest pictures."
        )
        if not request.where.is_empty:
            text += " " + _("Only pictures that pass the filters were searched.")
        st.info(text, icon=":material/search_off:")
        if not _nearest_too(found):
            return
    _show_hits(request, found, found.hits, f"{hash(request):x}")


def _nearest_too(found: Answer) -> bool:
    """Offer the hits of which none is a match; return whether they are shown."""
    return st.toggle(
        _("Show the nearest pictures ({count})").format(count=f"{len(found.hits):,}"),
        key="weak",
        bind="query-params",
        help=_(
            "Every search has nearest pictures. These score no better than the rest of the library."
        ),
    )


def _show_hits(request: SearchRequest, found: Answer, every: list[Hit], key: str) -> None:
    """Draw the cards first, in their place below all else: it is them that people wait for."""
    timeline = Timeline(every, f"timeline-{key}")
    head = st.container(horizontal=True, vertical_alignment="center", key="results-head")
    when = st.container(key="timeline" if timeline.has_chart else "timeline-without-chart")
    _remarks(found)
    results = st.container(key="results-cards")
    span = timeline.brushed()
    if span is not None and not any(span.holds(hit.entity.captured_at) for hit in every):
        span = None  # brushed where there is nothing
    hits = [hit for hit in every if span is None or span.holds(hit.entity.captured_at)]
    with head:
        counts = st.container(width="content")
        st.space("stretch")
        order, gap_s, alike = _arrangement()
        moments = _arranged(request, found, hits, order, gap_s, alike)
    counts.markdown(_counts(found, hits, moments))
    arranged = f"{key}-{hash((order, gap_s, alike, span)):x}"
    with results:
        draw_cards(
            request.library,
            cards_of_moments(moments),
            arranged,
            searching=True,
            looked_for=found.embedding,
            asked=request.in_words(),
        )
    with head:
        search_export.export_menu(request, [hit for one in moments for hit in one.hits])
    with when:
        timeline.draw(camera_colours(resources.facets(request.library).cameras))
        if span is not None:
            _brushed(request, span, len(hits), len(every))


def _remarks(found: Answer) -> None:
    if found.effort.reason:
        st.caption(plain(said(found.effort.reason)))
    for read in found.truncated:
        text = _("The sentence is too long: the encoder reads only its beginning, “{read} …”")
        st.caption(text.format(read=plain(read)))


def _arrangement() -> tuple[str, int, bool]:
    order = choose_in_address(_("Order"), (BEST, NEWEST, OLDEST), key="sort")
    with st.popover(_("Fold"), icon=":material/layers:", help=_("Group related hits")):
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


def _brushed(request: SearchRequest, span: Span, shown: int, of: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="brushed"):
        text = _("{shown} of {hits}, {time}").format(
            shown=shown, hits=counted(of, "hit"), time=time_range(span.first_ms, span.last_ms)
        )
        st.caption(plain(text), width="content")
        if st.button(
            _("Search only this time"),
            icon=":material/search:",
            type="tertiary",
            help=_(
                "Searches this time for more hits. Double-click the chart to show all hits again."
            ),
            on_click=set_times,
            args=(span.first_ms, span.last_ms),
        ):
            st.rerun()
        offer_clips(request.library, request.where.cameras, span.first_ms, span.last_ms)


class Timeline:
    """A histogram of hits over time, by camera, whose brush chooses a time.

    Hits that are far from all others are beside its axis, to be chosen by a button.
    """

    def __init__(self, hits: Sequence[Hit], key: str) -> None:
        self._key, self._aside = key, f"{key}-aside"
        self._times = Counter(hit.entity.captured_at for hit in hits)
        self._within = bulk(self._times)
        self._bars = timeline_bars(
            [hit for hit in hits if self._within.holds(hit.entity.captured_at)]
        )

    @property
    def has_chart(self) -> bool:
        """Whether there is something to draw: not all was captured at once."""
        return len({bar["from"] for bar in self._bars}) > 1

    def brushed(self) -> Span | None:
        """Return the time that is chosen, None for none; known before it is drawn."""
        aside: Span | None = st.session_state.get(self._aside)
        return aside or (brushed(st.session_state.get(self._key)) if self.has_chart else None)

    def draw(self, colours: Mapping[str, str]) -> None:
        """Draw it; ``colours`` are those of the library's cameras."""
        if self.has_chart:
            st.vega_lite_chart(
                spec=_spec(self._bars, colours),
                key=self._key,
                on_select=lambda: st.session_state.update({self._aside: None}),
                selection_mode=_BRUSH,
                width="stretch",
                height=HEIGHT_PX,
            )
        offer_outlying(self._times, self._within, "hit", self._key, self._choose)

    def _choose(self, far: Span) -> None:
        is_chosen = st.session_state.get(self._aside) == far
        st.session_state[self._aside] = None if is_chosen else far


def timeline_bars(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Return bars by time and camera: ``from`` and ``until`` in epoch ms, ``camera``, ``hits``."""
    times = [hit.entity.captured_at for hit in hits] or [0]
    span_ms = max(times) - min(times)
    width = next((each for each in _WIDTHS_MS if span_ms <= each * _BINS), _WIDTHS_MS[-1])
    # Bars of a day or more begin at the viewer's midnight.
    zone = viewer_zone()
    shift = round(
        (datetime.fromtimestamp(min(times) / 1000, zone).utcoffset() or timedelta()) / _MS
    )
    common = [name for name, _count in Counter(hit.entity.camera for hit in hits).most_common()]
    named = set(common if len(common) <= _MOST_CAMERAS else common[: _MOST_CAMERAS - 1])
    others = _("other cameras")
    counts = Counter(
        (
            (hit.entity.captured_at + shift) // width * width - shift,
            (hit.entity.camera or _("no camera")) if hit.entity.camera in named else others,
        )
        for hit in hits
    )
    return [
        {"from": start, "until": start + width, "camera": camera, "hits": count}
        for (start, camera), count in sorted(counts.items())
    ]


def brushed(state: Any) -> Span | None:
    """Return the time that a chart's state has brushed, None for none."""
    chosen = (state or {}).get("selection", {}).get(_BRUSH) or {}
    ends = list(chosen.get("from") or ())
    if len(ends) != 2 or ends[0] == ends[1]:
        return None
    first, last = sorted(float(end) for end in ends)
    return Span(round(first), round(last))


def _only_day(bars: list[dict[str, Any]]) -> str | None:
    """Return the day that all bars are of, which the ticks then do not name; None for several."""
    zone = viewer_zone()
    edges = (bars[0]["from"], bars[-1]["until"] - 1)
    first, last = (datetime.fromtimestamp(edge / 1000, zone).date() for edge in edges)
    return first.isoformat() if first == last else None


def _spec(bars: list[dict[str, Any]], colours: Mapping[str, str]) -> dict[str, Any]:
    """Return the chart as Vega-Lite; made by Altair it is checked anew each time, for 30 ms."""
    others = _("other cameras")
    cameras = sorted({bar["camera"] for bar in bars}, key=lambda name: (name == others, name))
    range_ = [colours.get(name, NO_COLOUR) for name in cameras]
    seconds = (bars[-1]["until"] - bars[0]["from"]) // 1000
    return {
        "data": {"values": bars},
        "mark": {"type": "bar", "minBandSize": 3},
        "params": [{"name": _BRUSH, "select": {"type": "interval", "encodings": ["x"]}}],
        "encoding": {
            "x": {
                "field": "from",
                "type": "temporal",
                "title": _only_day(bars),
                "axis": {
                    "labelOverlap": True,
                    "titleFontSize": 11,
                    "titleFontWeight": "normal",
                    "tickCount": max(1, min(10, seconds)),
                    "grid": False,
                    "labelFontSize": 11,
                    "format": _TICKS,
                },
            },
            "x2": {"field": "until"},
            "y": {"aggregate": "sum", "field": "hits", "title": None, "axis": None},
            "color": {
                "field": "camera",
                "type": "nominal",
                "scale": {"domain": cameras, "range": range_},
                "legend": {
                    "title": None,
                    "orient": "right",
                    "labelLimit": 96,
                    "labelFontSize": 11,
                    "symbolSize": 60,
                    "rowPadding": 0,
                },
            },
            "opacity": {"condition": {"param": _BRUSH, "value": 1}, "value": 0.25},
            "tooltip": [
                {"field": "camera", "title": _("Camera")},
                {"field": "hits", "title": _("Hits")},
                {
                    "field": "from",
                    "type": "temporal",
                    "title": _("From"),
                    "format": "%Y-%m-%d %H:%M:%S",
                },
            ],
        },
    }
