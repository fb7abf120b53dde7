"""Scenes drawn at random from a seed, and their siblings that differ in one attribute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sightline.demo.scenes.scenes import (
    ACTIONS,
    DOG_ACTIONS,
    DOG_COLOURS,
    HAT_COLOURS,
    LETTERINGS,
    LIGHTS,
    PLACES,
    TAXI_COLOURS,
    TOP_COLOURS,
    TROUSER_COLOURS,
    UMBRELLA_COLOURS,
    VEHICLE_COLOURS,
    VEHICLE_EXTENT,
    VEHICLE_KINDS,
    WEATHERS,
    Dog,
    Light,
    Person,
    Place,
    Placement,
    Scene,
    Sibling,
    Thing,
    Vehicle,
    Weather,
    extent,
    ground_y,
    held_out,
)


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _placement(rng: np.random.Generator, size: float, half_width: float) -> Placement:
    margin = min(0.45, 0.04 + half_width * 0.85)
    return Placement(
        x=float(rng.uniform(margin, 1 - margin)),
        y=ground_y(size, float(rng.normal(0, 0.035))),
        size=size,
        facing=1 if rng.random() < 0.5 else -1,
        phase=float(rng.random()),
    )


def sample_person(
    rng: np.random.Generator, weather: Weather = "clear", *, indoors: bool = False
) -> Person:
    """A person drawn at random; nobody rides indoors."""
    weights = np.array([0.2, 0.22, 0.14, 0.1, 0.0 if indoors else 0.2, 0.0 if indoors else 0.14])
    action = ACTIONS[int(rng.choice(len(ACTIONS), p=weights / weights.sum()))]
    on_foot = action in ("standing", "walking")
    umbrella = on_foot and not indoors and rng.random() < (0.45 if weather == "rain" else 0.12)
    hat = action not in ("motorcycle",) and not umbrella and rng.random() < 0.3
    size = float(rng.uniform(0.42, 0.72))
    if action == "fallen":
        size = float(rng.uniform(0.5, 0.8))
    return Person(
        at=_placement(rng, size, size * 9 / 16 * 0.25),
        top=_pick(rng, TOP_COLOURS),
        trousers=_pick(rng, TROUSER_COLOURS),
        action=action,
        hat=_pick(rng, HAT_COLOURS) if hat else None,
        bag=bool(action in ("standing", "walking", "running") and rng.random() < 0.28),
        umbrella=_pick(rng, UMBRELLA_COLOURS) if umbrella else None,
        look=int(rng.integers(1 << 30)),
    )


def sample_vehicle(rng: np.random.Generator) -> Vehicle:
    """A vehicle drawn at random; vans and lorries are often lettered."""
    weights = np.array([0.24, 0.13, 0.18, 0.13, 0.13, 0.19])
    kind = VEHICLE_KINDS[int(rng.choice(len(VEHICLE_KINDS), p=weights))]
    lettered = kind in ("van", "lorry") and rng.random() < (0.75 if kind == "lorry" else 0.55)
    width, _ = VEHICLE_EXTENT[kind]
    shown = rng.uniform(0.5, 0.82) if kind in ("bus", "lorry") else rng.uniform(0.36, 0.66)
    size = float(shown * 16 / 9 / width)
    return Vehicle(
        at=_placement(rng, size, float(shown) / 2),
        kind=kind,
        colour=_pick(rng, TAXI_COLOURS if kind == "taxi" else VEHICLE_COLOURS),
        lettering=_pick(rng, LETTERINGS) if lettered else None,
        look=int(rng.integers(1 << 30)),
    )


def sample_dog(rng: np.random.Generator) -> Dog:
    """A dog drawn at random."""
    size = float(rng.uniform(0.5, 0.85))
    return Dog(
        at=_placement(rng, size, size * 9 / 16 * 0.35),
        colour=_pick(rng, DOG_COLOURS),
        action=_pick(rng, DOG_ACTIONS),
        look=int(rng.integers(1 << 30)),
    )


def span(thing: Thing) -> tuple[float, float, float, float]:
    """A thing's box, fractions of the frame: left, top, right, bottom."""
    width, height = extent(thing)
    at = thing.at
    half = width * at.size * 9 / 16 / 2
    return at.x - half, at.y - height * at.size, at.x + half, at.y


def overlap(first: Thing, second: Thing) -> float:
    """Share of the smaller one's box that the two boxes have in common, from 0 to 1."""
    a, b = span(first), span(second)
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / max(1e-9, min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])))


def _sample_thing(rng: np.random.Generator, place: Place, weather: Weather) -> Thing:
    indoors = place == "shop_aisle"
    dogs = {"snow_field": 0.34, "shop_aisle": 0.12}.get(place, 0.12)
    vehicles = {"snow_field": 0.2, "shop_aisle": 0.0}.get(place, 0.46)
    draw = rng.random()
    if draw < dogs:
        return sample_dog(rng)
    if draw < dogs + vehicles:
        return sample_vehicle(rng)
    return sample_person(rng, weather, indoors=indoors)


def sample_scene(rng: np.random.Generator, *, allow_held_out: bool = False) -> Scene:
    """A scene of none to three things, apart enough to be seen.

    With ``allow_held_out`` false (training) no thing shows a held-out combination.
    """
    place = PLACES[int(rng.choice(6, p=[0.22, 0.18, 0.17, 0.16, 0.1, 0.17]))]
    light: Light = "day"
    weather: Weather = "clear"
    if place != "shop_aisle":
        light = LIGHTS[int(rng.choice(3, p=[0.5, 0.22, 0.28]))]
        weights = [0.6, 0.0, 0.4] if place == "snow_field" else [0.62, 0.2, 0.18]
        weather = WEATHERS[int(rng.choice(3, p=weights))]
    count = int(rng.choice(4, p=[0.05, 0.4, 0.38, 0.17]))
    things: list[Thing] = []
    for slot in range(count):
        for _ in range(12):
            thing = _sample_thing(rng, place, weather)
            if slot == 1 and isinstance(things[0], Dog) and rng.random() < 0.5:
                thing = sample_dog(rng)
            if held_out(thing) and not allow_held_out:
                continue
            if all(overlap(thing, other) < 0.22 for other in things):
                things.append(thing)
                break
    return Scene(place, light, weather, tuple(things), int(rng.integers(1 << 31)))


def _other(rng: np.random.Generator, options: tuple[str, ...], current: str | None) -> str:
    return _pick(rng, tuple(option for option in options if option != current))


def _change(rng: np.random.Generator, thing: Thing) -> tuple[Thing, str]:
    if isinstance(thing, Person):
        choices = ["top", "top", "top", "trousers"]
        on_foot = thing.action in ("standing", "walking", "running", "fallen")
        if on_foot:
            choices += ["action", "hat"]
        if thing.action in ("bicycle", "motorcycle"):
            choices += ["action", "action"]
        if thing.action in ("standing", "walking"):
            choices += ["umbrella", "bag"]
        attribute = choices[int(rng.integers(len(choices)))]
        if attribute == "top":
            return replace(thing, top=_other(rng, TOP_COLOURS, thing.top)), attribute
        if attribute == "trousers":
            return replace(thing, trousers=_other(rng, TROUSER_COLOURS, thing.trousers)), attribute
        if attribute == "hat":
            return replace(
                thing, hat=None if thing.hat else _pick(rng, HAT_COLOURS), umbrella=None
            ), attribute
        if attribute == "bag":
            return replace(thing, bag=not thing.bag), attribute
        if attribute == "umbrella":
            return replace(
                thing, umbrella=_other(rng, UMBRELLA_COLOURS, thing.umbrella), hat=None
            ), attribute
        if not on_foot:
            action = "motorcycle" if thing.action == "bicycle" else "bicycle"
            return replace(thing, action=action, hat=None), attribute
        action = _other(rng, ("standing", "walking", "running"), thing.action)
        return replace(thing, action=action, umbrella=None), attribute
    if isinstance(thing, Dog):
        if rng.random() < 0.6:
            return replace(thing, colour=_other(rng, DOG_COLOURS, thing.colour)), "colour"
        return replace(thing, action=_other(rng, DOG_ACTIONS, thing.action)), "action"
    if thing.lettering and rng.random() < 0.6:
        return replace(thing, lettering=_other(rng, LETTERINGS, thing.lettering)), "lettering"
    colours = TAXI_COLOURS if thing.kind == "taxi" else VEHICLE_COLOURS
    return replace(thing, colour=_other(rng, colours, thing.colour)), "colour"


def sample_sibling(
    rng: np.random.Generator, scene: Scene, *, allow_held_out: bool = False
) -> Sibling:
    """The same scene with one attribute changed, and the name of what changed."""
    for _ in range(20):
        if scene.things and rng.random() < 0.88:
            index = int(rng.integers(len(scene.things)))
            thing, attribute = _change(rng, scene.things[index])
            if held_out(thing) and not allow_held_out:
                continue
            things = (*scene.things[:index], thing, *scene.things[index + 1 :])
            return Sibling(replace(scene, things=things), index, attribute)
        if scene.place == "shop_aisle":
            continue
        if rng.random() < 0.5:
            light = LIGHTS[(LIGHTS.index(scene.light) + int(rng.integers(1, 3))) % 3]
            return Sibling(replace(scene, light=light), -1, "light")
        options: tuple[Weather, ...] = (
            ("clear", "snow") if scene.place == "snow_field" else WEATHERS
        )
        others = tuple(option for option in options if option != scene.weather)
        return Sibling(
            replace(scene, weather=others[int(rng.integers(len(others)))]), -1, "weather"
        )
    return Sibling(replace(scene, seed=scene.seed ^ 1), -1, "seed")
