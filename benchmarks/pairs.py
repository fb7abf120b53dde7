"""Whether "A, then B" finds the pair, on rendered days whose events are known.

    python -m benchmarks.pairs [--days 10] [--things 60]

A day is three cameras with 60 things each, from 6 to 20 o'clock, of scenes never trained on,
and six planted pairs: a thing, and another one 10 to 110 s after it on the same camera. To each
belong decoys: the two in the other order, an hour apart, and within the time on two cameras. A pair
is asked for in the words of the grammar, within two minutes. Right is any pair of which both
sentences are true, in order and in time, on one camera. Printed is how often one is at rank 1, and
at rank 1 to 3; beside it what another way to score a pair gives.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context

import numpy as np
from PIL import Image

from search_core.encoders.base import Encoder
from search_core.encoders.loading import load_encoder
from search_core.search.engine import Hit, SearchEngine
from search_core.search.pairs import CANDIDATES, Pair, answer_pairs, pair_hits
from search_core.search.query_text.sequence import Sequence, read_sequence
from search_core.settings import load_settings
from search_core.store.memory.store import MemoryStore
from sightline.demo.scenes.facts import ATTRIBUTES, Facts, Sentence, claim_of
from sightline.demo.scenes.render import Frame, render_scene
from sightline.demo.scenes.scenes import Scene
from sightline.demo.training.captions import plain_phrase
from sightline.demo.training.evaluate import SCENE_HEIGHT, SCENE_WIDTH, held_out_scenes
from tests.conftest import make_entity

CAMERAS, PAIRS = 3, 6
WITHIN_S = 120
START_S, END_S = 6 * 3600, 20 * 3600
Combine = Callable[[float, float], float]
WAYS: dict[str, Combine] = {
    "the worse of two standings (shipped)": min,
    "their sum": lambda one, other: one + other,
}


@dataclass(frozen=True, slots=True)
class Event:
    """A scene before a camera, at a second of the day."""

    camera: int
    second: int
    scene: Scene


@dataclass(frozen=True, slots=True)
class Day:
    """What is seen in a day, and the pairs of sentences that are asked for."""

    events: tuple[Event, ...]
    asked: tuple[tuple[Sentence, Sentence], ...]


def make_day(scenes: list[Scene], things: int, rng: np.random.Generator) -> Day:
    """Return a day of scenes of one thing, in the order of their cameras and times."""
    pool = iter(scenes)
    events, asked = list[Event](), []
    for camera in range(CAMERAS):
        seconds = rng.integers(START_S, END_S, things)
        events += [Event(camera, int(second), next(pool)) for second in seconds]
    for _ in range(PAIRS):
        first, second = next(pool), next(pool)
        asked.append((_sentence(first), _sentence(second)))
        camera, other, third = (int(number) for number in rng.permutation(CAMERAS))
        for place, begins, after in (
            (camera, first, (second, int(rng.integers(10, 111)))),
            (other, second, (first, int(rng.integers(10, 111)))),
            (third, first, (second, 3600)),
        ):
            at = int(rng.integers(START_S, END_S))
            events.append(Event(place, at, replace(begins, seed=int(rng.integers(1 << 30)))))
            then, later = after
            events.append(Event(place, at + later, replace(then, seed=int(rng.integers(1 << 30)))))
        at = int(rng.integers(START_S, END_S))
        events.append(Event(camera, at, replace(first, seed=int(rng.integers(1 << 30)))))
        events.append(Event(other, at + 40, replace(second, seed=int(rng.integers(1 << 30)))))
    return Day(tuple(events), tuple(asked))


def _sentence(scene: Scene) -> Sentence:
    """Return the grammar's plain words for the one thing of a scene, with two things about it."""
    [thing] = scene.things
    claim = claim_of(thing, set(ATTRIBUTES[type(thing)][:1]) | {"action", "lettering"})
    return Sentence(plain_phrase(claim), Facts((claim,)))


def is_right(day: Day, first: int, second: int, asked: tuple[Sentence, Sentence]) -> bool:
    """Whether two events are a pair that was asked for."""
    one, other = day.events[first], day.events[second]
    in_time = one.camera == other.camera and 0 < other.second - one.second <= WITHIN_S
    return in_time and asked[0].holds(one.scene) and asked[1].holds(other.scene)


def draw(scene: Scene) -> Frame:
    """Return a scene's picture."""
    return render_scene(scene, SCENE_WIDTH, SCENE_HEIGHT)


def engine_of(day: Day, encoder: Encoder) -> SearchEngine:
    """Return an engine over a library of a day's pictures, the caption of each its number."""
    with get_context("spawn").Pool(2) as pool:
        frames = pool.map(draw, [event.scene for event in day.events], chunksize=16)
    store = MemoryStore()
    store.ensure_library("day", encoder.identity)
    entities = [
        replace(
            make_entity(number, camera=f"cam-{event.camera}", captured_at=event.second * 1000),
            caption=str(number),
        )
        for number, event in enumerate(day.events)
    ]
    pictures = [Image.fromarray(frame) for frame in frames]
    store.upsert("day", entities, encoder.encode_images(pictures))
    return SearchEngine(encoder, store, "day")


def ranked(engine: SearchEngine, wanted: Sequence, combine: Combine) -> list[tuple[int, int]]:
    """Return the numbers of the two events of each pair, best first."""
    found = answer_pairs(engine, wanted, k=CANDIDATES)
    pairs: list[Pair] = found.pairs
    if combine is not min:
        first, second = (
            {
                hit.entity.id: standing
                for hit, standing in zip(a.hits, engine.standing(a), strict=True)
            }
            for a in (found.first, found.second)
        )
        every = pair_hits(
            *([(hit, 0.0) for hit in a.hits] for a in (found.first, found.second)),
            within=wanted.within,
        )
        pairs = sorted(
            every, key=lambda p: -combine(first[p.first.entity.id], second[p.second.entity.id])
        )
    return [(number_of(pair.first), number_of(pair.second)) for pair in pairs]


def number_of(hit: Hit) -> int:
    """Return which event a hit shows."""
    return int(hit.entity.caption)


def main() -> None:
    """Print how often the pair is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--things", type=int, default=60, help="Of each camera on a day.")
    options = parser.parse_args()
    days, things = options.days, options.things
    encoder = load_encoder(load_settings(model="sightline-demo"))
    per_day = CAMERAS * things + 2 * PAIRS
    scenes = [s for s in held_out_scenes(days * per_day * 4) if len(s.things) == 1]
    rng = np.random.default_rng(14)
    ranks: dict[str, list[int | None]] = {name: [] for name in WAYS}
    for number in range(days):
        day = make_day(scenes[number * per_day : (number + 1) * per_day], things, rng)
        engine = engine_of(day, encoder)
        for asked in day.asked:
            wanted = read_sequence(f"{asked[0].text}, then {asked[1].text}, within 2 minutes")
            assert wanted is not None and wanted.within == timedelta(seconds=WITHIN_S)
            for name, combine in WAYS.items():
                order = ranked(engine, wanted, combine)
                right = (n for n, pair in enumerate(order, 1) if is_right(day, *pair, asked))
                ranks[name].append(next(right, None))
    for name, found in ranks.items():
        first = sum(rank == 1 for rank in found)
        three = sum(rank is not None and rank <= 3 for rank in found)
        print(f"{name}: {len(found)} pairs, at rank 1 {first}, at rank 1 to 3 {three}")


if __name__ == "__main__":
    main()
