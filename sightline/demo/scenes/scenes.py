"""What a made scene contains: frozen records, their vocabulary, seeded sampling, and the
combinations kept out of training.

A scene is ground truth first and a picture second: the renderer draws exactly what these records
say, and the grammar in :mod:`sightline.demo.training.captions` speaks of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Place = Literal[
    "junction",
    "car_park",
    "gate",
    "loading_dock",
    "shop_aisle",
    "snow_field",
    "car_park_roof",
    "square",
]


Light = Literal["day", "dusk", "night"]


Weather = Literal["clear", "rain", "snow"]

PLACES: tuple[Place, ...] = (
    "junction",
    "car_park",
    "gate",
    "loading_dock",
    "shop_aisle",
    "snow_field",
)
"""The places that scenes are drawn at random of; the wide cameras' are seen in their clips only."""

LIGHTS: tuple[Light, ...] = ("day", "dusk", "night")

WEATHERS: tuple[Weather, ...] = ("clear", "rain", "snow")

TOP_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")

TROUSER_COLOURS = ("black", "blue", "grey", "white", "brown")

HAT_COLOURS = ("red", "yellow", "blue", "white", "black")

UMBRELLA_COLOURS = ("red", "yellow", "green", "blue", "black")

VEHICLE_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black", "grey")

TAXI_COLOURS = ("yellow", "black", "white")

DOG_COLOURS = ("black", "brown", "white")

ACTIONS = ("standing", "walking", "running", "fallen", "bicycle", "motorcycle")

DOG_ACTIONS = ("standing", "running", "sitting")

VEHICLE_KINDS = ("car", "taxi", "van", "pickup", "bus", "lorry")

LETTERINGS = ("JCN", "KRT", "MOVO", "POST", "ACE", "FERN", "DUX", "LUMA")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object stands: fractions of the frame (x to the right, y down, y of the ground under
    it).

    ``size`` is the height of a standing person at that depth, as a fraction of the frame's height;
    ``phase`` in [0, 1) is the point in its stride; ``facing`` is 1 for right and -1 for left.
    """

    x: float
    y: float
    size: float
    facing: int
    phase: float


@dataclass(frozen=True, slots=True)
class Person:
    """A person: colours of what is worn, what is carried, and what is being done."""

    at: Placement
    top: str
    trousers: str
    action: str
    hat: str | None = None
    bag: bool = False
    umbrella: str | None = None
    look: int = 0
    kind: str = "person"


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle seen from its side, with its colour and what is written on it."""

    at: Placement
    kind: str
    colour: str
    lettering: str | None = None
    look: int = 0


@dataclass(frozen=True, slots=True)
class Dog:
    """A dog: its coat and what it does."""

    at: Placement
    colour: str
    action: str
    look: int = 0
    kind: str = "dog"


Thing = Person | Vehicle | Dog


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment before one camera. ``seed`` fixes everything the words do not (buildings, noise,
    drops).
    """

    place: Place
    light: Light
    weather: Weather
    things: tuple[Thing, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Sibling:
    """A scene that differs from another in one attribute: of the thing ``index``, or of the scene
    when it is -1.
    """

    scene: Scene
    index: int
    attribute: str


def held_out(thing: Thing) -> str | None:
    """Name of the combination kept out of training that this thing shows, or None."""
    if isinstance(thing, Person):
        if thing.action == "bicycle" and thing.top == "yellow":
            return "yellow top, bicycle"
        if thing.action == "running" and thing.top == "white":
            return "white top, running"
    elif isinstance(thing, Vehicle):
        if thing.kind == "bus" and thing.colour == "purple":
            return "purple bus"
        if thing.kind == "van" and thing.colour == "orange":
            return "orange van"
        if thing.kind == "pickup" and thing.colour == "red":
            return "red pick-up"
        if thing.kind == "lorry" and thing.lettering == "FERN":
            return "lorry lettered FERN"
    return None


HELD_OUT = (
    "yellow top, bicycle",
    "white top, running",
    "purple bus",
    "orange van",
    "red pick-up",
    "lorry lettered FERN",
)

HORIZON = 0.27
"""The horizon, as a fraction of the frame's height from the top: the camera hangs high."""


def ground_y(size: float, jitter: float = 0.0) -> float:
    """Where a thing of this size stands (fraction of the frame's height): nearer is larger and
    lower.
    """
    return float(np.clip(HORIZON + 0.17 + size * 0.82 + jitter, 0.5, 0.965))


# Extent of each thing beside a standing person's height: (width, height), and the sizes it is shown
# at.

VEHICLE_EXTENT: dict[str, tuple[float, float]] = {
    "car": (2.15, 0.78),
    "taxi": (2.15, 0.86),
    "van": (2.35, 1.22),
    "pickup": (2.5, 0.92),
    "bus": (3.7, 1.45),
    "lorry": (3.4, 1.6),
}


def extent(thing: Thing) -> tuple[float, float]:
    """Width and height of a thing in units of its placement's size (multiples of the frame's
    height).
    """
    if isinstance(thing, Vehicle):
        return VEHICLE_EXTENT[thing.kind]
    if isinstance(thing, Dog):
        return (0.75, 0.55)
    if thing.action == "fallen":
        return (1.05, 0.38)
    if thing.action in ("bicycle", "motorcycle"):
        return (0.95, 1.05)
    return (0.62, 1.25) if thing.umbrella else (0.45, 1.0)
