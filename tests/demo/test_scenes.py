"""Scenes: seeded, apart from each other, and never a held-out combination in training."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.demo.scenes.facts import Facts
from sightline.demo.scenes.scenes import HELD_OUT, Person, Scene, held_out
from sightline.demo.scenes.tracks import visible_share
from sightline.demo.training.cache import make_group
from sightline.demo.training.evaluate import UNSEEN, unseen_scenes
from sightline.demo.training.sampling import overlap, sample_scene, sample_sibling

seeds = st.integers(0, 2**31)


def _scene(seed: int) -> Scene:
    return sample_scene(np.random.default_rng(seed))


@given(seeds)
def test_the_same_seed_gives_the_same_scene(seed: int) -> None:
    assert _scene(seed) == _scene(seed)


@settings(max_examples=300)
@given(seeds)
def test_training_groups_never_show_a_held_out_combination(seed: int) -> None:
    group = make_group(seed, seed % 7)
    for member in range(3):
        assert not any(held_out(thing) for thing in group.scene(member).things)


def test_every_held_out_combination_turns_up_where_it_is_allowed() -> None:
    rng = np.random.default_rng(4)
    scenes = [sample_scene(rng, allow_held_out=True) for _ in range(4000)]
    seen = {held_out(thing) for scene in scenes for thing in scene.things}
    assert set(HELD_OUT) <= seen


def test_forced_scenes_show_the_combination_their_claim_names() -> None:
    rng = np.random.default_rng(5)
    for index, name in enumerate(HELD_OUT):
        for scene in unseen_scenes(rng, index, 3):
            assert any(held_out(thing) == name for thing in scene.things)
            assert Facts((UNSEEN[index],)).holds(scene)


@given(seeds)
def test_things_stand_apart_and_within_the_frame(seed: int) -> None:
    things = _scene(seed).things
    assert len(things) <= 3
    for place, thing in enumerate(things):
        assert visible_share(thing) > 0.5
        assert all(overlap(thing, other) < 0.22 for other in things[:place])


@given(seeds)
def test_nobody_rides_or_drives_in_the_shop(seed: int) -> None:
    scene = _scene(seed)
    if scene.place == "shop_aisle":
        kinds = {thing.kind for thing in scene.things}
        assert kinds <= {"person", "dog"}
        people = [thing for thing in scene.things if isinstance(thing, Person)]
        assert all(person.action not in ("bicycle", "motorcycle") for person in people)


@given(seeds)
def test_a_sibling_differs_where_it_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    sibling = sample_sibling(rng, scene)
    assert sibling.scene != scene
    if sibling.index < 0:
        assert sibling.scene.things == scene.things
        assert getattr(sibling.scene, sibling.attribute) != getattr(scene, sibling.attribute)
    else:
        before, after = scene.things[sibling.index], sibling.scene.things[sibling.index]
        assert before.at == after.at
        assert getattr(before, sibling.attribute) != getattr(after, sibling.attribute)
        assert sibling.scene.seed == scene.seed
