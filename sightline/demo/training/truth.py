"""What is to be seen in the sample footage: every clip's appearances, every still's things, the
demo's sentences.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from sightline.demo.scenes.clips import CLIPS
from sightline.demo.scenes.facts import ATTRIBUTES, Facts, Sentence, ThingClaim, claim_of
from sightline.demo.scenes.scenes import Scene, Thing
from sightline.demo.scenes.tracks import SEEN_FROM, Clip, visible_share
from sightline.demo.training.captions import plain_phrase
from sightline.demo.training.sampling import sample_scene

FPS = 6
"""Frames a second of every clip."""

STILLS = 100
STILL_SEED = 77_000

DEMO_SENTENCES: tuple[Sentence, ...] = (
    Sentence(
        "a person in a blue top riding a bicycle",
        Facts((ThingClaim("person", (("top", "blue"), ("action", "bicycle"))),)),
    ),
    Sentence("a lorry lettered JCN", Facts((ThingClaim("lorry", (("lettering", "JCN"),)),))),
    Sentence("a white car", Facts((ThingClaim("car", (("colour", "white"),)),))),
    Sentence("a blue car", Facts((ThingClaim("car", (("colour", "blue"),)),))),
    Sentence("two dogs in snow", Facts((ThingClaim("dog", (), 2),), weather="snow")),
)
"""What the demo asks for. Each is true of one clip's moment and of no still. The blue car is a
twentieth of the frame's height: a region of the picture finds it.
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A span of a camera's clip, in milliseconds from its start (the end is not part of it)."""

    camera: str
    start_ms: int
    end_ms: int

    def holds(self, camera: str, pts_ms: float, slack_ms: float = 0.0) -> bool:
        """Whether a frame of that camera at ``pts_ms`` lies within the span, give or take
        ``slack_ms``.
        """
        return camera == self.camera and self.start_ms - slack_ms <= pts_ms < self.end_ms + slack_ms


def moments(sentence: Sentence | str, clips: Iterable[Clip] = CLIPS) -> tuple[Moment, ...]:
    """The spans of the clips of which the sentence is true.

    A text must be one of :data:`DEMO_SENTENCES`; any other raises ValueError, for texts carry no
    claims.
    """
    if isinstance(sentence, str):
        known = {demo.text: demo for demo in DEMO_SENTENCES}
        if sentence not in known:
            raise ValueError(f"{sentence!r} is none of the demo's sentences: {', '.join(known)}")
        sentence = known[sentence]
    found: list[Moment] = []
    for clip in clips:
        start: int | None = None
        times = [round(index * 1000 / FPS) for index in range(clip.duration_ms * FPS // 1000)]
        for t_ms in times:
            if sentence.holds(clip.visible_at(t_ms)):
                start = t_ms if start is None else start
            elif start is not None:
                found.append(Moment(clip.camera, start, t_ms))
                start = None
        if start is not None:
            found.append(Moment(clip.camera, start, clip.duration_ms))
    return tuple(found)


def _describe(thing: Thing) -> dict[str, Any]:
    claim = claim_of(thing, frozenset(ATTRIBUTES[type(thing)]))
    return {
        "what": plain_phrase(claim),
        "attributes": {"kind": thing.kind, **dict(claim.attributes)},
    }


def clip_file(clip: Clip) -> str:
    """Return where a clip lies in the footage's folder: a camera's recordings in its own folder."""
    return f"clips/{clip.camera}/{clip.camera}.mp4"


def clip_truth(clip: Clip) -> dict[str, Any]:
    """What is visible when in a clip, as plain JSON values."""
    appearances = []
    for track in clip.tracks:
        times = range(track.start_ms, min(track.end_ms, clip.duration_ms), 100)
        seen = [t for t in times if (thing := track.at(t)) and visible_share(thing) > SEEN_FROM]
        if seen:
            described = _describe(track.thing)
            appearances.append({**described, "start_ms": seen[0], "end_ms": seen[-1] + 100})
    return {
        "camera": clip.camera,
        "file": clip_file(clip),
        "started_at": clip.started_at.isoformat(),
        "duration_ms": clip.duration_ms,
        "place": clip.place,
        "light": clip.light,
        "weather": clip.weather,
        "appearances": appearances,
    }


def still_scenes() -> list[Scene]:
    """The scenes of the stills: drawn at random, none of which a demo sentence is true of."""
    rng = np.random.default_rng(STILL_SEED)
    scenes: list[Scene] = []
    while len(scenes) < STILLS:
        scene = sample_scene(rng, allow_held_out=True)
        if not any(sentence.holds(scene) for sentence in DEMO_SENTENCES):
            scenes.append(scene)
    return scenes


def still_taken_at(index: int) -> datetime:
    """When a still was taken."""
    return datetime(2026, 3, 1, 6, 0, tzinfo=UTC) + timedelta(minutes=9 * index)


def ground_truth() -> dict[str, Any]:
    """What is visible when in every clip, and what is in every still, as plain JSON values."""
    stills = [
        {
            "file": f"stills/still-{index:03d}.jpg",
            "taken_at": still_taken_at(index).isoformat(),
            "place": scene.place,
            "light": scene.light,
            "weather": scene.weather,
            "things": [_describe(thing) for thing in scene.things],
        }
        for index, scene in enumerate(still_scenes())
    ]
    sentences = [
        {"text": sentence.text, "moments": [asdict(moment) for moment in moments(sentence)]}
        for sentence in DEMO_SENTENCES
    ]
    return {"clips": [clip_truth(clip) for clip in CLIPS], "stills": stills, "sentences": sentences}
