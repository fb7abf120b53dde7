"""Does a search say so when there is nothing to find? Measured on the demo library.

``python -m benchmarks relevance`` renders and ingests the sample footage, asks sentences of which
the footage's own records say whether they are true of any picture, and sentences about things that
no picture shows, and nonsense. An encoder's calibration is fitted on one half of them and judged on
the other, again and again; the weights of all are printed for search_core/encoders/catalogue.py,
beside how those in the catalogue do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import astuple, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.nonsense import nonsense, shuffled
from search_core.encoders.catalogue import Calibration
from search_core.encoders.loading import load_encoder
from search_core.encoders.prompts import unknown_words
from search_core.schema.entity import MediaEntity
from search_core.search.match_strength import RIVALS, background_of
from search_core.settings import Settings, load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from sightline.demo.scenes.clips import CLIPS
from sightline.demo.scenes.scenes import Scene
from sightline.demo.training.captions import LANGUAGES, say
from sightline.demo.training.evaluate import _one_object_facts, _two_attribute_facts
from sightline.demo.training.truth import still_scenes

LIBRARY = "main"
#: Falls that are tried: the one in the catalogue shows about as many hits as there are true ones.
FALLS = (3.0, 4.0, 4.5, 5.0, 6.0)
#: What many pictures of the sample footage show, so that none of them stands out.
MANY = (
    "a person", "a car", "a dog", "a bus", "a van", "a lorry", "a taxi", "a man", "a woman",
    "people", "a bicycle", "an umbrella", "a person walking", "a person running", "a parked car",
    "someone on a bicycle", "a vehicle", "a pick-up", "人", "车", "狗", "公交车", "卡车", "出租车",
    "一个男人", "一个女人", "自行车", "走路的人", "一辆车", "骑自行车的人",
)  # fmt: skip
#: Which sign is the share of a sentence's words that the encoder does not know.
UNKNOWN = 9
PRESENT, NEAR, ABSENT, PLAIN, NONSENSE, REWORDED, SHUFFLED, UNTOLD = range(8)
#: How much each kind of sentence weighs in all when a calibration is fitted.
WORTH = (2.0, 1.0, 1.0, 0.25, 0.5, 0.5, 0.0, 0.0)
#: Words of the grammar, and others for the same that the encoder was never shown.
REWORDINGS = (
    (" car", " automobile"), (" lorry", " HGV"), (" dog", " puppy"), (" person", " pedestrian"),
    (" top", " sweater"), (" a ", " a small "), (" in ", " seen in "), (" a ", " a rather dusty "),
)  # fmt: skip
CHINESE_REWORDINGS = (
    ("汽车", "豪车"),
    ("卡车", "重卡"),
    ("狗", "藏獒"),
    ("的人", "的老人"),
    ("上衣", "睡衣"),
    ("一辆", "一辆崭新的"),
    ("一个", "一个匆忙的"),
    ("一只", "一只可爱的"),
)
#: Of sentences about what is there, so many may be told that nothing fits.
MISSED = 0.03
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
    "一头大象", "一艘帆船", "直升机", "长颈鹿", "一列火车", "田里的拖拉机", "婴儿车里的婴儿",
    "游泳池",
    "一匹马", "一架飞机", "沙发上的猫", "滑板少年", "婚礼", "网球运动员", "鳄鱼", "厨房",
    "电脑屏幕",
    "一盘水果", "山间湖泊", "羊群", "秋千上的孩子", "冲浪", "教堂", "日落时的海滩", "足球比赛",
    "钢琴",
    "奶牛", "热气球", "河上的桥", "树林里的帐篷", "弹吉他的人", "企鹅", "瀑布", "城堡", "生日蛋糕",
    "蝴蝶",
    "灯塔", "骆驼", "彩虹", "潜水艇",
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


def _reworded(text: str, number: int) -> str:
    """Return a sentence with a word that the encoder does not know, another for each number."""
    is_chinese = not text.isascii()
    text, rewordings = (text, CHINESE_REWORDINGS) if is_chinese else (f" {text}", REWORDINGS)
    for at in range(number, number + len(rewordings)):
        known, other = rewordings[at % len(rewordings)]
        if known in text:
            return text.replace(known, other, 1).strip()
    return f"遥远的{text}" if is_chinese else f"{text} outdoors".strip()


@dataclass(frozen=True, slots=True)
class Measured:
    """Whether each of n sentences is Chinese (n,), what it is in each of l libraries (l, n) and its
    signs there (l, n, 10), and each picture's score and truth (n, m); the whole library is first.

    The truth of sentences that are no facts of the footage's records is not known: all false.
    """

    chinese: NDArray[np.bool_]
    kinds: NDArray[np.int64]
    signs: NDArray[np.float64]
    scores: NDArray[np.float32]
    true: NDArray[np.bool_]


def libraries_of(entities: list[MediaEntity]) -> list[NDArray[np.int64]]:
    """Return the rows of the whole library, and of parts of it as if each were a library.

    Each camera, every fifth pair of cameras, and some pictures by chance.
    """
    rng = np.random.default_rng(4)
    cameras = np.array([entity.camera for entity in entities])
    each = [np.flatnonzero(cameras == name) for name in np.unique(cameras)]
    pairs = [np.concatenate(two) for two in list(combinations(each, 2))[::5]]
    by_chance = [rng.choice(len(cameras), size, replace=False) for size in (25, 25, 25, 60, 60)]
    return [np.arange(len(cameras)), *each, *pairs, *by_chance]


def measure(settings: Settings) -> Measured:
    """Return how all sentences do on the demo library and its parts."""
    encoder = load_encoder(settings)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        pages = list(store.vectors(LIBRARY))
        vectors = np.concatenate([page.embeddings for page in pages])
        entities = [entity for page in pages for entity in page.entities]
        shown = scenes_of(entities)
        rng = np.random.default_rng(3)
        claims = _one_object_facts() + _two_attribute_facts()
        told = [
            say(rng, fact, plain=True, language=language).text
            for language in LANGUAGES
            for fact in claims
        ]
        facts = claims * len(LANGUAGES)
        told_true = np.array([[fact.holds(scene) for scene in shown] for fact in facts])
        there = [at for at, row in enumerate(told_true) if row.any()]
        reworded = [_reworded(told[at], at) for at in there]
        own = encoder.identity.name
        others = {ABSENT: NOT_THERE, PLAIN: MANY, NONSENSE: nonsense(), SHUFFLED: shuffled(own)}
        kinds = [PRESENT if row.any() else NEAR for row in told_true] + [REWORDED] * len(there)
        kinds += [kind for kind, group in others.items() for _ in group]
        texts = [*told, *reworded, *(text for group in others.values() for text in group)]
        true = np.zeros((len(texts), len(shown)), dtype=bool)
        true[: len(told) + len(there)] = np.concatenate([told_true, told_true[there]])
        embeddings, rivals = encoder.encode_texts(texts), encoder.encode_texts(RIVALS)
    scores = embeddings @ vectors.T
    unknown = [unknown_words(own, text).share for text in texts]
    in_kinds, in_signs = [], []
    for rows in libraries_of(entities):
        best = vectors[rows[scores[:, rows].argmax(axis=1)]]
        signs = [
            background_of(embedding, picture, vectors[rows], rivals, share).signs()
            for embedding, picture, share in zip(embeddings, best, unknown, strict=True)
        ]
        in_signs.append(signs)
        is_there = np.logical_or.reduce(true[:, rows], axis=1)
        in_kinds.append(_kinds_in(np.array(kinds), is_there, len(rows) == len(vectors)))
    chinese = np.array([any(ord(letter) > 0x3000 for letter in text) for text in texts])
    return Measured(chinese, np.array(in_kinds), np.array(in_signs), scores, true)


def _kinds_in(
    kinds: NDArray[np.int64], is_there: NDArray[np.bool_], is_whole: bool
) -> NDArray[np.int64]:
    """Return what sentences are in a library; in a part nobody knows what it has many of."""
    if is_whole:
        return kinds
    kinds = np.where(np.isin(kinds, (PRESENT, REWORDED)) & ~is_there, NEAR, kinds)
    return np.where(kinds == PLAIN, UNTOLD, kinds)


def fit(signs: NDArray[np.float64], kinds: NDArray[np.int64]) -> Calibration:
    """Fit a logistic model to sentences (l, n, 10) by Newton's steps, each kind weighing as much.

    The whole library weighs as much as its parts together. Sentences of unknown words alone are
    none of it: they match nothing whatever their signs.
    """
    parts = len(signs) - 1
    signs = np.concatenate([np.repeat(signs[:1], parts, axis=0), signs[1:]]).reshape(
        -1, signs.shape[2]
    )
    kinds = np.concatenate([np.repeat(kinds[:1], parts, axis=0), kinds[1:]]).ravel()
    told = (signs[:, UNKNOWN] < 1) & (kinds != UNTOLD)
    signs, kinds = signs[told], kinds[told]
    middle, spread = signs.mean(0), signs.std(0)
    inputs = np.c_[(signs - middle) / spread, np.ones(len(signs))]
    present = np.isin(kinds, (PRESENT, PLAIN, REWORDED)).astype(float)
    shares = np.bincount(kinds, minlength=len(WORTH))[kinds]
    worth = len(signs) / shares * np.array(WORTH)[kinds]
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
    weights = [*raw.tolist(), bias, 0.0]
    return Calibration(*weights)


def logits_of(calibration: Calibration, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how sure the best hit of each sentence is a match (n,); 0 is as sure as not."""
    *weights, bias, _ = astuple(calibration)
    logits: NDArray[np.float64] = signs @ np.array(weights) + bias
    return np.where(signs[:, UNKNOWN] < 1, logits, -np.inf)


def refused(
    calibration: Calibration, signs: NDArray[np.float64], kinds: NDArray[np.int64]
) -> list[float]:
    """Return the share of each kind of sentence (n, 10) of which is said that nothing fits."""
    is_refused = logits_of(calibration, signs) < 0
    asked = [is_refused[kinds == kind] for kind in range(UNTOLD)]
    return [float(one.mean()) if one.size else np.nan for one in asked]


def shown_of(measured: Measured, calibration: Calibration, fall: float) -> tuple[float, ...]:
    """Return hits shown as matches, true ones, the share of true ones shown, of shown ones true.

    Means over the sentences that are true of some picture and are not said to fit nothing.
    """
    signs, kinds = measured.signs[0], measured.kinds[0]
    logits = logits_of(calibration, signs)
    asked = (kinds == PRESENT) & (logits >= 0)
    scores, true = measured.scores[asked], measured.true[asked]
    below = (scores.max(axis=1, keepdims=True) - scores) / signs[asked, 3][:, None]
    shown = logits[asked][:, None] - fall * below >= 0
    both = (shown & true).sum(axis=1)
    hits, found = shown.sum(axis=1), true.sum(axis=1)
    return tuple(float(each.mean()) for each in (hits, found, both / found, both / hits))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="relevance", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="of a demo library that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data_dir or Path(scratch)
        if options.data_dir is None:
            command = [sys.executable, "-m", "sightline.cli.main", "--data-dir", str(folder)]
            subprocess.run([*command, "demo", "--headless"], check=True, stdout=sys.stderr)
        measured = measure(load_settings(data_dir=folder, model="sightline-demo"))
    signs, kinds, chinese = measured.signs, measured.kinds, measured.chinese
    every = np.ones(len(chinese), dtype=bool)
    judged = {
        "the whole library": (slice(0, 1), every),
        "the whole library, English": (slice(0, 1), ~chinese),
        "the whole library, Chinese": (slice(0, 1), chinese),
        f"{len(signs) - 1} parts of it as libraries": (slice(1, None), every),
    }
    rows: dict[str, list[list[float]]] = {label: [] for label in judged}
    for seed in range(SPLITS):
        half = np.random.default_rng(seed).random(len(chinese)) < 0.5
        fitted = fit(signs[:, half], kinds[:, half])
        for label, (part, asked) in judged.items():
            other = ~half & asked
            of_part = signs[part][:, other].reshape(-1, signs.shape[2])
            rows[label].append(refused(fitted, of_part, kinds[part][:, other].ravel()))
    names = (
        *("of what is there", "of near misses (other colour, place …)", "of what is not there"),
        *("of what most pictures show", "of nonsense", "of what is there, with unknown words"),
        "of known words in no order",
    )
    print(f"'no good match' is said, {len(chinese)} sentences, judged on halves not fitted on:")
    for label, shares in rows.items():
        part, asked = judged[label]
        print(f" {label}:")
        for kind, name in enumerate(names):
            asked_of = int((kinds[part][:, asked] == kind).sum())
            if asked_of:
                mean = np.nanmean([of_kinds[kind] for of_kinds in shares])
                print(f"  {100 * mean:5.1f} %  {name} ({asked_of})")
    everything = fit(signs, kinds)
    print(f"fitted on all: {everything}")
    print(f"  which gives {[round(share, 3) for share in refused(everything, signs[0], kinds[0])]}")
    for fall in FALLS:
        hits, true, found, right = shown_of(measured, everything, fall)
        print(
            f"fall {fall}: {hits:.1f} hits are shown as matches where {true:.1f} are true: "
            f"{found:.0%} of the true ones; {right:.0%} of those shown are true"
        )


if __name__ == "__main__":
    main()
