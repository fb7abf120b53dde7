"""How "without" is best composed: formulas on scenes whose contents are known.

    python -m benchmarks.without [--scenes 500]

Scenes never rendered for training are drawn and encoded by the demo encoder. Each case is something
wanted, what to leave out in the words people use for it, and which scenes are then right. Printed
by formula and weight: the share of right ones among the first ten, of wanted ones at all, and of
those that show what was to be left out. ``none`` is the search that leaves nothing out. Below that
are 50 hits ranked as shipped, and what stays of them where those that are not nearer to what is
wanted by so many deviations are dropped (see search_core/search/left_out.py); then the same where
one to three pictures of what is wanted that show what is not are left out in place of words, and
where they only rank lower.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context

import numpy as np
from PIL import Image

from search_core.encoders.base import Embeddings, l2_normalised
from search_core.encoders.loading import load_encoder
from search_core.search.left_out import (
    LEAST_NEARER,
    WITHOUT_WEIGHT,
    Unwanted,
    leave_out,
    looks_like,
    stays,
)
from search_core.search.match_strength import PLAIN_K
from search_core.settings import load_settings
from sightline.demo.scenes.facts import ANY, Facts, ThingClaim
from sightline.demo.scenes.render import render_scene
from sightline.demo.scenes.scenes import VEHICLE_COLOURS, Scene
from sightline.demo.training.evaluate import SCENE_HEIGHT, SCENE_WIDTH, held_out_scenes

TOP = 10
LEAST_RIGHT = 10
#: What "something" may be to people who do not say what they want, but what not.
NEUTRAL = ("a scene", "a street", "a picture", "something")
Formula = Callable[[Embeddings, Embeddings, Embeddings, float], Embeddings]


def subtract(wanted: Embeddings, unwanted: Embeddings, _: Embeddings, weight: float) -> Embeddings:
    """q - w u"""
    return wanted - weight * unwanted


def project(wanted: Embeddings, unwanted: Embeddings, _: Embeddings, weight: float) -> Embeddings:
    """q - w (q·u) u"""
    shared: Embeddings = float(wanted @ unwanted) * unwanted
    return wanted - weight * shared


def beside(wanted: Embeddings, unwanted: Embeddings, _: Embeddings, weight: float) -> Embeddings:
    """q - w û, û the direction of u - (u·q) q: what is in u and not in q"""
    rest = unwanted - float(unwanted @ wanted) * wanted
    return wanted - weight * l2_normalised(rest)


def beside_short(
    wanted: Embeddings, unwanted: Embeddings, _: Embeddings, weight: float
) -> Embeddings:
    """q - w (u - (u·q) q)"""
    rest: Embeddings = unwanted - float(unwanted @ wanted) * wanted
    return wanted - weight * rest


def centred(
    wanted: Embeddings, unwanted: Embeddings, neutral: Embeddings, weight: float
) -> Embeddings:
    """q - w (u - n), n the mean of neutral sentences"""
    return wanted - weight * (unwanted - neutral)


def none(wanted: Embeddings, _: Embeddings, __: Embeddings, ___: float) -> Embeddings:
    """q"""
    return wanted


FORMULAS: tuple[Formula, ...] = (subtract, project, beside, beside_short, centred)
WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def cases() -> list[tuple[str, str, Facts, Facts]]:
    """Return what is wanted and what not, each as words and as facts."""
    found: list[tuple[str, str, Facts, Facts]] = []
    for kind in ("car", "van", "bus"):
        for colour in VEHICLE_COLOURS:
            wanted = Facts((ThingClaim(kind),))
            coloured = Facts((ThingClaim(kind, (("colour", colour),)),))
            found.append((f"a {kind}", f"a {colour} {kind}", wanted, coloured))
            found.append((f"a {kind}", colour, wanted, coloured))
    person, dog = Facts((ThingClaim("person"),)), Facts((ThingClaim("dog"),))
    umbrella = Facts((ThingClaim("person", (("umbrella", ANY),)),))
    bicycle = Facts((ThingClaim("person", (("action", "bicycle"),)),))
    car = Facts((ThingClaim("car"),))
    hat = Facts((ThingClaim("person", (("hat", ANY),)),))
    found += [
        ("a person", "an umbrella", person, umbrella),
        ("a person in the rain", "an umbrella", Facts(person.things, weather="rain"), umbrella),
        ("a person", "a bicycle", person, bicycle),
        ("a person", "a hat", person, hat),
        ("a person", "a dog", person, dog),
        ("a dog", "a person", dog, person),
        ("a dog", "snow", dog, Facts(weather="snow")),
        ("a car", "a person", car, person),
        ("a car", "night", car, Facts(light="night")),
        (
            "a car at night",
            "rain",
            Facts((ThingClaim("car"),), light="night"),
            Facts(weather="rain"),
        ),
        ("a vehicle", "a car", Facts((ThingClaim("vehicle"),)), car),
    ]
    return found


def _drawn(scene: Scene) -> np.ndarray:
    return render_scene(scene, width=SCENE_WIDTH, height=SCENE_HEIGHT)


def main() -> None:
    """Render, encode, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=500)
    scenes = held_out_scenes(parser.parse_args().scenes, forced=0)
    with get_context("spawn").Pool(2) as pool:
        frames = pool.map(partial(_drawn), scenes, chunksize=25)
    encoder = load_encoder(load_settings(model="sightline-demo"))
    pictures = encoder.encode_images([Image.fromarray(frame) for frame in frames])
    neutral = encoder.encode_texts(NEUTRAL).mean(axis=0)
    tried = []
    for wanted, unwanted, facts, against in cases():
        shown = np.array([facts.holds(scene) for scene in scenes])
        bad = np.array([against.holds(scene) for scene in scenes])
        if (shown & ~bad).sum() >= LEAST_RIGHT and (shown & bad).sum() >= 3:
            q, u = encoder.encode_texts([wanted, unwanted])
            tried.append((q, u, shown, bad))
    print(f"{len(scenes)} scenes, {len(tried)} cases")
    print(f"{'formula':14} weight  right  wanted  left-out shown")
    for formula, weights in (none, (0.0,)), *((f, WEIGHTS) for f in FORMULAS):
        for weight in weights:
            scores = np.array(
                [_score(formula(q, u, neutral, weight), pictures, shown, bad)
                 for q, u, shown, bad in tried]
            )  # fmt: skip
            right, wanted_share, unwanted_share = scores.mean(axis=0)
            name = formula.__name__
            print(
                f"{name:14} {weight:6.1f}  {right:.3f}  {wanted_share:.3f}   {unwanted_share:.3f}"
            )

    print(f"{PLAIN_K} hits    dropped below   right  left-out shown  right found  hits")
    for least in (None, 0.0, 0.25, 0.5, LEAST_NEARER, 1.0, 1.25):
        rows = np.array([_kept(q, u, pictures, shown, bad, least) for q, u, shown, bad in tried])
        right, shown_share, found, hits = np.nanmean(rows, axis=0)
        name = "nothing" if least is None else f"{least:.2f}"
        print(
            f"{name:>23}   {right:.3f}           {shown_share:.3f}        {found:.3f}  {hits:.1f}"
        )
    _print_by_pictures(tried, pictures)


def _print_by_pictures(
    tried: list[tuple[Embeddings, Embeddings, np.ndarray, np.ndarray]], pictures: Embeddings
) -> None:
    print("by pictures         right  left-out shown  right found  hits  right of ten")
    for how in ("nothing", "less like", "not like"):
        for count in (1, 2, 3):
            rng = np.random.default_rng(7)
            rows = np.array(
                [_by_pictures(q, pictures, shown, bad, rng.permutation(np.flatnonzero(shown & bad))
                 [:count], how) for q, _, shown, bad in tried]
            )  # fmt: skip
            right, shown_share, found, hits, ten = np.nanmean(rows, axis=0)
            print(
                f"{how:>10}, {count} chosen   {right:.3f}      {shown_share:.3f}          "
                f"{found:.3f}     {hits:.1f}  {ten:.3f}"
            )


def _by_pictures(
    wanted: Embeddings,
    pictures: Embeddings,
    shown: np.ndarray,
    bad: np.ndarray,
    chosen: np.ndarray,
    how: str,
) -> tuple[float, ...]:
    """Return shares among what is found without the chosen pictures themselves."""
    none = pictures[:0]
    of = pictures[chosen]
    unwanted = {
        "nothing": Unwanted(none, none, none),
        "less like": Unwanted(none, of, none),
        "not like": Unwanted(none, none, of),
    }[how]
    scores = pictures @ unwanted.taken_from(wanted, WITHOUT_WEIGHT)
    order = [index for index in np.argsort(-scores) if index not in chosen]
    first = np.array(order[:PLAIN_K])
    first = first[~looks_like(pictures[first], pictures, wanted, unwanted.not_like)]
    right = shown & ~bad
    right[chosen] = False
    return (
        float(right[first].mean()) if len(first) else np.nan,
        float(bad[first].mean()) if len(first) else np.nan,
        float(right[first].sum() / min(right.sum(), PLAIN_K)),
        float(len(first)),
        float(right[first[:TOP]].mean()) if len(first) else np.nan,
    )


def _kept(
    wanted: Embeddings,
    unwanted: Embeddings,
    pictures: Embeddings,
    shown: np.ndarray,
    bad: np.ndarray,
    least: float | None,
) -> tuple[float, float, float, float]:
    order = pictures @ leave_out(wanted, unwanted[None, :], WITHOUT_WEIGHT)
    first = np.argsort(-order)[:PLAIN_K]
    if least is not None:
        first = first[stays(pictures[first], pictures, wanted, unwanted[None, :], least)]
    right = shown & ~bad
    return (
        float(right[first].mean()) if len(first) else np.nan,
        float(bad[first].mean()) if len(first) else np.nan,
        float(right[first].sum() / min(right.sum(), PLAIN_K)),
        float(len(first)),
    )


def _score(
    query: Embeddings, pictures: Embeddings, shown: np.ndarray, bad: np.ndarray
) -> tuple[float, float, float]:
    first = np.argsort(-(pictures @ query))[:TOP]
    return (
        float((shown & ~bad)[first].mean()),
        float(shown[first].mean()),
        float(bad[first].mean()),
    )


if __name__ == "__main__":
    main()
