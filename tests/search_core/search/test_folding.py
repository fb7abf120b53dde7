"""How regions' scores and whole pictures' are put on one measure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search_core.encoders.base import Embeddings, EncoderIdentity, l2_normalised
from search_core.indexes import Flat
from search_core.schema.entity import Box, MediaEntity
from search_core.schema.filters import Filter
from search_core.search.filtered_search import Selectivities
from search_core.search.folding import (
    RAW,
    Folding,
    Scale,
    Scales,
    fold,
    measured_scales,
    size_of,
)
from search_core.store.library import Match
from search_core.store.memory.store import MemoryStore
from tests.conftest import clip_like_vectors, make_entity

DIM = 32
QUARTER: Box = (0.5, 0.5, 1.0, 1.0)
SMALL: Box = (0.1, 0.1, 0.2, 0.2)


def rows_with(
    frames: int, regions: int, box: Box, lift: float = 0.0
) -> list[tuple[MediaEntity, Embeddings]]:
    """Return keyframes with tiles of one size; ``lift`` moves the tiles towards all sentences."""
    rng = np.random.default_rng(5)
    middle = l2_normalised(SENTENCES.mean(axis=0))
    rows = []
    for number in range(frames):
        frame = make_entity(number)
        rows.append((frame, l2_normalised(rng.normal(size=DIM))))
        for tile in range(regions):
            vector = l2_normalised(rng.normal(size=DIM) + lift * middle)
            rows.append((frame.region("tile", tile, box), vector))
    return rows


SENTENCES = clip_like_vectors(40, DIM, seed=2)


def test_sizes_are_powers_of_two_of_the_pictures_side() -> None:
    frame = make_entity(1)
    assert size_of(frame.region("motion", 0, (0.0, 0.0, 1.0, 1.0))) == ("motion", 0)
    assert size_of(frame.region("tile", 0, QUARTER)) == ("tile", 1)
    assert size_of(frame.region("tile", 0, (0.0, 0.0, 1 / 3, 1 / 3))) == ("tile", 2)
    assert size_of(frame.region("motion", 0, SMALL)) == ("motion", 3)


@pytest.mark.parametrize(("regions", "lift"), [(1, 0.0), (9, 0.0), (4, 3.0)])
def test_half_of_the_keyframes_have_a_region_worth_more_than_half_of_the_pictures(
    regions: int, lift: float
) -> None:
    rows = rows_with(200, regions, QUARTER, lift)
    scales = measured_scales(rows, SENTENCES, 200)
    shift = scales.of_size["tile", 1].shift
    if regions == 1:  # the best of one is no better by chance
        assert shift == scales.usual.shift
        return
    assert shift < scales.usual.shift < 0

    def usual(of_regions: bool) -> float:
        best: dict[str, Embeddings] = {}
        for entity, vector in rows:
            if entity.is_region == of_regions:
                scores = SENTENCES @ vector + (shift if of_regions else 0.0)
                known = best.get(entity.keyframe_id, scores)
                best[entity.keyframe_id] = np.maximum(known, scores)
        return float(np.median(np.median(list(best.values()), axis=0)))

    assert usual(True) == pytest.approx(usual(False), abs=0.02)


def test_kinds_and_sizes_have_scales_of_their_own_and_few_regions_none() -> None:
    rows = rows_with(60, 6, QUARTER)
    rows += [
        (entity.region("motion", 0, SMALL), l2_normalised(np.ones(DIM)))
        for entity, _ in rows[:5]
        if not entity.is_region
    ]
    assert set(measured_scales(rows, SENTENCES, 200).of_size) == {("tile", 1)}
    assert measured_scales([], SENTENCES, 0) == RAW
    assert not measured_scales(rows_with(30, 0, QUARTER), SENTENCES, 30).of_size


def test_a_size_too_rare_to_be_measured_has_to_score_more_than_whole_pictures() -> None:
    rows = rows_with(30, 0, QUARTER)
    scales = measured_scales(rows, SENTENCES, 30)
    frame = rows[0][0]
    deviation = float(np.median((SENTENCES @ np.stack([each for _, each in rows]).T).std(axis=1)))
    worth = scales.score(frame.region("motion", 0, SMALL), 0.5)
    assert 0.5 - deviation < worth < 0.5
    assert scales.score(frame, 0.5) == 0.5 > scales.at_most(0.5) == worth


def test_a_size_that_was_not_measured_takes_the_nearest_of_its_kind() -> None:
    frame = make_entity(1)
    scales = Scales({("tile", 1): Scale(-0.1), ("tile", 3): Scale(-0.3), ("motion", 3): Scale(-1)})
    assert scales.score(frame.region("tile", 0, (0.0, 0.0, 1.0, 1.0)), 0.5) == pytest.approx(0.4)
    assert scales.score(frame.region("tile", 0, (0.0, 0.0, 0.1, 0.05)), 0.5) == pytest.approx(0.2)
    assert scales.score(frame, 0.5) == 0.5
    assert scales.at_most(0.5) == pytest.approx(0.4)
    assert RAW.at_most(0.5) == 0.5


def test_measured_scales_foretell_how_many_regions_a_search_takes(
    identity: EncoderIdentity,
) -> None:
    rows = rows_with(200, 9, QUARTER, lift=1.0)
    asked: list[int] = []

    class Counting(MemoryStore):
        def search(self, name: str, vectors: Embeddings, **options: Any) -> list[list[Match]]:
            asked.append(options["k"])
            return super().search(name, vectors, **options)

    store = Counting()
    store.ensure_library("main", replace(identity, dim=DIM), index=Flat())
    store.upsert("main", [entity for entity, _ in rows], np.stack([each for _, each in rows]))
    scales = measured_scales(rows, SENTENCES, 200)
    folding = Folding(store, lambda library: scales)
    cameras = Filter(cameras=("cam-1",))
    for sentence, where in zip(SENTENCES[:10], [Filter(), cameras] * 5, strict=True):
        asked.clear()
        folding.find(store.library("main"), sentence, Selectivities(store), k=20, where=where)
        pictures, regions = asked  # once each: what was foretold was enough
        assert pictures == 20
        assert regions < 200


def test_a_scale_never_raises_a_score() -> None:
    assert Scale(0.3).of(0.2) == 0.2
    assert Scale(-0.05).of(0.2) == pytest.approx(0.15)


def test_a_keyframe_is_found_by_its_best_row() -> None:
    frame, other = make_entity(1), make_entity(2)
    tile = frame.region("tile", 0, QUARTER)
    matches = [Match(0.5, tile), Match(0.4, other), Match(0.3, frame)]
    assert [match.entity for match in fold(matches)] == [tile, other]
    lowered = Scales({("tile", 1): Scale(-0.15)})
    assert [match.entity for match in fold(matches, lowered)] == [other, tile]
    lowered = Scales({("tile", 1): Scale(-0.25)})
    assert [match.entity for match in fold(matches, lowered)] == [other, frame]
