from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from search_core.access.audit_log import AuditLog
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import Access
from search_core.encoders.base import Embeddings, EncoderIdentity, Pixels, Preprocess, l2_normalised
from search_core.encoders.catalogue import Calibration, find_encoder
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.search.match_strength import (
    FRESH_S,
    MATCH,
    PLAIN_K,
    Background,
    Relevance,
    sure_before_fall,
)
from search_core.store.library import NO_FILTER, VectorPage
from search_core.store.memory.store import MemoryStore
from tests.conftest import clip_like_vectors, make_entity

DIM = 16
CAMERAS = ("cam-0", "cam-1", "cam-2")
PLAIN = Calibration(
    score=0.0, z=2.0, mean=0.0, deviation=0.0, ordinary=0.0, nearest=0.0, outdone=0.0,
    mean_squared=0.0, mean_z=0.0, unknown=-3.0, bias=-6.0, fall=2.0,
)  # fmt: skip


class Encoder:
    """Gives a sentence the vector it was told to, and many at once such as pictures have.

    Its name is the demo encoder's.
    """

    def __init__(self, name: str = "sightline-demo") -> None:
        self.identity = EncoderIdentity(name, "", "0" * 32, DIM, "fp32")
        self.preprocess = Preprocess((8, 8))
        self.says = np.ones(DIM, np.float32)

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        if len(texts) > 1:
            return clip_like_vectors(len(texts), DIM, seed=1)
        return l2_normalised(self.says)[None, :]

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        return self.encode_texts([""] * len(pixels))

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        return self.encode_texts([""] * len(images))


class DrawnStore(MemoryStore):
    """A store that remembers how often a background was drawn."""

    drawn = 0

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        self.drawn += 1
        return super().vectors(name, where=where, limit=limit, seed=seed)


def filled(encoder: Encoder, rows: int = 200) -> DrawnStore:
    store = DrawnStore()
    store.ensure_library("main", encoder.identity)
    if rows:
        vectors = clip_like_vectors(rows, DIM)
        store.upsert("main", [make_entity(at) for at in range(rows)], vectors)
    return store


def test_a_score_is_held_against_its_background() -> None:
    background = Background(0.35, mean=0.2, deviation=0.05, ordinary=0.5, nearest=0.9, outdone=0.0)
    assert background.strengths([0.35], PLAIN)[0] == pytest.approx(MATCH)  # three deviations above
    assert background.strengths([0.30], PLAIN)[0] < 0.2  # and one below the best
    assert replace(background, best=0.45).strengths([0.45], PLAIN)[0] > 0.95
    assert replace(background, best=0.20).strengths([0.20], PLAIN)[0] < 0.01
    assert replace(background, deviation=0.0).strengths([0.35], PLAIN)[0] < MATCH  # all alike
    half_known = replace(background, best=0.37, unknown=0.5)
    assert (
        half_known.strengths([0.37], PLAIN)[0]
        < MATCH
        < replace(half_known, unknown=0.0).strengths([0.37], PLAIN)[0]
    )
    wary = replace(PLAIN, outdone=-10.0)
    assert replace(background, best=0.45, outdone=0.5).strengths([0.45], wary)[0] < MATCH


def test_a_sentence_unlike_all_pictures_fits_nothing() -> None:
    encoder = Encoder()
    store = filled(encoder)
    vectors = clip_like_vectors(200, DIM)
    encoder.says = -vectors.mean(axis=0)
    answer = SearchEngine(encoder, store, "main").answer(Query("a red bus"), k=5)
    assert len(answer.hits) == 5 and answer.fits_nothing
    assert all(hit.is_weak for hit in answer.hits)
    assert answer.hits[0].to_dict()["strength"] < MATCH


@pytest.mark.parametrize(
    ("name", "text"), [("sightline-demo", "белая машина"), ("ViT-B-32", "一辆白色的车")]
)
def test_what_an_encoder_cannot_read_fits_nothing(name: str, text: str) -> None:
    encoder = Encoder(name)
    store = filled(encoder)
    encoder.says = clip_like_vectors(200, DIM)[7]
    answer = SearchEngine(encoder, store, "main").answer(Query(text), k=5)
    assert len(answer.hits) == 5 and answer.fits_nothing


@pytest.mark.parametrize(
    "text", ["asdfgh qwerty", "an aeroplane taking off", "SELECT 1", "?!", "一架飞机正在起飞"]
)
def test_a_sentence_of_unknown_words_fits_nothing(text: str) -> None:
    encoder = Encoder()
    encoder.says = clip_like_vectors(200, DIM)[7]
    answer = SearchEngine(encoder, filled(encoder), "main").answer(Query(text), k=5)
    assert len(answer.hits) == 5 and answer.fits_nothing


def test_unknown_words_are_said_where_the_vocabulary_is_known() -> None:
    encoder, other = Encoder(), Encoder("ViT-B-32")
    query = Query("Show me a shiny red car", without=("graffiti",))
    answer = SearchEngine(encoder, filled(encoder), "main").answer(query, k=5)
    assert answer.unknown == ("shiny", "graffiti")
    assert SearchEngine(other, filled(other), "main").answer(query, k=5).unknown == ()


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Filters over what make_entity gives: three cameras, 200 s, two lots of tags."""
    seconds = sorted(draw(st.tuples(st.integers(0, 199), st.integers(1, 200))))
    start = datetime(1970, 1, 1, tzinfo=UTC)
    is_timed = draw(st.booleans())
    return Filter(
        cameras=tuple(draw(st.sets(st.sampled_from(CAMERAS)))),
        after=start + timedelta(seconds=seconds[0]) if is_timed else None,
        before=start + timedelta(seconds=seconds[1] + 1) if is_timed else None,
        media_type=draw(st.sampled_from([None, "frame"])),
        tags=tuple(draw(st.sets(st.sampled_from(["odd", "even", "all"]), max_size=1))),
    )


@pytest.fixture(scope="module", params=["whole pictures", "regions as well"])
def searched(request: pytest.FixtureRequest) -> tuple[Encoder, MemoryStore, Relevance]:
    encoder = Encoder()
    store = filled(encoder)
    if request.param == "regions as well":
        vectors = clip_like_vectors(200, DIM, seed=5)
        box = (0.1, 0.1, 0.3, 0.3)
        regions = [make_entity(at).region("motion", 0, box) for at in range(0, 200, 2)]
        store.upsert("main", regions, vectors[::2])
    return encoder, store, Relevance(encoder, store)


@settings(deadline=None)
@given(
    where=st.just(NO_FILTER) | filters(),
    allowed=st.none() | st.sets(st.sampled_from(CAMERAS), min_size=1),
    k=st.just(PLAIN_K) | st.integers(1, 120),
    about=st.integers(0, 199),
    seed=st.sampled_from((0, 5)),
)
def test_nothing_that_narrows_a_search_changes_a_strength(
    searched: tuple[Encoder, MemoryStore, Relevance],
    tmp_path_factory: pytest.TempPathFactory,
    where: Filter,
    allowed: set[str] | None,
    k: int,
    about: int,
    seed: int,
) -> None:
    encoder, store, relevance = searched
    encoder.says = clip_like_vectors(200, DIM, seed=seed)[about]
    whole = SearchEngine(encoder, store, "main", relevance=relevance)
    verdicts = {hit.entity.id: hit.strength for hit in whole.answer(Query("a red car"), k=200).hits}

    cameras = None if allowed is None else tuple(sorted(allowed))
    audit = AuditLog(tmp_path_factory.mktemp("audit") / "audit.db")
    own = GuardedStore(store, Access("guard", "viewer", cameras), audit)
    engine = SearchEngine(encoder, own, "main", relevance=relevance, cameras=cameras)
    for hit in engine.answer(Query("a red car"), k=k, where=where).hits:
        assert hit.strength == verdicts[hit.entity.id]


class Spoken(Encoder):
    """Gives each sentence a vector of its own."""

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        known = {"a car": 7, "red": 8}
        if not set(texts) <= set(known):
            return super().encode_texts(texts)
        return clip_like_vectors(200, DIM)[[known[text] for text in texts]]


def test_leaving_out_keeps_the_sentences_strengths_and_drops_what_shows_the_rest() -> None:
    encoder = Spoken()
    engine = SearchEngine(encoder, filled(encoder), "main")
    told = {hit.entity.id: hit.strength for hit in engine.answer(Query("a car"), k=200).hits}
    hits = engine.answer(Query("a car", without=("red",)), k=200).hits
    assert [hit.strength for hit in hits] == [
        pytest.approx(told[hit.entity.id], abs=1e-5) for hit in hits
    ]
    assert make_entity(7).id in {hit.entity.id for hit in hits}
    assert make_entity(8).id not in {hit.entity.id for hit in hits}
    assert [hit.is_less_sure for hit in hits] == sorted(hit.is_less_sure for hit in hits)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len(engine.answer(Query("a car", without=("red",)), k=3).hits) == 3


def test_nothing_is_left_out_by_unknown_words() -> None:
    encoder = Spoken()
    engine = SearchEngine(encoder, filled(encoder), "main")
    whole = engine.answer(Query("a car"), k=200)
    answer = engine.answer(Query("a car", without=("graffiti",)), k=200)
    assert [hit.entity.id for hit in answer.hits] == [hit.entity.id for hit in whole.hits]
    assert answer.unknown == ("graffiti",)


def test_pictures_are_divided_where_their_scores_fall_off() -> None:
    assert sure_before_fall([0.98, 0.97, 0.80, 0.79]) == 2
    assert sure_before_fall([0.80, 0.78, 0.76, 0.74]) is None
    assert sure_before_fall([0.9]) is None
    assert sure_before_fall([]) is None
    encoder = Encoder()
    engine = SearchEngine(encoder, filled(encoder), "main")
    encoder.says = clip_like_vectors(200, DIM)[7]
    hits = engine.answer(Query(image=Image.new("RGB", (8, 8))), k=20).hits
    assert [hit.is_less_sure for hit in hits] == [False] + [True] * 19  # itself, and the others


def test_strengths_fall_with_the_score() -> None:
    encoder = Encoder()
    store = filled(encoder)
    encoder.says = clip_like_vectors(200, DIM)[7]
    hits = SearchEngine(encoder, store, "main").answer(Query("a red car"), k=20).hits
    strengths = [hit.strength for hit in hits if hit.strength is not None]
    assert len(strengths) == len(hits)
    assert strengths == sorted(strengths, reverse=True)


def test_pictures_mixtures_and_unmeasured_encoders_get_none() -> None:
    encoder = Encoder()
    engine = SearchEngine(encoder, filled(encoder), "main")
    for query in (
        Query(image=Image.new("RGB", (8, 8))),
        Query("a car", image=Image.new("RGB", (8, 8)), without=("red",)),
        Query("a car", templates=("a photo of {}",)),
    ):
        answer = engine.answer(query, k=3)
        assert [hit.strength for hit in answer.hits] == [None] * 3 and not answer.fits_nothing
    other = Encoder("ViT-B-32")
    answer = SearchEngine(other, filled(other), "main").answer(Query("a car"), k=3)
    assert answer.hits[0].strength is None


def test_a_background_is_drawn_once_a_while() -> None:
    encoder, now = Encoder(), [0.0]
    store = filled(encoder)
    relevance = Relevance(encoder, store, clock=lambda: now[0])
    [text] = encoder.encode_texts(["x"])
    for _ in range(3):
        assert relevance.background(store.library("main"), text)
    assert store.drawn == 1
    now[0] = FRESH_S
    relevance.background(store.library("main"), text)
    assert store.drawn == 2


def test_an_empty_library_has_no_background() -> None:
    encoder = Encoder()
    store = filled(encoder, rows=0)
    relevance = Relevance(encoder, store)
    [text] = encoder.encode_texts(["x"])
    assert relevance.background(store.library("main"), text) is None


def test_the_demo_encoder_is_calibrated() -> None:
    spec = find_encoder("sightline-demo")
    assert spec is not None and spec.calibration is not None
