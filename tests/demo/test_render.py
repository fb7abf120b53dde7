"""The renderer: the same pixels every time, and an attribute changes only where it shows."""

from dataclasses import replace

import numpy as np
import pytest

from sightline.demo.scenes.backgrounds import draw_background
from sightline.demo.scenes.render import Frame, Sensor, render_scene
from sightline.demo.scenes.scenes import (
    LIGHTS,
    PLACES,
    TOP_COLOURS,
    VEHICLE_COLOURS,
    VEHICLE_KINDS,
    Person,
    Placement,
    Scene,
    Vehicle,
    ground_y,
)
from sightline.demo.scenes.sprites import PALETTE
from sightline.demo.scenes.vehicles import draw_vehicle
from sightline.demo.training.sampling import sample_scene

AT = Placement(0.5, 0.85, 0.5, 1, 0.3)


def test_the_same_scene_gives_the_same_pixels() -> None:
    rng = np.random.default_rng(1)
    for _ in range(12):
        scene = sample_scene(rng)
        np.testing.assert_array_equal(render_scene(scene), render_scene(scene))


@pytest.mark.parametrize("size", [(160, 90), (320, 180), (641, 361)])
def test_frames_have_the_size_asked_for(size: tuple[int, int]) -> None:
    frame = render_scene(sample_scene(np.random.default_rng(2)), *size)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8


def test_every_place_light_and_weather_renders_to_something_to_see() -> None:
    person = Person(replace(AT, y=ground_y(0.5)), "red", "blue", "walking")
    for place in PLACES:
        for light in LIGHTS:
            for weather in ("clear", "rain", "snow"):
                frame = render_scene(Scene(place, light, weather, (person,), 5))
                assert 8 < frame.mean() < 247
                assert frame.std() > 8


def test_night_is_darker_than_dusk_and_dusk_than_day() -> None:
    means = []
    for light in LIGHTS:
        frames = [render_scene(Scene("car_park", light, "clear", (), seed)) for seed in range(6)]
        means.append(np.mean([frame.mean() for frame in frames]))
    assert means[0] > means[1] > means[2]


def _clean(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Frame:
    plain = Sensor(blur=0.0, noise=0.0, saturation=1.0)
    monkeypatch.setattr(Sensor, "sample", classmethod(lambda cls, rng, light: plain))
    return render_scene(scene, stamped=False)


@pytest.mark.parametrize("colour", TOP_COLOURS)
def test_a_top_is_drawn_in_its_colour(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(Placement(0.5, 0.95, 0.7, 1, 0.0), colour, "grey", "standing")
    frame = _clean(Scene("car_park", "day", "clear", (person,), 3), monkeypatch)
    chest = frame[40:44, 78:82].reshape(-1, 3).mean(axis=0)
    nearest = min(TOP_COLOURS, key=lambda name: float(np.abs(chest - PALETTE[name]).sum()))
    assert nearest == colour


@pytest.mark.parametrize("colour", VEHICLE_COLOURS)
def test_a_van_is_drawn_in_its_colour(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    van = Vehicle(Placement(0.5, 0.85, 0.45, 1, 0.0), "van", colour)
    frame = _clean(Scene("car_park", "day", "clear", (van,), 3), monkeypatch)
    side = frame[44:54, 55:75].reshape(-1, 3).mean(axis=0)
    nearest = min(VEHICLE_COLOURS, key=lambda name: float(np.abs(side - PALETTE[name]).sum()))
    assert nearest == colour


def test_a_sibling_differs_only_around_the_thing_that_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = Person(Placement(0.2, 0.85, 0.5, 1, 0.0), "red", "black", "standing")
    right = Person(Placement(0.8, 0.85, 0.5, 1, 0.0), "blue", "black", "standing")
    scene = Scene("gate", "day", "clear", (left, right), 8)
    other = replace(scene, things=(left, replace(right, top="green")))
    before, after = _clean(scene, monkeypatch), _clean(other, monkeypatch)
    changed = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 3
    columns = np.flatnonzero(changed.any(axis=0))
    assert columns.size and columns.min() > 80


def test_lettering_reads_from_left_to_right_whichever_way_a_vehicle_faces() -> None:
    for kind in ("van", "lorry"):
        right = draw_vehicle(Vehicle(AT, kind, "blue", "JCN", 4), 120)
        left = draw_vehicle(Vehicle(replace(AT, facing=-1), kind, "blue", "JCN", 4), 120)
        plain = draw_vehicle(Vehicle(AT, kind, "blue", None, 4), 120)
        assert right.image.size == left.image.size == plain.image.size
        inks = []
        for sprite in (right, left):
            pixels = np.asarray(sprite.image).astype(int)[..., :3]
            bright = np.all(pixels > 160, axis=2)[10 : int(sprite.image.height * 0.6)]
            columns = np.flatnonzero(bright.sum(axis=0) > 2)
            inks.append(bright[:, columns.min() : columns.max() + 1])
        width = min(ink.shape[1] for ink in inks)
        same = (inks[0][:, :width] == inks[1][:, :width]).mean()
        mirrored = (inks[0][:, :width] == inks[1][:, ::-1][:, :width]).mean()
        assert same > mirrored


def test_every_kind_of_vehicle_is_as_wide_as_it_claims() -> None:
    from sightline.demo.scenes.scenes import VEHICLE_EXTENT

    for kind in VEHICLE_KINDS:
        sprite = draw_vehicle(Vehicle(AT, kind, "yellow"), 100)
        box = sprite.image.getbbox()
        assert box is not None
        assert abs((box[2] - box[0]) / 100 - VEHICLE_EXTENT[kind][0]) < 0.15


def test_a_background_is_fixed_by_its_seed_and_changes_with_it() -> None:
    first = draw_background("junction", "clear", 160, 90, 4)
    np.testing.assert_array_equal(first, draw_background("junction", "clear", 160, 90, 4))
    assert np.abs(first - draw_background("junction", "clear", 160, 90, 5)).mean() > 2
