"""The scripts of the sample clips: seven street cameras and two wide ones, and who passes before
each of them when.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sightline.demo.scenes.overviews import overview_y
from sightline.demo.scenes.scenes import (
    VEHICLE_EXTENT,
    Dog,
    Person,
    Placement,
    Vehicle,
    extent,
    ground_y,
)
from sightline.demo.scenes.tracks import Clip, Track, cross, pull_up, visit

Seen = TypeVar("Seen", Person, Vehicle, Dog)


def _at(size: float, facing: int) -> Placement:
    return Placement(0.5, ground_y(size), size, facing, 0.0)


def person(
    top: str,
    trousers: str,
    action: str,
    facing: int = 1,
    size: float = 0.56,
    look: int = 1,
    **worn: str,
) -> Person:
    """A person for a script; ``worn`` may hold hat, umbrella (colours) and bag."""
    return Person(
        _at(size, facing),
        top,
        trousers,
        action,
        worn.get("hat"),
        "bag" in worn,
        worn.get("umbrella"),
        look,
    )


def vehicle(
    kind: str,
    colour: str,
    facing: int = 1,
    width: float = 0.56,
    lettering: str | None = None,
    look: int = 1,
) -> Vehicle:
    """A vehicle for a script, as wide as ``width`` of the frame."""
    return Vehicle(
        _at(width * 16 / 9 / VEHICLE_EXTENT[kind][0], facing), kind, colour, lettering, look
    )


def dog(
    colour: str, action: str, facing: int = 1, size: float = 0.72, look: int = 1, lower: float = 0.0
) -> Dog:
    """A dog for a script."""
    at = _at(size, facing)
    return Dog(replace(at, y=min(0.965, at.y + lower)), colour, action, look)


def afar(thing: Seen, height: float) -> Seen:
    """The thing as a wide camera sees it, as high as ``height`` of the frame."""
    size = height / extent(thing)[1]
    return replace(thing, at=replace(thing.at, size=size, y=overview_y(size)))


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)


STREET_CLIPS: tuple[Clip, ...] = (
    Clip(
        "junction-north",
        "junction",
        "day",
        "clear",
        _when("2026-03-02T08:15:00+00:00"),
        5101,
        (
            cross(vehicle("bus", "red", 1, 0.68, look=3), 2, 9),
            cross(person("blue", "black", "walking", -1, 0.55, look=4), 12, 12),
            cross(person("red", "blue", "bicycle", 1, 0.58, look=5), 22, 8),
            cross(vehicle("van", "white", -1, 0.55, look=6), 28, 9),
            cross(person("blue", "black", "bicycle", 1, 0.62, look=7), 40, 10),
            cross(vehicle("car", "black", -1, 0.5, look=8), 52, 9),
        ),
    ),
    Clip(
        "loading-dock",
        "loading_dock",
        "day",
        "clear",
        _when("2026-03-02T10:40:00+00:00"),
        5202,
        (
            pull_up(vehicle("lorry", "blue", 1, 0.7, "KRT", look=3), 1, 0.5, 7),
            *visit(
                person("orange", "black", "standing", -1, 0.52, look=4, hat="yellow"),
                "walking",
                13,
                0.7,
                5,
            ),
            pull_up(vehicle("lorry", "white", -1, 0.72, "JCN", look=5), 25, 0.52, 8),
            cross(person("green", "grey", "walking", 1, 0.6, look=6, bag="bag"), 39, 11),
            pull_up(vehicle("van", "red", 1, 0.56, "POST", look=7), 49, 0.5, 6),
        ),
    ),
    Clip(
        "car-park",
        "car_park",
        "day",
        "clear",
        _when("2026-03-02T13:05:00+00:00"),
        5303,
        (
            pull_up(vehicle("car", "red", -1, 0.5, look=3), 1, 0.48, 5),
            cross(person("purple", "blue", "walking", 1, 0.54, look=4, bag="bag"), 12, 11),
            pull_up(vehicle("car", "white", 1, 0.52, look=5), 22, 0.5, 8),
            cross(vehicle("van", "white", -1, 0.56, "ACE", look=6), 37, 9),
            cross(person("pink", "white", "running", -1, 0.56, look=7), 46, 7),
            pull_up(vehicle("pickup", "green", 1, 0.55, look=8), 52, 0.5, 5),
        ),
    ),
    Clip(
        "snow-field",
        "snow_field",
        "day",
        "snow",
        _when("2026-01-18T11:20:00+00:00"),
        5404,
        (
            cross(dog("brown", "running", 1, 0.72, look=3), 2, 8),
            cross(person("green", "black", "walking", -1, 0.56, look=4, hat="red"), 11, 12),
            cross(dog("black", "running", 1, 0.76, look=5), 25, 13),
            cross(dog("brown", "running", 1, 0.7, look=6), 28.2, 13),
            cross(person("red", "blue", "running", -1, 0.58, look=7), 42, 8),
            *visit(dog("black", "sitting", -1, 0.74, look=8), "running", 50, 0.5, 5),
        ),
    ),
    Clip(
        "main-gate",
        "gate",
        "dusk",
        "clear",
        _when("2026-03-02T17:50:00+00:00"),
        5505,
        (
            pull_up(vehicle("taxi", "yellow", 1, 0.55, look=3), 1, 0.5, 5),
            cross(person("red", "black", "motorcycle", -1, 0.62, look=4), 13, 7),
            pull_up(vehicle("pickup", "blue", -1, 0.56, look=5), 21, 0.52, 5),
            *visit(person("orange", "blue", "fallen", 1, 0.6, look=6), "running", 33, 0.48, 9, 3),
            cross(vehicle("lorry", "green", -1, 0.7, "DUX", look=7), 51, 10),
        ),
    ),
    Clip(
        "junction-south",
        "junction",
        "night",
        "rain",
        _when("2026-03-02T22:30:00+00:00"),
        5606,
        (
            cross(vehicle("car", "grey", 1, 0.54, look=3), 2, 8),
            cross(person("black", "grey", "walking", -1, 0.58, look=4, umbrella="red"), 11, 12),
            cross(vehicle("lorry", "yellow", 1, 0.72, "MOVO", look=5), 24, 10),
            cross(vehicle("taxi", "black", -1, 0.55, look=6), 36, 8),
            cross(person("white", "blue", "bicycle", -1, 0.6, look=7), 45, 8),
            cross(vehicle("bus", "blue", 1, 0.7, look=8), 54, 9),
        ),
    ),
    Clip(
        "shop-aisle",
        "shop_aisle",
        "day",
        "clear",
        _when("2026-03-02T15:10:00+00:00"),
        5707,
        (
            *visit(
                person("yellow", "blue", "standing", 1, 0.56, look=3, bag="bag"),
                "walking",
                1,
                0.4,
                6,
            ),
            cross(person("white", "black", "walking", -1, 0.6, look=4, hat="blue"), 16, 11),
            *visit(person("pink", "grey", "standing", -1, 0.58, look=5), "walking", 27, 0.6, 6),
            *visit(person("green", "brown", "fallen", 1, 0.62, look=6), "walking", 42, 0.5, 9, 4),
        ),
    ),
)
"""The clips of the street cameras, in which things are large."""

WIDE_MS, WIDE_SIZE = 32_000, (1280, 720)


def parked(kind: str, colour: str, facing: int, x: float, height: float, look: int) -> Track:
    """A vehicle that stands before a wide camera all along, as high as ``height`` of the frame."""
    return Track(afar(vehicle(kind, colour, facing, look=look), height), ((0, x), (WIDE_MS + 1, x)))


WIDE_CLIPS: tuple[Clip, ...] = (
    Clip(
        "car-park-roof",
        "car_park_roof",
        "day",
        "clear",
        _when("2026-03-02T11:30:00+00:00"),
        5822,
        (
            parked("car", "black", 1, 0.258, 0.068, 11),
            parked("car", "grey", 1, 0.272, 0.061, 12),
            parked("pickup", "green", -1, 0.727, 0.0665, 13),
            parked("car", "red", -1, 0.742, 0.068, 14),
            parked("van", "grey", -1, 0.957, 0.1, 15),
            parked("car", "black", 1, 0.057, 0.0575, 16),
            parked("car", "orange", 1, 0.128, 0.128, 17),
            parked("car", "grey", -1, 0.895, 0.108, 18),
            cross(afar(vehicle("car", "blue", 1, look=3), 0.05), 2, 10),
            cross(afar(person("red", "black", "walking", 1, look=4), 0.106), 7, 22),
            cross(afar(vehicle("van", "yellow", -1, look=5), 0.13), 14, 7),
            cross(afar(person("pink", "white", "bicycle", -1, look=6), 0.063), 21, 10.5),
            cross(afar(person("green", "grey", "walking", -1, look=7, bag="bag"), 0.2), 18, 12),
        ),
        WIDE_MS,
        WIDE_SIZE,
    ),
    Clip(
        "square",
        "square",
        "day",
        "clear",
        _when("2026-03-02T12:15:00+00:00"),
        5909,
        (
            cross(afar(person("black", "blue", "bicycle", 1, look=3), 0.058), 2, 12),
            cross(afar(person("blue", "white", "walking", -1, look=4, umbrella="red"), 0.2), 4, 13),
            cross(afar(dog("brown", "running", 1, look=5), 0.075), 12, 8),
            cross(afar(person("orange", "black", "walking", -1, look=6, bag="bag"), 0.078), 6, 25),
            cross(afar(person("purple", "grey", "running", 1, look=7), 0.155), 19, 6),
            cross(afar(person("red", "blue", "bicycle", -1, look=8), 0.07), 20, 11),
        ),
        WIDE_MS,
        WIDE_SIZE,
    ),
)
"""The clips of the wide cameras, in which things are from a twentieth to a fifth of the height."""

CLIPS = (*STREET_CLIPS, *WIDE_CLIPS)
"""The sample clips. Together they hold the moments that :data:`~..footage.DEMO_SENTENCES` ask
for.
"""
