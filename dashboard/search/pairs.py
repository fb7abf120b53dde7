"""Two things one after the other: the pairs that a search found, each a card with two pictures."""

from __future__ import annotations

import streamlit as st

from dashboard.components.cards import cards_of_pairs
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import _
from dashboard.moment.grid import draw_cards
from dashboard.query.request import SearchRequest
from dashboard.search import export as search_export
from search_core.search.pairs import PairAnswer
from search_core.search.query_text.sequence import Sequence


@st.fragment
@shown_in_words()
def show_pairs(request: SearchRequest, wanted: Sequence, found: PairAnswer) -> None:
    """Draw the pairs, best first."""
    if not found.pairs:
        text = _(
            "Nothing was followed by the other in that time. Say a longer one in the sentence."
        )
        st.info(text, icon=":material/search_off:")
        return
    if all(pair.is_less_sure for pair in found.pairs):
        text = _("**No good match.** In no pair do both pictures stand out. These are the nearest.")
        st.info(text, icon=":material/search_off:")
    with st.container(horizontal=True, vertical_alignment="center", key="results-head"):
        took = sum(one.encode_ms + one.milvus_ms for one in (found.first, found.second))
        count = _("{count} ms").format(count=f"{took:.0f}")
        st.markdown(f"**{counted(len(found.pairs), 'pair')}** · :gray[{count}]", width="content")
        st.space("stretch")
        hits = [hit for pair in found.pairs for hit in (pair.first, pair.second)]
        search_export.export_menu(request, hits)
    draw_cards(
        request.library,
        cards_of_pairs(found.pairs),
        f"pairs-{hash((request, wanted)):x}",
        searching=True,
        asked=request.in_words(),
    )
