"""Parts of wide frames: what may be said of them, and the batches they are part of."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.media.regions.tiles import TILES as INGESTED_TILES
from sightline.demo.scenes.facts import ATTRIBUTES
from sightline.demo.scenes.scenes import Person, Placement, Scene, Vehicle, held_out
from sightline.demo.training.batches import Themes, WideScenes, draw_batch
from sightline.demo.training.cache import make_group, open_cache, open_view_cache
from sightline.demo.training.captions import facts
from sightline.demo.training.sampling import span
from sightline.demo.training.views import TILES, VIEWS, WHOLE, view_of, wide_scene, wide_views

seeds = st.integers(0, 2**31)


def _scene(*things: Person | Vehicle) -> Scene:
    return Scene("junction", "day", "clear", things, 1)


LORRY = Vehicle(Placement(0.3, 0.8, 0.3, 1, 0.0), "lorry", "white", "JCN")
WALKER = Person(Placement(0.8, 0.9, 0.5, 1, 0.0), "red", "black", "walking", hat="blue")


def test_the_tiles_are_those_of_ingest() -> None:
    assert TILES == INGESTED_TILES


@settings(max_examples=60)
@given(seeds)
def test_a_view_tells_only_of_what_lies_in_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = wide_scene(seed % 1000, seed)
    assert not any(map(held_out, scene.things))
    views = wide_views(seed % 1000, seed)
    assert len(views) == VIEWS and views[0].box == WHOLE
    for view in views:
        left, top, right, bottom = view.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        assert set(view.scene.things) <= set(scene.things)
        for thing, told in zip(view.scene.things, view.told, strict=True):
            x0, y0, x1, y1 = span(thing)
            assert x0 < right and x1 > left and y0 < bottom and y1 > top
            assert told <= set(ATTRIBUTES[type(thing)])
        if view.scene.things:
            claims = facts(rng, view.scene, told=view.told, is_part=view.side < 0.45)
            assert claims.holds(scene)
            named = {name for claim in claims.things for name, _ in claim.attributes}
            assert named <= frozenset().union(*view.told)
            assert claims.place is None or view.side >= 0.45


def test_what_is_cut_off_keeps_its_colour_and_loses_its_lettering() -> None:
    whole = view_of(_scene(LORRY), WHOLE)
    assert whole.told == (frozenset({"colour", "lettering"}),)
    left, top, right, _ = span(LORRY)
    middle = (left + right) / 2
    half = view_of(_scene(LORRY), (middle - 0.05, top - 0.1, middle + 0.5, top + 0.45))
    assert half.scene.things == (LORRY,) and half.told == (frozenset({"colour"}),)
    bit = view_of(_scene(LORRY), (right - 0.2 * (right - left), 0.4, 1.0, 1.0))
    assert not bit.scene.things and not bit.is_clear


def test_a_person_without_a_head_in_view_is_a_person_alone() -> None:
    _, top, _, bottom = span(WALKER)
    below = top + 0.4 * (bottom - top)
    legs = view_of(_scene(WALKER), (0.55, below, 1.0, below + 0.45))
    assert legs.scene.things == (WALKER,) and legs.told == (frozenset(),)
    assert "hat" in view_of(_scene(WALKER), (0.4, 0.35, 1.0, 0.95)).told[0]


def test_a_few_pixels_have_no_hat_and_fewer_are_nothing() -> None:
    def seen(size: float) -> set[str] | None:
        small = Person(Placement(0.5, 0.8, size, 1, 0.0), "red", "black", "walking", hat="blue")
        told = view_of(_scene(small), WHOLE).told
        return set(told[0]) if told else None

    assert seen(0.5) is not None and "hat" in (seen(0.5) or ())
    assert seen(0.2) == {"top", "action", "umbrella"}
    assert seen(0.05) is None


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_batch_mixes_whole_frames_and_views(cache: Path) -> None:
    groups = [make_group(3, index) for index in range(120)]
    frames = open_cache(cache, len(groups), 3, 1)
    views = [wide_views(3, index) for index in range(24)]
    wide = WideScenes(views, open_view_cache(cache, len(views), 3, 1))
    assert frames.shape[:2] == (120, 3) and wide.frames.shape[:2] == (24, VIEWS)
    rng = np.random.default_rng(0)
    batch = draw_batch(groups, frames, rng, 32, themes=Themes(groups), wide=wide)
    assert batch.frames.shape == (32, 90, 160, 3) and len(batch.captions) == 32
    assert 4 < sum(not text.isascii() for text in batch.captions) < 28
    again = draw_batch(
        groups, frames, np.random.default_rng(0), 32, themes=Themes(groups), wide=wide
    )
    assert again.captions == batch.captions and np.array_equal(again.frames, batch.frames)
    drawn = wide.draw(rng, 12)
    assert len(set(drawn)) == len(drawn) == 12
    for index, number in drawn:
        view = views[index][number]
        assert view.scene.things or view.is_clear
