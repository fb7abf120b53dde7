"""Things on their way past a camera, and clips made of them.

A clip is ground truth over time: :meth:`Clip.scene_at` gives the scene at a moment, from which both
the frame and the answer to "what is visible now?" are made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from sightline.demo.scenes.scenes import Dog, Light, Person, Place, Scene, Thing, Weather, extent

CLIP_MS = 64_000
"""Length of a clip in milliseconds, where it says no other."""

SEEN_FROM = 0.6
"""Share of a thing's width that must be within the frame for it to count as visible."""

STRIDE_PHASES = 12
"""Drawn positions within one stride."""


@dataclass(frozen=True, slots=True)
class Track:
    """A thing and its way through the frame: (milliseconds, x) points, straight between them."""

    thing: Thing
    points: tuple[tuple[int, float], ...]

    @property
    def start_ms(self) -> int:
        """When it enters the scene, within the frame or outside of it."""
        return self.points[0][0]

    @property
    def end_ms(self) -> int:
        """When it leaves the scene."""
        return self.points[-1][0]

    def at(self, t_ms: int) -> Thing | None:
        """The thing where it is at ``t_ms``, or None when it is not in the scene."""
        if not self.start_ms <= t_ms < self.end_ms:
            return None
        first = self.points[0][1]
        x, way = first, 0.0
        for (t0, x0), (t1, x1) in pairwise(self.points):
            done = min(1.0, max(0.0, (t_ms - t0) / max(1, t1 - t0)))
            if t_ms >= t0:
                x = x0 + (x1 - x0) * done
            way += abs(x1 - x0) * done
        # One stride takes a thing forward by a little less than its height.
        stride = self.thing.at.size * 9 / 16 * (1.5 if self.thing.kind == "person" else 1.2)
        phase = (self.thing.at.phase + way / stride) % 1.0
        phase = int(phase * STRIDE_PHASES) / STRIDE_PHASES
        return replace(self.thing, at=replace(self.thing.at, x=x, phase=phase))


def visible_share(thing: Thing) -> float:
    """Share of the thing's width that is within the frame, from 0 to 1."""
    half = extent(thing)[0] * thing.at.size * 9 / 16 / 2
    inside = min(1.0, thing.at.x + half) - max(0.0, thing.at.x - half)
    return max(0.0, inside) / (2 * half)


@dataclass(frozen=True, slots=True)
class Clip:
    """One camera's minute or less: where, when, in what light, and the tracks of what passes.

    ``size`` is the width and height of its frames in pixels.
    """

    camera: str
    place: Place
    light: Light
    weather: Weather
    started_at: datetime
    seed: int
    tracks: tuple[Track, ...]
    duration_ms: int = CLIP_MS
    size: tuple[int, int] = (640, 360)

    def scene_at(self, t_ms: int, *, seen: float = 0.0) -> Scene:
        """The scene ``t_ms`` into the clip, with the things of which more than ``seen`` is in the
        frame.
        """
        things = (track.at(t_ms) for track in self.tracks)
        present = tuple(thing for thing in things if thing and visible_share(thing) > seen)
        return Scene(self.place, self.light, self.weather, present, self.seed)

    def visible_at(self, t_ms: int) -> Scene:
        """The scene with only what counts as visible, as the ground truth has it."""
        return self.scene_at(t_ms, seen=SEEN_FROM)


def cross(thing: Thing, start_s: float, seconds: float) -> Track:
    """From one edge of the frame to the other, the way it faces."""
    margin = extent(thing)[0] * thing.at.size * 9 / 16 / 2
    ends = (-margin, 1 + margin) if thing.at.facing > 0 else (1 + margin, -margin)
    start, end = int(start_s * 1000), int((start_s + seconds) * 1000)
    return Track(thing, ((start, ends[0]), (end, ends[1])))


def pull_up(thing: Thing, start_s: float, x: float, stay_s: float, pace_s: float = 3.0) -> Track:
    """In from the edge behind it, a stop at ``x``, and out ahead; ``pace_s`` is the time each way
    takes.
    """
    whole = cross(thing, 0, 1)
    times = [start_s, start_s + pace_s, start_s + pace_s + stay_s, start_s + 2 * pace_s + stay_s]
    places = [whole.points[0][1], x, x, whole.points[-1][1]]
    return Track(thing, tuple((int(t * 1000), p) for t, p in zip(times, places, strict=True)))


def visit(
    thing: Person | Dog, coming: str, start_s: float, x: float, stay_s: float, pace_s: float = 4.0
) -> tuple[Track, ...]:
    """In doing ``coming`` (walking, running), a stay at ``x`` doing what the thing does, and out as
    it came.
    """
    moving = replace(thing, action=coming)
    if isinstance(moving, Person):
        moving = replace(moving, umbrella=thing.umbrella if isinstance(thing, Person) else None)
    there, back = (
        pull_up(moving, start_s, x, stay_s, pace_s).points[:2],
        pull_up(moving, start_s, x, stay_s, pace_s).points[2:],
    )
    return (Track(moving, there), Track(thing, (there[-1], back[0])), Track(moving, back))
