"""Search: a sentence or a picture in, moments out. The box to type in, pictures to search by, what
to leave out, and what is looked for now.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from dashboard import resources
from dashboard.components import image_input as query_image
from dashboard.components.browser import page_keys, picked_region, region_picker
from dashboard.components.cards import cards_of_entities
from dashboard.components.errors import show, shown_in_words
from dashboard.components.image_input import Box, box_of
from dashboard.components.library_picker import LIBRARY, how_to_begin, link_to_adding, pick_library
from dashboard.components.newest import day_headings, newest_entities
from dashboard.components.routes import Page
from dashboard.components.stills import still_of
from dashboard.i18n.formatting import counted, local_time, plain, time_range
from dashboard.i18n.gettext import N_, _, ngettext
from dashboard.moment import dialog as moment_dialog
from dashboard.moment.grid import show_cards
from dashboard.query import pictures
from dashboard.query import terms as search_terms
from dashboard.query.request import SearchRequest, answer, answer_pairs_of, forget_answer
from dashboard.query.sentence import read_again, read_box, words_kept
from dashboard.search.filters import (
    bounded,
    filter_chips,
    is_stopped,
    note_what_is_not_there,
    pick_effort,
    pick_filters,
)
from dashboard.search.pairs import show_pairs
from dashboard.search.results import show_results
from dashboard.search.saved import saved_searches
from dashboard.search.scrubber import leave, scrub
from search_core.encoders.catalogue import ENCODERS, find_encoder
from search_core.encoders.prompts import understands
from search_core.errors import MediaError, SightlineError, UnsupportedMedia
from search_core.schema.entity import keyframe_id_of
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.search.left_out import WITHOUT_WEIGHT
from search_core.search.lettering import split_quoted
from search_core.search.query_text.sequence import Sequence, read_sequence

EXAMPLES = (
    "a person in a blue top riding a bicycle",
    "a lorry lettered JCN",
    "a white car",
    "two dogs in snow",
    "a car without red",
)
RECENT = 6
_FAILED = "picture_failed"
_ADDRESS = "picture_address"
_LOOK_PX = 96
#: So many of several pictures to search by are shown.
_MOST_LOOKS = 3
#: How many pictures are shown without a search, the newest ones.
_NEWEST = 400


def page() -> None:
    """Draw the page."""
    asked_for = st.query_params.get_all(LIBRARY)
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    facets = resources.facets(info.name)
    note_what_is_not_there(facets, asked_for)
    pictures.take_up()
    search_bar(info.name)
    where, k, min_score = pick_filters(facets)
    reading = read_box([camera.camera for camera in facets.cameras], where)
    where = bounded(where.narrowed(reading.where), facets, info)
    params = pick_effort(info, k)
    text_weight, without_weight = terms(info.name)
    request = SearchRequest(
        library=info.name,
        text=search_terms.sentence().wanted,
        picture=search_terms.picture(),
        like=search_terms.like(),
        less_like=search_terms.less_like(),
        not_like=search_terms.not_like(),
        region=search_terms.region(),
        text_weight=text_weight,
        without=search_terms.left_out(),
        without_weight=without_weight,
        where=where,
        k=k,
        min_score=min_score,
        params=params,
    )
    if is_stopped():
        return
    sequence = filter_chips(reading, _sequence(request))
    if request.is_empty:
        if where.is_empty:
            _invite(info.name, facets)
        if facets.count:
            _newest(info.name, where, facets)
        moment_dialog.open_from_address(info.name, searching=True)
        return
    _say_what_is_understood(info.encoder.name, request)
    if sequence is not None:
        with st.spinner(_("Searching …"), show_time=False):
            paired = answer_pairs_of(request, sequence)
        show_pairs(request, sequence, paired)
        moment_dialog.open_from_address(info.name, searching=True)
        return
    with st.spinner(_("Searching …"), show_time=False):
        found = answer(request)
    if found.hits:
        show_results(request, found)
    else:
        _nothing(request)
    if found.unread:
        _say_what_is_unread(found.unread)
    moment_dialog.open_from_address(info.name, searching=True)


def _sequence(request: SearchRequest) -> Sequence | None:
    """Return the two things that a sentence alone says one after the other, if it does."""
    if request.picture or request.like or request.less_like or request.not_like:
        return None
    return read_sequence(request.text, literal=words_kept())


PAGE = Page("search", N_("Search"), ":material/search:", page, first=True)


def _say_what_is_understood(encoder: str, request: SearchRequest) -> None:
    asked = " ".join([split_quoted(request.text)[0], *request.without])
    if not understands(encoder, asked):
        spec = find_encoder(encoder)
        if spec is not None and spec.languages == "English, Chinese":
            text = _(
                "{encoder}, this library's encoder, knows English and Chinese only. One for many "
                "languages, such as {other}, understands this."
            )
        else:
            text = _(
                "{encoder}, this library's encoder, knows English only. One for many languages, "
                "such as {other}, understands this."
            )
        other = next(spec.name for spec in ENCODERS if spec.languages == "many")
        st.info(text.format(encoder=plain(encoder), other=plain(other)))


def _nothing(request: SearchRequest) -> None:
    st.markdown("**" + counted(0, "hit") + "**")
    if split_quoted(request.text)[1]:
        text = _("These words were read on no picture that passes the filters.")
    elif request.without or request.not_like:
        text = _("Nothing is left. Leave out less, or clear filters in the sidebar.")
    elif not request.where.is_empty or request.min_score is not None:
        text = _("No picture passes these filters. Remove some of them.")
    else:
        text = _("The library is empty.")
    st.info(text)


def _say_what_is_unread(count: int) -> None:
    text = ngettext(
        "{count} picture has not been read yet: words on it are not found.",
        "{count} pictures have not been read yet: words on them are not found.",
        count,
    )
    st.caption(text.format(count=f"{count:,}"))


def _invite(library: str, facets: Facets) -> None:
    if search_terms.left_out() or search_terms.less_like() or search_terms.not_like():
        st.info(_("Describe what to look for as well, not only what to leave out."))
    if not facets.count:
        st.info(_("This library is empty."))
        link_to_adding(library)
        return
    _sentences(_("For example"), list(EXAMPLES), "example")
    recent = resources.recent_sentences(library, RECENT + len(EXAMPLES))
    _sentences(
        _("Recent searches"), [text for text in recent if text not in EXAMPLES][:RECENT], "recent"
    )
    line = _("{pictures} from {cameras}").format(
        pictures=counted(facets.count, "picture"), cameras=counted(len(facets.cameras), "camera")
    )
    if facets.first_ms is not None and facets.last_ms is not None:
        line += _(", ") + time_range(facets.first_ms, facets.last_ms)
    st.caption(plain(line))


@st.fragment
@shown_in_words()
def _newest(library: str, where: Filter, facets: Facets) -> None:
    """Draw what passes the filters, the newest first, by day, from the time that was gone to."""
    gone_to = scrub(library, where)
    if gone_to is not None:
        until = datetime.fromtimestamp(gone_to.last_ms / 1000, UTC)
        where = replace(where, before=min(where.before or until, until))
    count = resources.store().count(library, where)
    entities = newest_entities(resources.store(), library, where, facets, _NEWEST)
    if not entities:
        st.info(_("No picture passes these filters. Remove some of them."))
        return
    text = _("**{pictures}**, the newest first")
    if len(entities) < count:
        text = _("**{pictures}**, the newest {shown} of them")
    if gone_to is not None:
        text = _("**{pictures}** until {time}, the newest first")
    said = text.format(
        pictures=counted(count, "picture"),
        shown=f"{len(entities):,}",
        time=plain(local_time(gone_to.last_ms)) if gone_to else "",
    )
    with st.container(horizontal=True, vertical_alignment="center", key="newest-head"):
        st.markdown(said, width="content")
        if gone_to is not None:
            st.button(
                _("Back to the newest"),
                icon=":material/last_page:",
                type="tertiary",
                on_click=leave,
            )
    show_cards(
        library,
        cards_of_entities(entities),
        f"newest-{library}-{hash(where):x}",
        searching=True,
        headings=day_headings(entities),
    )


def _sentences(title: str, texts: list[str], key: str) -> None:
    if not texts:
        return
    st.caption(title)
    with st.container(horizontal=True, key=f"{key}s"):
        for number, text in enumerate(texts):
            shown = text if len(text) <= 60 else text[:59] + "…"
            st.button(
                plain(shown),
                key=f"{key}-{number}",
                on_click=search_terms.look_for,
                args=(text,),
            )


def search_bar(library: str) -> None:
    """Draw the box and its buttons; listen for pictures that are pasted or dropped."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="search-bar"):
        st.text_input(
            _("What are you looking for?"),
            key=search_terms.SENTENCE,
            bind="query-params",
            type="search",
            placeholder=_("Describe it in a sentence, then press Enter"),
            icon=":material/search:",
            label_visibility="collapsed",
            max_chars=search_terms.MAX_CHARACTERS,
        )
        with st.popover(_("Picture"), icon=":material/add_photo_alternate:"):
            _uploader()
        with st.popover(_("Leave out"), icon=":material/block:"):
            _leave_out()
        st.button(_("Search"), type="primary", on_click=_search_again)
        saved_searches(library)
    page_keys(_take)
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        show(failed)


def _search_again() -> None:
    forget_answer()
    read_again()


def terms(library: str) -> tuple[float, float]:
    """Show what is looked for besides the sentence, and how much each counts.

    Return how much the sentence counts beside a picture, and how strongly something is left out.
    """
    picture, like = search_terms.picture(), search_terms.like()
    without = search_terms.left_out()
    less_like, not_like = search_terms.less_like(), search_terms.not_like()
    text_weight, without_weight = 0.5, WITHOUT_WEIGHT
    pictures.say_what_links_hold()
    if not (picture or like or without or less_like or not_like):
        return text_weight, without_weight
    with st.container(horizontal=True, vertical_alignment="center", key="terms"):
        if picture is not None:
            part = search_terms.region()
            st.image(
                part.of(picture.image) if part else picture.image,
                width=_LOOK_PX,
                alt=_("The picture searched by"),
            )
            about = _("Search by a part of it")
            if st.button(_("Region …"), icon=":material/crop:", help=about):
                st.dialog(_("Search by a region"), width="medium")(_region_form)()
            st.button(_("Remove picture"), on_click=search_terms.remove_picture)
        elif like:
            _show_like(library, like)
        if (picture or like) and search_terms.sentence().wanted:
            text_weight = st.slider(
                _("Picture – sentence"),
                0.0,
                1.0,
                0.5,
                0.05,
                key="mix",
                bind="query-params",
                help=_("How much the sentence counts beside the picture."),
                width=220,
            )
        if without:
            words = ", ".join(f"**{plain(one)}**" for one in without)
            left_out = _("without {words}").format(words=words)
            st.markdown(f":material/block: {left_out}", width="content")
        for name, ids in ((search_terms.LESS_LIKE, less_like), (search_terms.NOT_LIKE, not_like)):
            if ids:
                _show_unlike(library, name, ids)
        if without or less_like or not_like:
            without_weight = st.slider(
                _("How strongly"),
                0.0,
                1.0,
                WITHOUT_WEIGHT,
                0.05,
                key="strength",
                bind="query-params",
                help=_("0 leaves nothing out; towards 1 the search itself counts less."),
                width=180,
            )
    return text_weight, without_weight


def _leave_out() -> None:
    st.multiselect(
        _("Leave out pictures that show"),
        [],
        key=search_terms.WITHOUT,
        accept_new_options=True,
        max_selections=search_terms.MOST_LEFT_OUT,
        bind="query-params",
        placeholder=_("an umbrella, a person …"),
        width=320,
    )
    st.caption(_("Or say it in the sentence: “a person without an umbrella”."))


def _uploader() -> None:
    key = f"picture-{search_terms.uploader_number()}"
    st.file_uploader(
        _("Search by a picture"),
        type=["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"],
        max_upload_size=query_image.MAX_BYTES // 2**20,
        key=key,
        help=_("Alone, or together with the sentence."),
        on_change=_upload,
        args=(key,),
    )
    st.caption(_("Or paste one anywhere on this page, or drop it there."))
    if pictures.may_be_fetched():
        st.text_input(
            _("Or its web address"),
            key=_ADDRESS,
            placeholder="https://…",
            on_change=_fetch,
            max_chars=2000,
        )


def _upload(key: str) -> None:
    """Search by what the uploader holds now, or without a picture where that was taken out."""
    uploaded = st.session_state[key]
    if uploaded is None:
        search_terms.remove_picture()
        return
    try:
        _search_by(_read(uploaded.getvalue()), uploaded=True)
    except MediaError as error:
        st.session_state[_FAILED] = error


def _fetch() -> None:
    """Search by the picture at the address that was typed in; the box is empty again."""
    address = str(st.session_state[_ADDRESS] or "").strip()
    st.session_state[_ADDRESS] = ""
    if not address:
        return
    try:
        _search_by(pictures.fetch_picture(address))
    except SightlineError as error:
        st.session_state[_FAILED] = error


def _take(data: bytes | None) -> None:
    """Search by a picture that was pasted or dropped; it is read before the page is drawn."""
    try:
        if data is None:
            raise UnsupportedMedia(
                _("This browser cannot read the pasted or dropped picture."),
                _("Choose it with the button Picture instead."),
            )
        _search_by(_read(data))
    except SightlineError as error:
        st.session_state[_FAILED] = error


def _search_by(picture: query_image.QueryPicture, *, uploaded: bool = False) -> None:
    search_terms.set_picture(picture, kept=pictures.keep(picture), uploaded=uploaded)


def _read(data: bytes) -> query_image.QueryPicture:
    return query_image.read_picture(data, resources.settings().media.max_pixels)


def _show_like(library: str, ids: Items[str]) -> None:
    part = search_terms.region()
    is_part = part is not None or (len(ids) == 1 and keyframe_id_of(ids[0]) != ids[0])
    _show_stored(library, ids, _("The picture to find more like"), part)
    more = _("More like these") if len(ids) > 1 else _("More like this")
    st.markdown(_("This region") if is_part else more, width="content")
    st.button(_("Stop"), on_click=search_terms.stop_looking_like)


def _show_unlike(library: str, name: str, ids: Items[str]) -> None:
    """Draw stored pictures that what is found is to be less like, or not like at all."""
    icon, text, alt = ":material/thumb_down:", _("less like"), _("A picture to find less like")
    if name == search_terms.NOT_LIKE:
        icon, text = ":material/block:", _("without what looks like")
        alt = _("A picture that is left out")
    with st.container(
        horizontal=True, vertical_alignment="center", width="content", key=f"terms-{name}"
    ):
        st.markdown(f"{icon} {text}", width="content")
        _show_stored(library, ids, alt)
        st.button(
            _("Stop"), key=f"stop-{name}", on_click=search_terms.stop_looking_like, args=(name,)
        )


def _show_stored(library: str, ids: Items[str], alt: str, part: Box | None = None) -> None:
    """Draw the first of stored pictures, and how many more there are."""
    found = resources.rows(library, ids[:_MOST_LOOKS])
    for row_id in ids[:_MOST_LOOKS]:
        if (row := found.get(row_id)) is None:
            continue
        try:
            still, shown = still_of(row.keyframe), part or box_of(row.box)
            st.image(shown.of(still) if shown else still, width=_LOOK_PX, alt=alt)
        except MediaError as error:
            show(error)
    more = len(ids) - _MOST_LOOKS
    if more > 0:
        st.markdown(_("and {count} more").format(count=more), width="content")


@shown_in_words()
def _region_form() -> None:
    picture = search_terms.picture()
    if picture is None:
        return
    key = f"region-{picture.digest}"
    region_picker(picture.image, search_terms.region(), key)
    st.caption(_("Draw a rectangle, or move it with the arrow keys."))
    with st.container(horizontal=True, horizontal_alignment="right"):
        whole = st.button(_("Whole picture"), on_click=search_terms.set_region, args=(None,))
        chosen = st.button(
            _("Search this region"),
            type="primary",
            on_click=lambda: search_terms.set_region(picked_region(key)),
        )
    if whole or chosen:
        st.rerun()
