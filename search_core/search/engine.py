"""Queries by sentence, picture or stored entity, and the engine that answers them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from PIL import Image

from search_core.encoders.base import Embeddings, Encoder, l2_normalised
from search_core.encoders.prompts import text_read, understands, unknown_words
from search_core.errors import EntityNotFound, UsageError
from search_core.indexes import SearchParams
from search_core.messages import Message
from search_core.schema.entity import Box, MediaEntity, keyframe_id_of
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line
from search_core.search import lettering
from search_core.search.filtered_search import Effort, Selectivities
from search_core.search.folding import NO_PARAMS, Found, filters_asked, minds_filter
from search_core.search.left_out import WITHOUT_WEIGHT, Unwanted, looks_like, stays
from search_core.search.match_strength import MATCH, PLAIN_K, Relevance, sure_before_fall
from search_core.search.query_log import QueryKind, QueryLog, RecordedQuery
from search_core.store.library import NO_FILTER, LibraryInfo, Match, Store

DEFAULT_K = PLAIN_K


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: a sentence, a picture, stored entities, or a mix of them.

    ``like`` are the ids of the entities, keyframes or regions of some. With several, the embeddings
    of all pictures are averaged, then the sentence's with theirs: ``text_weight`` (0 to 1) is
    its share. ``templates`` put the sentence into prompts (see prompts). ``without`` are
    sentences to leave out, and ``not_like`` entities, with what looks like them; ``less_like``
    are entities like which ranks lower. All this as strongly as ``without_weight`` (0 to 1)
    says. ``lettering`` are words that must have been read on what is found, as are those in
    quotation marks in ``text``.
    """

    text: str | None = None
    image: Image.Image | None = None
    like: tuple[str, ...] = ()
    text_weight: float = 0.5
    templates: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    without_weight: float = WITHOUT_WEIGHT
    less_like: tuple[str, ...] = ()
    not_like: tuple[str, ...] = ()
    lettering: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        has_text = bool((self.text and self.text.strip()) or self.lettering)
        if not has_text and self.image is None and not self.like:
            raise UsageError(
                "There is nothing to search for.", "Give a sentence, a picture or an entity's id."
            )
        if not 0.0 <= self.text_weight <= 1.0:
            raise UsageError(
                "The text weight must be from 0 to 1, not {weight}.",
                weight=self.text_weight,
            )
        if not 0.0 <= self.without_weight <= 1.0:
            raise UsageError(
                "The weight of what is left out must be from 0 to 1, not {weight}.",
                weight=self.without_weight,
            )

    @property
    def sentence(self) -> str:
        """The text without what is quoted in it."""
        return lettering.split_quoted(self.text or "")[0]

    @property
    def quoted(self) -> tuple[str, ...]:
        """The words that must have been read on what is found."""
        quoted = lettering.split_quoted(self.text or "")[1]
        return tuple(dict.fromkeys(filter(str.strip, (*self.lettering, *quoted))))

    @property
    def seen(self) -> str:
        """What the encoder is asked in words: the sentence, or quoted words alone."""
        alone = self.image is None and not self.like
        return self.sentence or (" ".join(self.quoted) if alone else "")

    @property
    def texts(self) -> list[str]:
        """The sentence and those to leave out, without the empty ones."""
        return [text.strip() for text in (self.sentence, *self.without) if text.strip()]

    @property
    def kind(self) -> QueryKind:
        """Whether a sentence alone is looked for, or a picture or a stored entity has a part."""
        return "text" if self.image is None and not self.like else "image"

    @property
    def like_keyframes(self) -> frozenset[str]:
        """The keyframes of which a whole or a region is ``like``: they are no answers."""
        return frozenset(map(keyframe_id_of, self.like))

    @property
    def takes_away(self) -> bool:
        """Whether something is to be left out, or ranked lower."""
        return bool(self.without or self.less_like or self.not_like) and self.without_weight > 0


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: its rank from 1, its score (cosine similarity, higher is better), the entity.

    ``strength`` says how sure it is a match, 0 to 1, where that can be told (see relevance);
    ``is_past_fall`` that it comes after the scores of a picture's search fell off. ``box`` is
    the region it was found by, None for the whole picture, and ``region`` the id of that one's
    row; the score is then what the region's is worth beside whole pictures'. ``lines`` are
    those with the words looked for, where it was found by them; ``is_seen`` whether what was
    looked for in words or pictures had a part.
    """

    rank: int
    score: float
    entity: MediaEntity
    strength: float | None = None
    is_past_fall: bool = False
    box: Box | None = None
    region: str = ""
    lines: tuple[Line, ...] = ()
    is_seen: bool = True

    @property
    def found_by(self) -> lettering.FoundBy:
        """Whether it was found by what is seen on it, by what was read, or by both."""
        if not self.lines:
            return "seen"
        is_weak = self.strength is not None and self.strength < MATCH
        return "seen and read" if self.is_seen and not is_weak else "read"

    @property
    def is_less_sure(self) -> bool:
        """Whether it belongs below the line between matches and the rest."""
        return self.is_weak or (self.is_past_fall and not self.lines)

    @property
    def is_weak(self) -> bool:
        """Whether it is known to be no match but only the least unlike of what there is."""
        return self.strength is not None and self.strength < MATCH and not self.lines

    def to_dict(self) -> dict[str, Any]:
        """Return the fields other programs rely on, and the rest of the entity."""
        entity = self.entity
        return {
            "rank": self.rank,
            "id": entity.id,
            "score": round(self.score, 6),
            "strength": None if self.strength is None else round(self.strength, 3),
            "camera": entity.camera,
            "captured_at": entity.captured_at_iso,
            "captured_from": entity.captured_from,
            "uri": entity.uri,
            "media_type": entity.media_type,
            "pts_ms": entity.pts_ms,
            "span_ms": entity.span_ms,
            "width": entity.width,
            "height": entity.height,
            "thumbnail": entity.thumbnail,
            "caption": entity.caption,
            "tags": list(entity.tags),
            "found_by": self.found_by,
            "lettering": lettering.lines_to_json(self.lines),
            "box": None if self.box is None else [round(edge, 4) for edge in self.box],
            "region": self.region or None,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found, what was done about its filter, and what it cost.

    ``encode_ms`` went into embedding the query, ``milvus_ms`` into asking Milvus. ``embedding``
    (dim,) is what was searched by. ``truncated`` holds, of each sentence longer than the encoder
    reads, the beginning that it read; ``unknown`` the words that mean nothing to it, where that is
    known (see prompts) and they were not read. ``unread`` is how many pictures that pass were not
    read yet, where words had to be.
    """

    hits: list[Hit]
    encode_ms: float
    milvus_ms: float
    effort: Effort
    embedding: Embeddings = field(compare=False, repr=False)
    truncated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unread: int = 0

    @property
    def fits_nothing(self) -> bool:
        """Whether there are hits and none is a match."""
        return bool(self.hits) and all(hit.is_weak for hit in self.hits)


class SearchEngine:
    """Answers queries from one library with one encoder; raises EncoderMismatch at once.

    Engines made often share ``selectivities`` and ``relevance``; with a ``log``, searches are
    recorded in it.
    ``cameras`` are those whose pictures may be found, None for all; ``on_ask`` hears each query
    with its filter and k before it is answered, and may refuse it.
    """

    def __init__(
        self,
        encoder: Encoder,
        store: Store,
        library: str,
        *,
        selectivities: Selectivities | None = None,
        relevance: Relevance | None = None,
        log: QueryLog | None = None,
        cameras: tuple[str, ...] | None = None,
        on_ask: Callable[[Query, Filter, int], None] = lambda query, where, k: None,
    ) -> None:
        store.library(library, encoder.identity)
        self._encoder = encoder
        self._store = store
        self._library = library
        self._selectivities = selectivities or Selectivities(store)
        self._relevance = relevance or Relevance(encoder, store)
        self._log = log
        self._cameras = cameras
        self._on_ask = on_ask

    def answer(
        self,
        query: Query,
        *,
        k: int = DEFAULT_K,
        where: Filter = NO_FILTER,
        params: SearchParams | None = None,
        min_score: float | None = None,
    ) -> Answer:
        """Return the best ``k`` hits for a query, best first; those below ``min_score`` left out.

        A query by stored entities does not return those themselves. Raises EntityNotFound.
        """
        library = self._store.library(self._library, self._encoder.identity)
        self._on_ask(query, where, k)
        # Here too, though a guarded store does it: how hard to search depends on the whole filter.
        where = where.seen_by(self._cameras)
        more = len(query.like)
        if query.without or query.not_like:  # some are dropped
            more += min(k, max(0, library.index.max_hits - k - more))
        if params is not None and params.ef is not None:
            params = replace(params, ef=params.ef + more)
        started = time.perf_counter()
        for asked in filters_asked(library, where):
            if minds_filter(library, asked, params or NO_PARAMS):
                self._selectivities.expect(library, asked)
        wanted = self._wanted(query)
        unwanted = self._unwanted(query) if query.takes_away else None
        embedding = unwanted.taken_from(wanted, query.without_weight) if unwanted else wanted
        embedded = time.perf_counter()
        unknown = unknown_words(library.encoder.name, " ".join(query.texts)).words
        read = self._read(query, library, unknown, where, k)
        if query.quoted:
            found = Found(self._scored(read, embedding), _among(read))
        else:
            found = self._relevance.folding.find(
                library, embedding, self._selectivities, k=k + more, where=where, params=params
            )
            if read:
                there = {match.entity.keyframe_id for match in found.matches}
                others = [one for one in read if one.entity.id not in there]
                found.matches.extend(self._scored(others, embedding))
        by_id = {one.entity.id: one for one in read}
        like = query.like_keyframes
        ended = time.perf_counter()
        if self._log is not None:
            recorded = RecordedQuery(query.kind, query.text or "", embedding, where, k)
            self._log.record(self._library, library.encoder, recorded)
        kept = [
            match
            for match in found.matches
            if not (query.like and match.entity.keyframe_id in like)
            and (min_score is None or match.score >= min_score or match.entity.keyframe_id in by_id)
        ]
        scores = [match.score for match in kept]
        if unwanted and not unwanted.is_nothing:
            kept, scores = self._without(library, query, kept, wanted, unwanted)
        is_usual = k == PLAIN_K and params in (None, NO_PARAMS)
        is_plain = is_usual and where.is_empty and not (query.takes_away or query.quoted)
        first = found.matches[0] if found.matches and is_plain else None
        if first is not None and first.entity.box:
            first = None  # its picture need not be the best of whole ones
        if not by_id:
            del kept[k:], scores[k:]
        strengths = self._strengths(query, library, wanted, scores, first)
        hits = _with_lines(query, _as_hits(query, kept, strengths), read)[:k]
        encode_ms, milvus_ms = (embedded - started) * 1000, (ended - embedded) * 1000
        return Answer(
            hits,
            encode_ms,
            milvus_ms,
            found.effort,
            embedding,
            self._truncated(query),
            lettering.unread_words(unknown, read) if read else unknown,
            self._unread(library, where) if query.quoted else 0,
        )

    def standing(self, answer: Answer) -> list[float]:
        """Return by how many deviations each hit's score stands out of the library at large.

        It compares between sentences, as scores do not.
        """
        library = self._store.library(self._library, self._encoder.identity)
        at_large = self._relevance.drawn(library) @ answer.embedding
        mean, deviation = float(at_large.mean()), float(at_large.std()) + 1e-9
        return [(hit.score - mean) / deviation for hit in answer.hits]

    def _read(
        self,
        query: Query,
        library: LibraryInfo,
        unknown: Sequence[str],
        where: Filter,
        k: int,
    ) -> list[lettering.Found]:
        """Return what was found by words that were read, best first."""
        if query.quoted:
            return lettering.find_quoted(self._store, library, query.quoted, where, k)
        if query.kind != "text" or not query.sentence or not library.has_lettering:
            return []
        return lettering.find_in_sentence(self._store, library, query.sentence, unknown, where)

    def _scored(self, read: Sequence[lettering.Found], embedding: Embeddings) -> list[Match]:
        """Return what was read as matches of an embedding (dim,), best first."""
        vectors = self._vectors([one.entity.id for one in read])
        matches = [
            Match(float(vectors[one.entity.id] @ embedding), one.entity)
            for one in read
            if one.entity.id in vectors  # not deleted since
        ]
        return sorted(matches, key=lambda match: -match.score)

    def _unread(self, library: LibraryInfo, where: Filter) -> int:
        where = replace(where, is_unread=True)
        return self._store.count(library.name, where, fresh=False)

    def _truncated(self, query: Query) -> tuple[str, ...]:
        texts = query.texts
        read = [text_read(self._encoder, text, query.templates) for text in texts]
        return tuple(part for text, part in zip(texts, read, strict=True) if part != text)

    def _strengths(
        self,
        query: Query,
        library: LibraryInfo,
        wanted: Embeddings,
        scores: list[float],
        first: Match | None,
    ) -> Sequence[float | None]:
        """Return the strength of each of a sentence's scores; a mixed query's is not told.

        ``wanted`` (dim,) is what to look for, whatever is left out; ``first`` the library's best
        for it, where the search has found that.
        """
        untold = [None] * len(scores)
        calibration = self._relevance.calibration
        name, text = library.encoder.name, query.sentence
        if query.quoted and not text:
            return untold
        unknown = unknown_words(name, text).share
        if query.kind == "text" and (not understands(name, text) or unknown >= 1.0):
            return [0.0] * len(scores)  # what it finds is chance
        plain = query.kind == "text" and not query.templates
        if calibration is None or not plain or not scores:
            return untold
        background = self._relevance.background(library, wanted, first, unknown)
        if background is None:
            return untold
        return background.strengths(scores, calibration)

    def _without(
        self,
        library: LibraryInfo,
        query: Query,
        kept: list[Match],
        wanted: Embeddings,
        unwanted: Unwanted,
    ) -> tuple[list[Match], list[float]]:
        """Return the matches that do not show what is left out, and what each scores without it."""
        vectors = self._vectors([match.entity.id for match in kept])
        kept = [match for match in kept if match.entity.id in vectors]  # not deleted since
        if not kept:
            return [], []
        found = np.stack([vectors[match.entity.id] for match in kept])
        drawn = self._relevance.drawn(library)
        still = stays(found, drawn, wanted, unwanted.texts)
        still &= ~looks_like(found, drawn, wanted, unwanted.not_like)
        not_like = set(map(keyframe_id_of, query.not_like))
        still &= [match.entity.keyframe_id not in not_like for match in kept]
        scored = zip(kept, (found @ wanted).tolist(), still, strict=True)
        rows = [(match, score) for match, score, stays in scored if stays]
        scales = self._relevance.folding.scales_for(library, kept)
        return [match for match, _ in rows], [
            scales.score(match.entity, score) for match, score in rows
        ]

    def embed(self, query: Query) -> Embeddings:
        """Return the query's embedding (dim,), of length 1."""
        wanted = self._wanted(query)
        if not query.takes_away:
            return wanted
        return self._unwanted(query).taken_from(wanted, query.without_weight)

    def _unwanted(self, query: Query) -> Unwanted:
        """Return the embeddings of what is left out; of words, those that the encoder knows."""
        name = self._encoder.identity.name
        texts = [text.strip() for text in query.without if text.strip()]
        texts = [text for text in texts if unknown_words(name, text).share < 1.0]
        none = np.empty((0, self._encoder.identity.dim), np.float32)
        return Unwanted(
            self._encoder.encode_texts(texts, query.templates) if texts else none,
            self._stored(query.less_like) if query.less_like else none,
            self._stored(query.not_like) if query.not_like else none,
        )

    def _wanted(self, query: Query) -> Embeddings:
        pictures: list[Embeddings] = []
        if query.image is not None:
            pictures.append(self._encoder.encode_images([query.image])[0])
        if query.like:
            pictures.extend(self._stored(query.like))
        if not query.seen:
            return l2_normalised(np.mean(pictures, axis=0))
        [text] = self._encoder.encode_texts([query.seen], query.templates)
        if not pictures:
            return l2_normalised(text)
        picture = np.mean(pictures, axis=0)
        mixed = query.text_weight * text + (1.0 - query.text_weight) * picture
        return l2_normalised(mixed)

    def _stored(self, ids: tuple[str, ...]) -> Embeddings:
        """Return the embeddings (n, dim) of stored entities; raises EntityNotFound."""
        if len(ids) == 1:
            return self._store.embedding(self._library, ids[0])[None, :]
        vectors = self._vectors(ids)
        for entity_id in ids:
            if entity_id not in vectors:
                raise EntityNotFound(
                    "The library {name} has no entity {id}.", name=self._library, id=entity_id
                )
        return np.stack([vectors[entity_id] for entity_id in ids])

    def _vectors(self, ids: Sequence[str]) -> dict[str, Embeddings]:
        """Return the embeddings (dim,) of the keyframes and regions that are there, by id."""
        regions = tuple(row_id for row_id in ids if keyframe_id_of(row_id) != row_id)
        keyframes = tuple(row_id for row_id in ids if row_id not in regions)
        asked = [Filter(ids=keyframes)] if keyframes else []
        asked += [Filter(ids=regions).regions_alone()] if regions else []
        return {
            entity.id: vector
            for where in asked
            for page in self._store.vectors(self._library, where=where)
            for entity, vector in zip(page.entities, page.embeddings, strict=True)
        }


def _as_hits(query: Query, kept: Sequence[Match], strengths: Sequence[float | None]) -> list[Hit]:
    """Return matches as hits, ranked: the sure ones before the others, else as they are."""
    sure = None if query.kind == "text" else sure_before_fall([match.score for match in kept])
    hits = [
        Hit(
            *(
                0,
                match.score,
                match.entity.keyframe if match.entity.box else match.entity,
                strength,
                sure is not None and at >= sure,
            ),
            box=cast(Box, match.entity.box) if match.entity.box else None,
            region=match.entity.id if match.entity.box else "",
        )
        for at, (match, strength) in enumerate(zip(kept, strengths, strict=True))
    ]
    hits.sort(key=lambda hit: hit.is_less_sure)  # what is left out changes the order of scores
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]


def _with_lines(query: Query, hits: Sequence[Hit], read: Sequence[lettering.Found]) -> list[Hit]:
    """Return hits, best first, in one order with what was read, each with its lines."""
    if not read:
        return list(hits)
    lines = {one.entity.id: one.reading.lines for one in read}
    is_seen = not query.quoted or bool(query.sentence) or query.kind == "image"
    found = [replace(hit, lines=lines.get(hit.entity.id, ()), is_seen=is_seen) for hit in hits]
    if is_seen:
        order = lettering.fused_order([hit.entity.id for hit in found], lettering.read_ranks(read))
        found = [found[position] for position in order]
    else:
        places = {one.entity.id: place for place, one in enumerate(read)}
        found.sort(key=lambda hit: places[hit.entity.id])
    found.sort(key=lambda hit: hit.is_less_sure)
    return [replace(hit, rank=rank) for rank, hit in enumerate(found, start=1)]


def _among(read: Sequence[lettering.Found]) -> Effort:
    reason = Message("Only pictures on which these words were read: {count:,}.", count=len(read))
    return Effort("exact", NO_PARAMS, reason if read else "")
