"""One search as a page asks it, and its answer, kept while the page is drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import resources
from dashboard.query_image import QueryPicture
from search_core.filters import Filter
from search_core.library import NO_FILTER
from search_core.search import Answer, Query

_ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Everything a search depends on; equal requests have equal answers."""

    library: str
    text: str = ""
    picture: QueryPicture | None = None
    like: str = ""
    text_weight: float = 0.5
    where: Filter = NO_FILTER
    k: int = 50
    min_score: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.text.strip() or self.picture or self.like)

    def query(self) -> Query:
        """Return it as search_core's query."""
        return Query(
            text=self.text.strip() or None,
            image=self.picture.image if self.picture else None,
            entity_id=self.like or None,
            text_weight=self.text_weight,
        )


def answer(request: SearchRequest) -> Answer:
    """Search; a request this session asked just before is not asked again.

    Raises EncoderMismatch, LibraryNotFound, EntityNotFound.
    """
    known = st.session_state.get(_ANSWERED)
    if known is not None and known[0] == request:
        kept: Answer = known[1]
        return kept
    found = resources.engine(request.library).answer(
        request.query(), k=request.k, where=request.where, min_score=request.min_score
    )
    st.session_state[_ANSWERED] = (request, found)
    return found


def forget_answer() -> None:
    """Ask again next time: what was found may have changed."""
    st.session_state.pop(_ANSWERED, None)
