"""Search: a sentence or a picture in, moments out."""

from __future__ import annotations

import streamlit as st

from dashboard import query_image, resources, result_grid, search_terms
from dashboard.cards import cards_of_hits
from dashboard.filters_panel import pick_filters
from dashboard.library_picker import how_to_begin, pick_library
from dashboard.problems import show
from dashboard.search_request import SearchRequest, answer, forget_answer
from dashboard.thumbnails import thumbnail_file
from dashboard.wording import counted, plain, time_range
from search_core.errors import MediaError
from search_core.facets import Facets
from search_core.filters import Filter
from search_core.search import Answer

EXAMPLES = (
    "a person in a blue top riding a bicycle",
    "a lorry lettered JCN",
    "a white car",
    "two dogs in snow",
)


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin()
        return
    facets = resources.facets(info.name)
    _search_bar()
    narrowing = pick_filters(facets)
    request = SearchRequest(
        library=info.name,
        text=search_terms.sentence(),
        picture=search_terms.picture(),
        like=search_terms.like(),
        text_weight=_terms(info.name),
        where=narrowing.where,
        k=narrowing.k,
        min_score=narrowing.min_score,
    )
    if request.is_empty:
        _invite(facets)
        return
    with st.spinner("Searching …", show_time=False):
        found = answer(request)
    _show(request, found)


def _search_bar() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="search-bar"):
        st.text_input(
            "What are you looking for?",
            key=search_terms.SENTENCE,
            bind="query-params",
            type="search",
            placeholder="Describe it in a sentence, then press Enter",
            icon=":material/search:",
            label_visibility="collapsed",
        )
        with st.popover("Picture", icon=":material/add_photo_alternate:"):
            _uploader()
        st.button("Search", type="primary", on_click=forget_answer)


def _uploader() -> None:
    uploaded = st.file_uploader(
        "Search by a picture",
        type=["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"],
        max_upload_size=query_image.MAX_BYTES // 2**20,
        key=f"picture-{search_terms.uploader_number()}",
        help="Alone, or together with the sentence.",
    )
    if uploaded is None:
        search_terms.forget_removed_picture()
        return
    try:
        limit = resources.settings().media.max_pixels
        picture = query_image.read_picture(uploaded.getvalue(), limit)
    except MediaError as error:
        show(error)
        return
    if search_terms.picture() != picture:
        search_terms.set_picture(picture)


def _terms(library: str) -> float:
    """Show what is looked for besides the sentence; return the sentence's weight."""
    picture, like = search_terms.picture(), search_terms.like()
    if picture is None and not like:
        return 0.5
    with st.container(horizontal=True, vertical_alignment="center", key="terms"):
        if picture is not None:
            st.image(picture.image, width=96, alt="The picture searched by")
            st.button("Remove picture", on_click=search_terms.remove_picture)
        if like:
            _show_like(library, like)
            st.markdown("More like this", width="content")
            st.button("Stop", on_click=search_terms.stop_looking_like)
        if not search_terms.sentence().strip():
            return 0.5
        return st.slider(
            "Picture – sentence",
            0.0,
            1.0,
            0.5,
            0.05,
            help="How much the sentence counts beside the picture.",
            width=260,
        )


def _show_like(library: str, entity_id: str) -> None:
    for entity in resources.store().entities(library, Filter(ids=(entity_id,)), limit=1):
        path = thumbnail_file(entity.thumbnail)
        if path is not None:
            st.image(path, width=96, alt="The picture to find more like")


def _invite(facets: Facets) -> None:
    st.caption("For example")
    with st.container(horizontal=True, key="examples"):
        for example in EXAMPLES:
            st.button(example, on_click=search_terms.look_for, args=(example,))
    line = f"{counted(facets.count, 'picture')} from {counted(len(facets.cameras), 'camera')}"
    if facets.first_ms is not None and facets.last_ms is not None:
        line += f", {time_range(facets.first_ms, facets.last_ms)}"
    st.caption(plain(line))


def _show(request: SearchRequest, found: Answer) -> None:
    total = found.encode_ms + found.milvus_ms
    st.markdown(
        f"**{counted(len(found.hits), 'hit')}** · {total:.0f} ms "
        f":gray[(encode {found.encode_ms:.0f} ms, Milvus {found.milvus_ms:.0f} ms)]"
    )
    if found.effort.reason:
        st.caption(plain(found.effort.reason))
    if not found.hits:
        narrowed = not request.where.is_empty or request.min_score is not None
        st.info(
            "Nothing passes these filters. Clear some of them in the sidebar."
            if narrowed
            else "The library is empty."
        )
        return
    key = f"{hash(request):x}"
    result_grid.show_cards(request.library, cards_of_hits(found.hits), key, searching=True)
