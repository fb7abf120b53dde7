"""What is seen of a scene through a box: whole frames, boxes round things, tiles, and any part.

An encoder that has seen whole frames alone scores parts of them on another scale: things are
larger there than it knows, or cut off, or there is nothing. Views are those parts, with what may be
said of each: a thing cut off has no lettering to read, one of a few pixels no hat.

Wide scene ``n`` of a cache and its boxes are fixed by the cache's seed and ``n`` alone, as groups
are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from sightline.demo.scenes.facts import ATTRIBUTES
from sightline.demo.scenes.render import Frame, render_scene
from sightline.demo.scenes.scenes import Person, Scene, Thing
from sightline.demo.training.sampling import overlap, sample_scene, span

Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
TILES: tuple[Box, ...] = tuple(
    (column / parts, row / parts, (column + 1) / parts, (row + 1) / parts)
    for parts in (2, 3)
    for row in range(parts)
    for column in range(parts)
)
"""The tiles that ingest makes (ingest/media/regions/tiles.py)."""

VIEWS = 6
"""Views of each wide scene: the whole, two boxes round things, two tiles, one box anywhere."""

_LEAST_SIDE, _MOST_SIDE = 0.08, 0.75
_SEEN, _HARDLY_SEEN, _WHOLLY_SEEN = 0.4, 0.12, 0.85
"""Shares of a thing's extent within a box: from the first on it is named, below the second it is
not there, from the third on all of it may be told.
"""

_LEAST_SCALE = {
    "kind": 0.08,
    "top": 0.1,
    "colour": 0.06,
    "action": 0.15,
    "umbrella": 0.15,
    "lettering": 0.18,
    "trousers": 0.25,
    "bag": 0.28,
    "hat": 0.28,
}
"""How high a standing person at its depth has to be for a thing's attribute to be told, as a share
of the view's height.
"""


@dataclass(frozen=True, slots=True)
class View:
    """A box of a scene and what is seen in it.

    ``scene`` has the things that are named alone, ``told`` the attributes of each that may be said;
    ``is_clear`` is false where something else is seen too little of to be named.
    """

    scene: Scene
    box: Box
    told: tuple[frozenset[str], ...]
    is_clear: bool

    @property
    def side(self) -> float:
        """Width and height as shares of the frame's."""
        return self.box[2] - self.box[0]


def wide_scene(seed: int, index: int) -> Scene:
    """Wide scene ``index`` of ``seed``: its things between a seventh and all of the usual size."""
    rng = np.random.default_rng((seed, 5, index))
    scene = sample_scene(rng)
    factor = 1.0 if rng.random() < 0.2 else math.exp(rng.uniform(math.log(0.15), 0.0))
    things: list[Thing] = []
    for thing in scene.things:
        for _ in range(12):
            smaller = _shrunk(rng, thing, factor) if factor < 1.0 else thing
            if all(overlap(smaller, other) < 0.22 for other in things):
                things.append(smaller)
                break
    return replace(scene, things=tuple(things))


def _shrunk(rng: np.random.Generator, thing: Thing, factor: float) -> Thing:
    smaller = replace(thing, at=replace(thing.at, size=thing.at.size * factor))
    left, top, right, bottom = span(smaller)
    half = min(0.46, (right - left) / 2)
    x = float(rng.uniform(0.03 + half, 0.97 - half))
    y = float(rng.uniform(max(0.45, bottom - top), 0.95))
    return replace(smaller, at=replace(smaller.at, x=x, y=y))


def view_of(scene: Scene, box: Box) -> View:
    """What is seen of a scene through a box."""
    things: list[Thing] = []
    told: list[frozenset[str]] = []
    is_clear = True
    side = box[2] - box[0]
    for thing in scene.things:
        share, scale = _share_seen(thing, box), thing.at.size / side
        if share < _HARDLY_SEEN:
            continue
        if share < _SEEN or scale < _LEAST_SCALE["kind"]:
            is_clear = False
            continue
        names = {name for name in ATTRIBUTES[type(thing)] if scale >= _LEAST_SCALE[name]}
        if share < _WHOLLY_SEEN:
            _, top, _, bottom = span(thing)
            is_headless = isinstance(thing, Person) and box[1] > top + 0.15 * (bottom - top)
            names &= set() if is_headless else {"colour", "top"}
        things.append(thing)
        told.append(frozenset(names))
    return View(replace(scene, things=tuple(things)), box, tuple(told), is_clear)


def _share_seen(thing: Thing, box: Box) -> float:
    left, top, right, bottom = span(thing)
    width = min(right, box[2]) - max(left, box[0])
    height = min(bottom, box[3]) - max(top, box[1])
    if width <= 0 or height <= 0:
        return 0.0
    within = (min(right, 1.0) - max(left, 0.0)) * (min(bottom, 1.0) - max(top, 0.0))
    return width * height / max(1e-9, within)


def wide_views(seed: int, index: int) -> tuple[View, ...]:
    """The views of a wide scene, the whole first; of each something can be said."""
    scene = wide_scene(seed, index)
    rng = np.random.default_rng((seed, 6, index))
    views = [view_of(scene, WHOLE)]
    makers = (_round_thing, _round_thing, _tile, _tile, _anywhere)
    for make in makers:
        for _ in range(10):
            view = view_of(scene, make(rng, scene))
            # Views without things are much alike: a quarter of them is kept.
            if view.scene.things or (view.is_clear and rng.random() < 0.25):
                break
        views.append(view)
    return tuple(views)


def _square(x: float, y: float, side: float) -> Box:
    """A box as wide as it is high in shares of the frame, moved into it."""
    side = min(1.0, max(_LEAST_SIDE, side))
    left = min(max(0.0, x - side / 2), 1.0 - side)
    top = min(max(0.0, y - side / 2), 1.0 - side)
    return left, top, left + side, top + side


def _round_thing(rng: np.random.Generator, scene: Scene) -> Box:
    """As a motion proposer has it: with a margin, off by some, too large or too small by some."""
    if not scene.things:
        return _anywhere(rng, scene)
    left, top, right, bottom = span(scene.things[int(rng.integers(len(scene.things)))])
    side = 1.5 * max(right - left, bottom - top) * float(rng.uniform(0.75, 1.5))
    if side > _MOST_SIDE:
        return _tile(rng, scene)
    x = (left + right) / 2 + float(rng.uniform(-0.2, 0.2)) * side
    y = (top + bottom) / 2 + float(rng.uniform(-0.2, 0.2)) * side
    return _square(x, y, side)


def _tile(rng: np.random.Generator, scene: Scene) -> Box:
    return TILES[int(rng.integers(len(TILES)))]


def _anywhere(rng: np.random.Generator, scene: Scene) -> Box:
    side = math.exp(rng.uniform(math.log(0.12), math.log(0.95)))
    return _square(float(rng.random()), float(rng.random()), side)


def render_views(seed: int, index: int, width: int, height: int) -> Frame:
    """The pictures of a wide scene's views, uint8 (views, height, width, 3) RGB, cut from one frame
    of 640 x 360 or, one in ten, 960 x 540.
    """
    large_width, large_height = (960, 540) if index % 10 == 0 else (640, 360)
    views = wide_views(seed, index)
    frame = Image.fromarray(render_scene(wide_scene(seed, index), large_width, large_height))
    pictures = []
    for view in views:
        left, top, right, bottom = view.box
        corners = (
            left * large_width,
            top * large_height,
            right * large_width,
            bottom * large_height,
        )
        small = frame.resize((width, height), Image.Resampling.BICUBIC, box=corners)
        pictures.append(np.asarray(small))
    return np.stack(pictures)
