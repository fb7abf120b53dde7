"""One search as a page asks it, and its answer, kept while the page is drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from dashboard import resources
from dashboard.components.image_input import Box, QueryPicture
from dashboard.components.stills import still_of
from search_core.encoders.base import Embeddings
from search_core.errors import EntityNotFound
from search_core.indexes import SearchParams
from search_core.schema.filters import Filter
from search_core.search.engine import Answer, Query
from search_core.search.left_out import WITHOUT_WEIGHT
from search_core.search.lettering import split_quoted
from search_core.search.pairs import PairAnswer, answer_pairs
from search_core.search.query_text.sequence import Sequence
from search_core.store.library import NO_FILTER

_ANSWERED = "answered"
_PAIRED = "answered_pairs"
_EMBEDDED = "answer_embeddings"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Everything a search depends on; equal requests have equal answers.

    ``like``, ``less_like`` and ``not_like`` are ids of stored pictures (see Query). ``region`` is a
    part of the picture, or of the still of the one that is ``like``; ``params`` is how thoroughly
    the index is searched, None as the library has it.
    """

    library: str
    text: str = ""
    picture: QueryPicture | None = None
    like: tuple[str, ...] = ()
    less_like: tuple[str, ...] = ()
    not_like: tuple[str, ...] = ()
    region: Box | None = None
    text_weight: float = 0.5
    without: tuple[str, ...] = ()
    without_weight: float = WITHOUT_WEIGHT
    where: Filter = NO_FILTER
    k: int = 50
    min_score: float | None = None
    params: SearchParams | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.text.strip() or self.picture or self.like)

    def query(self) -> Query:
        """Return it as search_core's query; raises EntityNotFound."""
        image, like = self.picture.image if self.picture else None, self.like
        if image is None and len(like) == 1 and self.region is not None:
            image, like = _still(self.library, like[0]), ()
        if image is not None and self.region is not None:
            image = self.region.of(image)
        return Query(
            text=self.text.strip() or None,
            image=image,
            like=like,
            less_like=self.less_like,
            not_like=self.not_like,
            text_weight=self.text_weight,
            without=self.without,
            without_weight=self.without_weight,
        )

    def in_words(self) -> str:
        """Return what is looked for, as a contact sheet's title says it."""
        sentence, quoted = split_quoted(self.text)
        parts = [f"“{sentence}”"] if sentence else []
        if quoted:
            parts.append(f"read: {', '.join(quoted)}")
        if self.picture:
            parts.append("an uploaded picture")
        if self.like:
            parts.append(f"like {', '.join(self.like)}")
        words = " + ".join(parts)
        if self.region is not None:
            words += " (a region of it)"
        if self.without:
            words += f", without {', '.join(self.without)}"
        if self.less_like:
            words += f", less like {', '.join(self.less_like)}"
        if self.not_like:
            words += f", without what looks like {', '.join(self.not_like)}"
        return words


def answer(request: SearchRequest) -> Answer:
    """Search; a request this session asked just before is not asked again.

    Raises EncoderMismatch, LibraryNotFound, EntityNotFound.
    """
    known = st.session_state.get(_ANSWERED)
    if known is not None and known[0] == request:
        kept: Answer = known[1]
        return kept
    found = resources.engine(request.library).answer(
        request.query(),
        k=request.k,
        where=request.where,
        params=request.params,
        min_score=request.min_score,
    )
    st.session_state[_ANSWERED] = (request, found)
    return found


def answer_pairs_of(request: SearchRequest, wanted: Sequence) -> PairAnswer:
    """Search for two things one after the other, as :func:`answer` does for one."""
    known = st.session_state.get(_PAIRED)
    if known is not None and known[0] == (request, wanted):
        kept: PairAnswer = known[1]
        return kept
    found = answer_pairs(
        resources.engine(request.library),
        wanted,
        k=request.k,
        where=request.where,
        without=request.without,
        params=request.params,
        min_score=request.min_score,
    )
    st.session_state[_PAIRED] = ((request, wanted), found)
    return found


def embeddings(request: SearchRequest, found: Answer) -> Mapping[str, Embeddings]:
    """Return the embeddings of what was found, by id, read once for an answer."""
    known = st.session_state.get(_EMBEDDED)
    if known is not None and known[0] is found:
        kept: Mapping[str, Embeddings] = known[1]
        return kept
    where = Filter(ids=tuple(hit.entity.id for hit in found.hits))
    read = {
        entity.id: vector
        for page in resources.store().vectors(request.library, where=where)
        for entity, vector in zip(page.entities, page.embeddings, strict=True)
    }
    st.session_state[_EMBEDDED] = (found, read)
    return read


def forget_answer() -> None:
    """Ask again next time: what was found may have changed."""
    st.session_state.pop(_ANSWERED, None)
    st.session_state.pop(_PAIRED, None)


def _still(library: str, entity_id: str) -> Image.Image:
    entity = resources.entity(library, entity_id)
    if entity is None:
        raise EntityNotFound("The library {name} has no entity {id}.", name=library, id=entity_id)
    return still_of(entity)
