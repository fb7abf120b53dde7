"""Does a search say so when there is nothing to find? Measured on the demo library.

``python -m benchmarks relevance`` renders and ingests the sample footage, asks sentences of which
the footage's own records say whether they are true of any picture, and sentences about things that
no picture shows. An encoder's calibration is fitted on one half of them and judged on the other,
again and again; the weights of all are printed for search_core/encoders/catalogue.py, beside how
those in the catalogue do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.captions import say
from demo.clips import CLIPS
from demo.evaluate import _one_object_facts, _two_attribute_facts
from demo.scenes import Scene
from demo.truth import still_scenes
from search_core.encoders.catalogue import Calibration
from search_core.encoders.openclip import load_encoder
from search_core.endpoint import resolve_endpoint
from search_core.entities import MediaEntity
from search_core.relevance import MATCH, Relevance
from search_core.settings import Settings, load_settings
from search_core.store import MilvusStore

LIBRARY = "main"
PRESENT, NEAR, ABSENT = range(3)
#: Of sentences about what is there, so many may be told that nothing fits.
MISSED = 0.035
SPLITS = 20
#: Things that no picture of the sample footage shows.
NOT_THERE = (
    "an elephant", "a sailing boat", "a helicopter", "a giraffe", "a plate of spaghetti",
    "a train", "a tractor ploughing a field", "a baby in a pram", "a swimming pool", "a horse",
    "an aeroplane", "a cat on a sofa", "a skateboarder doing a trick", "a wedding",
    "a tennis player", "a crocodile", "a kitchen with a stove", "a computer screen",
    "a bowl of fruit", "a mountain lake", "a flock of sheep", "a child on a swing",
    "a fire engine with its ladder out", "a surfer on a wave", "a laptop on a desk", "a church",
    "a beach at sunset", "a football match", "a piano", "a cow", "a hot air balloon",
    "a fish tank", "a bridge over a river", "a crane on a building site", "a tent in the woods",
    "a waiter serving coffee", "a parrot", "a bookshelf", "a man playing a guitar", "a snowman",
    "a rocket launch", "a penguin", "a violin", "a waterfall", "a chess board", "a submarine",
    "a castle on a hill", "a sunflower", "a microscope", "a lion in a cage", "a birthday cake",
    "a rugby scrum", "a monkey in a tree", "a dentist at work", "a windmill", "a ferry",
    "a bear catching a fish", "a ballet dancer", "a volcano", "a hospital bed", "a goat",
    "a field of wheat", "a hockey goalkeeper", "a pile of books", "a spider's web",
    "a telephone box", "a man shaving", "a bowl of soup", "a butterfly", "a greenhouse",
    "an orchestra", "a lighthouse", "a deer in a forest", "a pair of scissors", "a whale",
    "a cinema screen", "a basketball hoop", "a camel", "a fountain pen", "a rainbow",
)  # fmt: skip


def scenes_of(entities: list[MediaEntity]) -> list[Scene]:
    """Return what each picture of the demo library shows."""
    clips = {clip.camera: clip for clip in CLIPS}
    stills = still_scenes()
    shown = []
    for entity in entities:
        number = re.search(r"still-(\d+)", entity.uri)
        if number:
            shown.append(stills[int(number.group(1))])
        else:
            shown.append(clips[entity.camera].scene_at(entity.pts_ms))
    return shown


def measure(settings: Settings) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the calibration weighs of each sentence (n, 7), and what the sentence is."""
    encoder = load_encoder(settings)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        pages = list(store.vectors(LIBRARY))
        vectors = np.concatenate([page.embeddings for page in pages])
        shown = scenes_of([entity for page in pages for entity in page.entities])
        rng = np.random.default_rng(3)
        facts = _one_object_facts() + _two_attribute_facts()
        texts = [say(rng, fact, plain=True).text for fact in facts] + list(NOT_THERE)
        kinds = [PRESENT if any(map(fact.holds, shown)) else NEAR for fact in facts]
        kinds += [ABSENT] * len(NOT_THERE)
        relevance, library = Relevance(encoder, store), store.library(LIBRARY)
        rows = []
        for embedding in encoder.encode_texts(texts):
            best = vectors[int((vectors @ embedding).argmax())]
            seen = relevance.background(library, embedding, best)
            assert seen is not None
            score = float(best @ embedding)
            rows.append((score, (score - seen.mean) / seen.deviation, *astuple(seen)))
    return np.array(rows), np.array(kinds)


def fit(signs: NDArray[np.float64], kinds: NDArray[np.int64]) -> Calibration:
    """Fit a logistic model by Newton's steps, each kind of sentence weighing as much."""
    middle, spread = signs.mean(0), signs.std(0)
    inputs = np.c_[(signs - middle) / spread, np.ones(len(signs))]
    present = (kinds == PRESENT).astype(float)
    shares = np.bincount(kinds, minlength=3)[kinds]
    worth = len(signs) / shares * np.where(kinds == PRESENT, 2.0, 1.0)
    found = np.zeros(inputs.shape[1])
    for _ in range(100):
        chance = 1.0 / (1.0 + np.exp(-inputs @ found))
        curve = (inputs * (worth * chance * (1.0 - chance))[:, None]).T @ inputs
        slope = inputs.T @ (worth * (present - chance)) - found
        found += np.linalg.solve(curve + np.eye(len(found)), slope)
    raw = found[:-1] / spread
    logits = signs @ raw
    # MATCH is where so few of those that are there are missed, whatever the fit made of 0.5.
    bias = -float(np.quantile(logits[kinds == PRESENT], MISSED))
    weights = [*raw.tolist(), bias]
    return Calibration(*weights)


def refused(
    calibration: Calibration, signs: NDArray[np.float64], kinds: NDArray[np.int64]
) -> list[float]:
    """Return the share of each kind of sentence of which is said that nothing fits."""
    *raw, bias = astuple(calibration)
    strength = 1.0 / (1.0 + np.exp(-(signs @ np.array(raw) + bias)))
    return [float((strength[kinds == kind] < MATCH).mean()) for kind in (PRESENT, NEAR, ABSENT)]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="relevance", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="of a demo library that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data_dir or Path(scratch)
        if options.data_dir is None:
            command = [sys.executable, "-m", "cli.main", "--data-dir", str(folder)]
            subprocess.run([*command, "demo", "--headless"], check=True, stdout=sys.stderr)
        signs, kinds = measure(load_settings(data_dir=folder))
    rows = []
    for seed in range(SPLITS):
        half = np.random.default_rng(seed).random(len(kinds)) < 0.5
        rows.append(refused(fit(signs[half], kinds[half]), signs[~half], kinds[~half]))
    names = ("of what is there", "of near misses (other colour, place …)", "of what is not there")
    print(f"'no good match' is said, {len(kinds)} sentences, judged on halves not fitted on:")
    for kind, name in enumerate(names):
        print(f"  {100 * np.mean(rows, 0)[kind]:5.1f} %  {name} ({(kinds == kind).sum()})")
    everything = fit(signs, kinds)
    print(f"fitted on all: {everything}")
    print(f"  which gives {[round(share, 3) for share in refused(everything, signs, kinds)]}")


if __name__ == "__main__":
    main()
