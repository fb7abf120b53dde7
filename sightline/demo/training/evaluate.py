"""Scores the encoder on scenes it never saw.

``python -m sightline.demo.training.evaluate`` prints it and writes
``score.json``.

For each sentence the held-out scenes are ranked by cosine; precision@5 is the share of the first
five of which the sentence is true. Unlabelled luck is out of the question: truth comes from the
scenes' records, not from captions.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from search_core.encoders.base import Encoder
from search_core.encoders.openclip import OpenClipEncoder
from sightline.demo.scenes.facts import ANY, Facts, Sentence, ThingClaim
from sightline.demo.scenes.render import Frame, render_scene
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
    UMBRELLA_COLOURS,
    VEHICLE_COLOURS,
    VEHICLE_KINDS,
    Person,
    Scene,
    Vehicle,
    held_out,
)
from sightline.demo.training.captions import LANGUAGES, Language, say
from sightline.demo.training.sampling import sample_person, sample_scene, sample_vehicle

TARGETS = {"one_object": 0.90, "two_attributes": 0.80, "never_trained": 0.70}
SEED = 990_001
SCENE_WIDTH, SCENE_HEIGHT = 320, 180
_log = logging.getLogger("sightline.demo.training.evaluate")

UNSEEN: tuple[ThingClaim, ...] = (
    ThingClaim("person", (("top", "yellow"), ("action", "bicycle"))),
    ThingClaim("person", (("top", "white"), ("action", "running"))),
    ThingClaim("bus", (("colour", "purple"),)),
    ThingClaim("van", (("colour", "orange"),)),
    ThingClaim("pickup", (("colour", "red"),)),
    ThingClaim("lorry", (("lettering", "FERN"),)),
)
"""The held-out combinations as claims, in the order of :data:`~..scenes.scenes.HELD_OUT`."""


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Scores of one kind of sentence: shares from 0 to 1; ``by_chance`` is the precision of a
    random order.
    """

    sentences: int
    precision_at_5: float
    precision_at_1: float
    by_chance: float
    target: float | None
    worst: tuple[str, ...]


def unseen_scenes(rng: np.random.Generator, index: int, count: int) -> list[Scene]:
    """Scenes that show held-out combination ``index`` among whatever else is there."""
    claim = UNSEEN[index]
    wanted = dict(claim.attributes)
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample_scene(rng, allow_held_out=True)
        if scene.place == "shop_aisle":
            continue
        thing: Person | Vehicle
        if claim.kind == "person":
            person = replace(
                sample_person(rng), top=wanted["top"], action=wanted["action"], umbrella=None
            )
            thing = person if person.action == "running" else replace(person, bag=False)
        else:
            vehicle = replace(sample_vehicle(rng), lettering=None)
            if vehicle.kind != claim.kind:
                continue
            thing = replace(
                vehicle,
                colour=wanted.get("colour", vehicle.colour),
                lettering=wanted.get("lettering"),
            )
        others = tuple(other for other in scene.things[1:2] if abs(other.at.x - thing.at.x) > 0.4)
        scenes.append(replace(scene, things=(thing, *others)))
    return scenes


def held_out_scenes(count: int = 1500, forced: int = 25) -> list[Scene]:
    """Scenes never rendered for training, and ``forced`` more of each combination never trained."""
    rng = np.random.default_rng(SEED)
    scenes = [sample_scene(rng, allow_held_out=True) for _ in range(count)]
    for index in range(len(UNSEEN)):
        scenes += unseen_scenes(rng, index, forced)
    return scenes


def _one_object_facts() -> list[Facts]:
    person = [(("top", colour),) for colour in TOP_COLOURS]
    person += [(("action", action),) for action in ACTIONS]
    person += [(("hat", ANY),), (("bag", ANY),), (("umbrella", ANY),)]
    person += [(("umbrella", colour),) for colour in UMBRELLA_COLOURS]
    person += [(("hat", colour),) for colour in HAT_COLOURS]
    claims = [ThingClaim("person"), ThingClaim("dog"), ThingClaim("dog", count=2)]
    claims += [ThingClaim("person", attributes) for attributes in person]
    claims += [ThingClaim("dog", (("colour", colour),)) for colour in DOG_COLOURS]
    claims += [ThingClaim("dog", (("action", action),)) for action in DOG_ACTIONS]
    for kind in VEHICLE_KINDS:
        colours = TAXI_COLOURS if kind == "taxi" else VEHICLE_COLOURS
        claims += [
            ThingClaim(kind),
            *(ThingClaim(kind, (("colour", colour),)) for colour in colours),
        ]
    claims += [
        ThingClaim(kind, (("lettering", word),)) for kind in ("van", "lorry") for word in LETTERINGS
    ]
    return [Facts((claim,)) for claim in claims if claim not in UNSEEN]


def _two_attribute_facts() -> list[Facts]:
    claims = [
        ThingClaim("person", (("top", top), ("action", action)))
        for top in TOP_COLOURS
        for action in ACTIONS
    ]
    claims += [ThingClaim("person", (("top", top), ("umbrella", ANY))) for top in TOP_COLOURS]
    claims += [ThingClaim("person", (("top", top), ("bag", ANY))) for top in TOP_COLOURS]
    claims += [ThingClaim("person", (("top", top), ("hat", ANY))) for top in TOP_COLOURS]
    claims += [
        ThingClaim(kind, (("colour", colour), ("lettering", word)))
        for kind in ("van", "lorry")
        for colour in VEHICLE_COLOURS
        for word in LETTERINGS
    ]
    claims += [
        ThingClaim("dog", (("colour", c), ("action", a))) for c in DOG_COLOURS for a in DOG_ACTIONS
    ]
    facts = [Facts((claim,)) for claim in claims if not _unseen(claim)]
    for kind in ("car", "van", "bus", "lorry", "taxi", "dog", "person"):
        colour = "top" if kind == "person" else "colour"
        for name in ("red", "blue", "white", "black", "yellow", "brown"):
            claim = ThingClaim(kind, ((colour, name),))
            if not _unseen(claim):
                facts += [
                    Facts((claim,), light="night"),
                    Facts((claim,), weather="snow"),
                    Facts((claim,), weather="rain"),
                ]
                facts += [Facts((claim,), place=place) for place in PLACES]
    facts += [
        Facts((ThingClaim(kind),), place=p, light=x)
        for kind in ("person", "dog")
        for p in PLACES
        for x in LIGHTS[1:]
    ]
    return facts


def _unseen(claim: ThingClaim) -> bool:
    return any(
        claim.kind == other.kind and set(other.attributes) <= set(claim.attributes)
        for other in UNSEEN
    )


def make_sentences(
    scenes: Sequence[Scene],
    relevant: int = 8,
    two_attributes: int = 100,
    language: Language = "en",
) -> dict[str, list[Sentence]]:
    """The sentences of each kind, each true of at least ``relevant`` of the scenes; of the same
    claims in every language.
    """
    rng = np.random.default_rng(SEED + 1)

    def kept(facts: Sequence[Facts]) -> list[Facts]:
        return [fact for fact in facts if sum(fact.holds(scene) for scene in scenes) >= relevant]

    single, double = kept(_one_object_facts()), kept(_two_attribute_facts())
    chosen = sorted(
        int(i) for i in rng.choice(len(double), min(two_attributes, len(double)), replace=False)
    )
    facts = {
        "one_object": single,
        "two_attributes": [double[i] for i in chosen],
        "never_trained": [Facts((claim,)) for claim in UNSEEN for _ in range(6)],
    }
    return {
        name: [say(rng, fact, plain=True, language=language) for fact in each]
        for name, each in facts.items()
    }


def score(
    similarity: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    truth: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    texts: Sequence[str],
    target: float | None,
) -> GroupScore:
    """Scores (sentences, scenes) cosines against which scene each sentence is true of."""
    order = np.argsort(-similarity, axis=1)[:, :5]
    hits = np.take_along_axis(truth, order, axis=1)
    precision = hits.mean(axis=1)
    worst = tuple(
        f"{texts[i]}: {precision[i]:.1f}" for i in np.argsort(precision, kind="stable")[:8]
    )
    return GroupScore(
        sentences=len(texts),
        precision_at_5=round(float(precision.mean()), 4),
        precision_at_1=round(float(hits[:, 0].mean()), 4),
        by_chance=round(float(truth.mean()), 4),
        target=target,
        worst=worst,
    )


def score_encoder(
    encoder: Encoder,
    scenes: Sequence[Scene],
    frames: Sequence[Frame],
    languages: Sequence[Language] = LANGUAGES,
) -> dict[str, GroupScore]:
    """The encoder's scores on these scenes, whose frames are RGB uint8 (height, width, 3), by kind
    of sentence: "one_object" in English, "one_object_zh" in Chinese.
    """
    images = encoder.encode_images([Image.fromarray(frame) for frame in frames])
    scores: dict[str, GroupScore] = {}
    for language in languages:
        for name, sentences in make_sentences(scenes, language=language).items():
            texts = [sentence.text for sentence in sentences]
            truth = np.array(
                [[sentence.holds(scene) for scene in scenes] for sentence in sentences]
            )
            scores[name if language == "en" else f"{name}_{language}"] = score(
                encoder.encode_texts(texts) @ images.T, truth, texts, TARGETS.get(name)
            )
    return scores


def evaluate(folder: Path, scenes: int = 1500) -> dict[str, GroupScore]:
    """Scores the encoder in ``folder`` on the held-out scenes; writes ``score.json`` there."""
    held = held_out_scenes(scenes)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        render = partial(render_scene, width=SCENE_WIDTH, height=SCENE_HEIGHT)
        frames = pool.map(render, held, chunksize=50)
    scores = score_encoder(OpenClipEncoder(f"local-dir:{folder}"), held, frames)
    record = {
        "scenes": len(held),
        "with_held_out": sum(any(map(held_out, scene.things)) for scene in held),
    }
    parts = {name: asdict(part) for name, part in scores.items()}
    text = json.dumps({**record, **parts}, indent=2, ensure_ascii=False)
    (folder / "score.json").write_text(text + "\n", "utf-8")
    for name, part in scores.items():
        _log.info(
            "%-18s precision@5 %.3f (wanted %.2f, by chance %.3f)  precision@1 %.3f  "
            "%d sentences, %d scenes",
            *(
                name,
                part.precision_at_5,
                part.target,
                part.by_chance,
                part.precision_at_1,
                part.sentences,
                len(held),
            ),
        )
        for line in part.worst:
            _log.info("    %s", line)
    return scores


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sightline.demo.training.evaluate",
        description="Score the demo encoder on held-out scenes.",
    )
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "encoder")
    parser.add_argument("--scenes", type=int, default=1500)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    _log.setLevel(logging.INFO)
    evaluate(options.folder, options.scenes)


if __name__ == "__main__":
    main()
