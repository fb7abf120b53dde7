"""The filters beside the results, and what an address asks for that is not there.

That is named, and nothing is searched by accident: Streamlit leaves out of a bound widget what it
does not offer, so that a link to one camera would search all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Sequence as Items
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import streamlit as st

from dashboard import resources
from dashboard.components.library_picker import LIBRARY
from dashboard.components.url_choices import choose_in_address
from dashboard.i18n.formatting import plain, time_range, viewer_zone
from dashboard.i18n.gettext import N_, _
from dashboard.query.sentence import sentence_chips
from dashboard.query.terms import AS_WORDS
from search_core.indexes import SearchParams
from search_core.schema.entity import MINUTE_FIELD, MediaType
from search_core.schema.facets import Facets
from search_core.schema.filters import MOST_DAYS, Filter, Hours
from search_core.search.query_text.reader import Reading
from search_core.search.query_text.sequence import Sequence
from search_core.store.library import LibraryInfo

_ALL = N_("All")
KINDS: dict[str, MediaType | None] = {
    _ALL: None,
    N_("Video"): "frame",
    N_("Photos"): "image",
}
#: How many hits may be asked for.
MOST_HITS, _DEFAULT_K = (20, 50, 100, 200, 500), 50
#: What may be filtered by; the viewer's clock.
EARLIEST, LATEST = datetime(1970, 1, 2), datetime(2100, 1, 1)
#: By name in the address, what is not there as it was asked for, until the reader chooses.
_NOT_THERE = "link_not_there"
_CALLED = {
    LIBRARY: N_("library"),
    "camera": N_("camera"),
    "tag": N_("tag"),
    "after": N_("From"),
    "before": N_("Until"),
    "hour_from": N_("Daily from"),
    "hour_until": N_("until"),
    "type": N_("Kind"),
    "k": N_("Hits"),
    "min_score": N_("Minimum score"),
}


def pick_filters(facets: Facets) -> tuple[Filter, int, float | None]:
    """Draw in the sidebar the filters of a library of these facets.

    Return what they say: a filter, how many hits, and the least score, None for any.
    """
    with st.sidebar:
        cameras = _several(_("Cameras"), "camera", [camera.camera for camera in facets.cameras])
        after, before = _times(facets)
        hours = _hours()
        tags = _several(_("Tags"), "tag", list(facets.tags)) if facets.tags else []
        media = _ALL
        if len(facets.media_types) > 1 or st.session_state.get("type"):
            media = choose_in_address(_("Kind"), list(KINDS), key="type", wide=True)
        min_score = st.slider(
            _("Minimum score"),
            0.0,
            1.0,
            0.0,
            0.01,
            key="min_score",
            bind="query-params",
            help=_(
                "Cosine similarity: 1 is identical. What a good hit scores depends on the "
                "encoder: with CLIP, sentences often reach 0.2 to 0.4, pictures 0.6 and more."
            ),
        )
        k = st.selectbox(_("Hits"), MOST_HITS, index=1, key="k", bind="query-params")
        st.button(_("Clear filters"), on_click=clear_filters, width="stretch")
    where = Filter(
        cameras=tuple(cameras),
        after=after,
        before=before,
        tags=tuple(tags),
        media_type=KINDS[media],
        hours=hours,
    )
    return where, k or _DEFAULT_K, min_score or None


def pick_effort(info: LibraryInfo, k: int) -> SearchParams | None:
    """Draw in the sidebar how thoroughly this search looks into the index; None as the library has.

    A flat index is always searched through: it has nothing to choose.
    """
    usual = info.search_params(None, k)
    if not usual:
        return None
    asked: dict[str, int] = {}
    with st.sidebar.expander(_("Advanced")):
        st.caption(
            _("For this search, in place of what the library's index {index} is set to.").format(
                index=info.index.index_type
            )
        )
        for name, value in usual.items():
            chosen = st.number_input(
                name,
                min_value=0,
                value=None,
                step=1,
                placeholder=f"{value:,}",
                key=f"effort_{name}",
                bind="query-params",
                help=_("Higher values find more of the true neighbours and take longer."),
            )
            if chosen is not None:
                asked[name] = int(chosen)
    return SearchParams(**asked) if asked else None


#: What each filter holds when it lets everything through.
_NOTHING: dict[str, object] = {
    "camera": [],
    "after": None,
    "before": None,
    "hour_from": None,
    "hour_until": None,
    "tag": [],
    "type": _ALL,
    "min_score": 0.0,
    "k": _DEFAULT_K,
}


def clear_filters() -> None:
    """Let everything through again."""
    for key, value in _NOTHING.items():
        if key in st.session_state:
            st.session_state[key] = value


def filter_chips(reading: Reading, sequence: Sequence | None) -> Sequence | None:
    """Draw each active filter above the results, to be removed by a click.

    Those that the sentence says are among them, with its words; so is that it says two things one
    after the other, with a switch for pairs of any cameras: return it as that says.
    """
    chips = [
        (str(value) or _("no name"), key, value)
        for key in ("camera", "tag")
        for value in st.session_state.get(key) or ()
    ]
    for key in ("after", "before", "hour_from", "hour_until", "type", "min_score"):
        value = st.session_state.get(key)
        if value not in (None, _NOTHING[key]):
            called = _(_CALLED[key])
            shown = _(str(value)) if key == "type" else f"{called} {_written(value)}"
            chips.append((shown, key, value))
    if not (chips or reading.parts or sequence or st.query_params.get(AS_WORDS)):
        return None
    with st.container(horizontal=True, vertical_alignment="center", key="filter-chips"):
        for number, (label, key, value) in enumerate(chips):
            st.button(
                plain(label),
                icon=":material/close:",
                key=f"chip-{number}",
                help=_("Remove this filter"),
                on_click=_remove,
                args=(key, value),
            )
        sentence_chips(reading, sequence)
        if sequence is not None and not sequence.any_camera:
            any_camera = st.toggle(
                _("On any camera"),
                key="any_camera",
                bind="query-params",
                help=_("Pair pictures of different cameras as well."),
            )
            sequence = replace(sequence, any_camera=any_camera)
    return sequence


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)


def _remove(key: str, value: object) -> None:
    kept = st.session_state.get(key)
    if isinstance(kept, list | tuple):
        st.session_state[key] = [other for other in kept if other != value]
    else:
        st.session_state[key] = _NOTHING[key]


def _several(label: str, key: str, options: list[str]) -> list[str]:
    if key in st.session_state:  # another library has other cameras
        st.session_state[key] = [name for name in st.session_state[key] or () if name in options]
    return st.multiselect(
        label,
        options,
        format_func=lambda name: name or _("no name"),
        key=key,
        bind="query-params",
        placeholder=_("all"),
    )


def _times(facets: Facets) -> tuple[datetime | None, datetime | None]:
    zone = viewer_zone()
    first, last = facets.first_ms, facets.last_ms
    help_text = None
    if first is not None and last is not None:
        help_text = _("The library covers {time}.").format(time=time_range(first, last))
    moments: list[datetime | None] = []
    for label, key in ((_("From"), "after"), (_("Until"), "before")):
        moment = st.datetime_input(
            label,
            value=None,
            min_value=EARLIEST,
            max_value=LATEST,
            format="YYYY-MM-DD",
            step=60,
            key=key,
            bind="query-params",
            help=help_text,
        )
        moments.append(moment.replace(tzinfo=zone) if moment else None)
    return moments[0], moments[1]


def _hours() -> Hours | None:
    zone = getattr(viewer_zone(), "key", "UTC")
    about = _("Time of day in {zone}. 22:00 until 05:00 is the night.").format(zone=plain(zone))
    minutes: list[int | None] = []
    for column, (label, key) in zip(
        st.columns(2, gap="small"),
        ((_("Daily from"), "hour_from"), (_("until"), "hour_until")),
        strict=True,
    ):
        chosen: time | None = column.time_input(
            label,
            value=None,
            key=key,
            bind="query-params",
            step=timedelta(minutes=15),
            help=about if key == "hour_from" else None,
        )
        minutes.append(None if chosen is None else chosen.hour * 60 + chosen.minute)
    start, end = minutes
    if (start is None and end is None) or (start or 0) % 1440 == (end or 0) % 1440:
        return None
    return Hours(start or 0, end or 0, zone)


def bounded(where: Filter, facets: Facets, info: LibraryInfo) -> Filter:
    """Return a filter with a time around its hours of the day: that of the library, if it has none.

    The less time, the fewer changes of clocks have to be minded. A library from before rows held
    their minute of the day is searched back for three years, and that is said.
    """
    if where.hours is None:
        return where
    after, before = where.after, where.before
    first, last = facets.first_ms or 0, facets.last_ms or 0
    # What is captured while one looks is newer than what was counted.
    newest = datetime.fromtimestamp(last / 1000, UTC) + timedelta(days=1)
    before = min(before, newest) if before else newest
    oldest = datetime.fromtimestamp(first / 1000, UTC)
    after = max(after, oldest) if after else oldest
    reach = before - timedelta(days=MOST_DAYS)
    if after < reach and MINUTE_FIELD not in info.fields:
        after = reach
        since = _(
            "With hours of the day, only what was captured since {day} is searched. Set From to "
            "look earlier, or build the index again on the page Index to lift this limit."
        )
        st.sidebar.caption(since.format(day=f"{after:%Y-%m-%d}"))
    return replace(where, after=after, before=max(after, before))


def set_times(first_ms: int, last_ms: int) -> None:
    """Let through only what was captured in this time, to whole minutes; for callbacks."""
    for key, edge_ms in (("after", first_ms), ("before", last_ms + 59_999)):
        moment = datetime.fromtimestamp(edge_ms / 1000, viewer_zone())
        st.session_state[key] = moment.replace(tzinfo=None, second=0, microsecond=0)


def note_what_is_not_there(facets: Facets, libraries: Items[str]) -> None:
    """Look at an address before widgets take it up; what they would leave out is kept.

    ``libraries`` is what it asked for before the library's own widget was drawn.
    """
    asked = {name: st.query_params.get_all(name) for name in _CALLED} | {LIBRARY: libraries}
    allowed: dict[str, Callable[[str], bool]] = {
        LIBRARY: _one_of([info.name for info in resources.libraries()]),
        "camera": _one_of([camera.camera for camera in facets.cameras]),
        "tag": _one_of(facets.tags),
        "after": _is_moment,
        "before": _is_moment,
        "hour_from": _is_hour,
        "hour_until": _is_hour,
        "type": _one_of(KINDS),
        "k": _one_of([str(count) for count in MOST_HITS]),
        "min_score": _is_score,
    }
    found = {
        name: wrong
        for name, is_there in allowed.items()
        if (wrong := [value for value in asked[name] if not is_there(value)])
    }
    if found:
        st.session_state.setdefault(_NOT_THERE, {}).update(found)


def is_stopped() -> bool:
    """Say what of the address is not there; return whether the reader has still to choose."""
    found: dict[str, list[str]] = st.session_state.get(_NOT_THERE, {})
    if not found:
        return False
    listed = [
        _(_CALLED[name]) + f" “{plain(value)}”"
        for name, values in found.items()
        for value in values
    ]
    text = _(
        "This link asks for something that does not exist or that you may not view: {what}. "
        "Nothing was searched."
    )
    st.warning(text.format(what=_(", ").join(listed)), icon=":material/link_off:")
    st.button(_("Ignore it and search"), icon=":material/search:", on_click=_go_on)
    return True


def _go_on() -> None:
    for name, wrong in st.session_state.pop(_NOT_THERE, {}).items():
        left = [value for value in st.query_params.get_all(name) if value not in wrong]
        if left:
            st.query_params[name] = left
        else:
            st.query_params.pop(name, None)


def _one_of(names: Collection[str]) -> Callable[[str], bool]:
    return lambda value: value in names


def _is_moment(value: str) -> bool:
    try:
        return EARLIEST <= datetime.fromisoformat(value).replace(tzinfo=None) <= LATEST
    except ValueError:
        return False


def _is_hour(value: str) -> bool:
    try:
        time.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_score(value: str) -> bool:
    try:
        return 0.0 <= float(value) <= 1.0
    except ValueError:
        return False
