"""Search: a sentence or a picture in, moments out."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.components.library_picker import (
    LIBRARY,
    how_to_begin,
    link_to_adding,
    pick_library,
)
from dashboard.components.routes import Page
from dashboard.i18n.formatting import counted, plain, time_range
from dashboard.i18n.gettext import N_, _
from dashboard.moment import dialog as moment_dialog
from dashboard.query import linked_picture
from dashboard.query import terms as search_terms
from dashboard.query.request import SearchRequest, answer
from dashboard.search.bar import search_bar, terms
from dashboard.search.filters import pick_filters
from dashboard.search.link_check import is_stopped, note_what_is_not_there
from dashboard.search.results import show_results
from search_core.encoders.catalogue import ENCODERS
from search_core.encoders.prompts import understands
from search_core.schema.facets import Facets

EXAMPLES = (
    "a person in a blue top riding a bicycle",
    "a lorry lettered JCN",
    "a white car",
    "two dogs in snow",
    "a car without red",
)
RECENT = 6


def page() -> None:
    """Draw the page."""
    asked_for = st.query_params.get_all(LIBRARY)
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    facets = resources.facets(info.name)
    note_what_is_not_there(facets, asked_for)
    linked_picture.take_up()
    search_bar()
    narrowing = pick_filters(facets)
    weights = terms(info.name)
    request = SearchRequest(
        library=info.name,
        text=search_terms.sentence().wanted,
        picture=search_terms.picture(),
        like=search_terms.like(),
        region=search_terms.region(),
        text_weight=weights.text,
        without=search_terms.left_out(),
        without_weight=weights.without,
        where=narrowing.where,
        k=narrowing.k,
        min_score=narrowing.min_score,
    )
    if is_stopped():
        return
    moment_dialog.open_from_address(info.name)
    if request.is_empty:
        _invite(info.name, facets)
        return
    _say_what_is_understood(info.encoder.name, request)
    with st.spinner(_("Searching …"), show_time=False):
        found = answer(request)
    if found.hits:
        show_results(request, found)
    else:
        _nothing(request)


PAGE = Page("search", N_("Search"), ":material/search:", page, first=True)


def _say_what_is_understood(encoder: str, request: SearchRequest) -> None:
    asked = " ".join([request.text, *request.without])
    if not understands(encoder, asked):
        text = _(
            "{encoder}, this library's encoder, knows English only. One for many languages, such "
            "as {other}, understands this."
        )
        other = next(spec.name for spec in ENCODERS if spec.languages == "many")
        st.info(text.format(encoder=plain(encoder), other=plain(other)))


def _nothing(request: SearchRequest) -> None:
    st.markdown("**" + counted(0, "hit") + "**")
    if request.without:
        text = _("Nothing is left without that. Leave out less, or clear filters in the sidebar.")
    elif not request.where.is_empty or request.min_score is not None:
        text = _("Nothing passes these filters. Clear some of them in the sidebar.")
    else:
        text = _("The library is empty.")
    st.info(text)


def _invite(library: str, facets: Facets) -> None:
    if search_terms.left_out():
        st.info(_("Say what to look for as well: so far there is only what to leave out."))
    if not facets.count:
        st.info(_("Nothing is in this library yet."))
        link_to_adding(library)
        return
    _sentences(_("For example"), list(EXAMPLES), "example")
    recent = resources.recent_sentences(library, RECENT + len(EXAMPLES))
    _sentences(_("Lately"), [text for text in recent if text not in EXAMPLES][:RECENT], "recent")
    line = _("{pictures} from {cameras}").format(
        pictures=counted(facets.count, "picture"), cameras=counted(len(facets.cameras), "camera")
    )
    if facets.first_ms is not None and facets.last_ms is not None:
        line += _(", ") + time_range(facets.first_ms, facets.last_ms)
    st.caption(plain(line))


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
