"""The shipped encoder: it loads as any open_clip checkpoint does, and finds what is asked."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from search_core.encoders.base import explain
from search_core.encoders.openclip import OpenClipEncoder
from search_core.search.heat_map import hottest_point
from sightline.demo.scenes.facts import Facts, ThingClaim
from sightline.demo.scenes.render import render_scene
from sightline.demo.scenes.scenes import PLACES, Placement, Scene, Vehicle, extent, ground_y
from sightline.demo.training.evaluate import TARGETS, held_out_scenes, score_encoder, unseen_scenes
from sightline.demo.training.sampling import sample_person
from sightline.demo.training.train import ENCODER_FOLDER, WEIGHTS, Recipe, build_model

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{ENCODER_FOLDER}", device="cpu")


def test_the_weights_are_small_enough_to_ship() -> None:
    assert (ENCODER_FOLDER / WEIGHTS).stat().st_size <= 25 * MEGABYTE


def test_embeddings_are_finite_and_of_unit_length(encoder: OpenClipEncoder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    images = encoder.encode_images([Image.fromarray(noise), Image.new("RGB", (640, 360))])
    texts = encoder.encode_texts(["a white car", "", "quite another thing, 42"])
    for rows in (images, texts):
        assert rows.shape[1] == encoder.identity.dim
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_the_whole_frame_is_seen(encoder: OpenClipEncoder) -> None:
    assert encoder.preprocess.size == (72, 128)
    assert encoder.preprocess.resize_mode == "squash"


def test_a_model_built_for_training_has_the_shipped_shape(encoder: OpenClipEncoder) -> None:
    parameters = sum(parameter.numel() for parameter in build_model().parameters())
    assert 2e6 < parameters < 10e6


def test_the_rate_warms_up_stays_and_falls_to_nothing() -> None:
    recipe = Recipe()
    rates = [recipe.rate_at(step) for step in range(recipe.steps + 1)]
    assert rates[0] < rates[recipe.warmup] == recipe.learning_rate
    plateau = int(recipe.steps * (1 - recipe.decay))
    assert rates[plateau] == recipe.learning_rate
    assert rates[-1] == 0.0
    longer = Recipe(steps=recipe.steps * 2)
    assert [longer.rate_at(step) for step in range(plateau)] == rates[:plateau]


def test_the_kept_score_covers_enough_scenes_and_sentences() -> None:
    record = json.loads((ENCODER_FOLDER / "score.json").read_text())
    assert record["scenes"] >= 1000
    assert sum(record[name]["sentences"] for name in TARGETS) >= 200
    for name in TARGETS:
        english, chinese = (record[f"{name}{end}"]["precision_at_5"] for end in ("", "_zh"))
        assert english >= record[name]["target"] and chinese >= english - 0.03


def test_it_finds_what_held_out_scenes_hold(encoder: OpenClipEncoder) -> None:
    scenes = held_out_scenes(400, forced=10)
    frames = [render_scene(scene, 160, 90) for scene in scenes]
    scores = score_encoder(encoder, scenes, frames)
    assert scores["one_object"].precision_at_5 > 0.75
    assert scores["two_attributes"].precision_at_5 > 0.6
    assert scores["never_trained"].precision_at_5 > 0.5
    for name in TARGETS:
        assert scores[f"{name}_zh"].precision_at_5 > scores[name].precision_at_5 - 0.08
    for part in scores.values():
        assert part.by_chance < 0.2


def test_it_tells_siblings_of_the_demo_apart(encoder: OpenClipEncoder) -> None:
    rng = np.random.default_rng(1)
    scenes = unseen_scenes(rng, 0, 6)
    images = encoder.encode_images(
        [Image.fromarray(render_scene(scene, 320, 180)) for scene in scenes]
    )
    right, wrong = encoder.encode_texts(
        ["a person in a yellow top riding a bicycle", "a person in a black top riding a motorcycle"]
    )
    assert ((images @ right) > (images @ wrong)).mean() > 0.8


def test_the_hottest_patch_for_a_white_car_lies_on_the_car(encoder: OpenClipEncoder) -> None:
    [query] = encoder.encode_texts(["a white car"])
    rng = np.random.default_rng(7)
    within, areas = [], []
    for number in range(24):
        left, size = number % 2 == 0, float(rng.uniform(0.2, 0.32))
        x = float(rng.uniform(0.25, 0.35)) if left else float(rng.uniform(0.65, 0.75))
        car = Vehicle(Placement(x, ground_y(size), size, 1, 0.0), "car", "white")
        person = sample_person(rng)
        person = replace(person, at=replace(person.at, x=1 - x, size=size, y=ground_y(size)))
        scene = Scene(PLACES[number % 4], "day", "clear", (car, person), number)
        heat = explain(encoder, Image.fromarray(render_scene(scene)), query)
        assert heat is not None
        point = hottest_point(heat)
        assert point is not None
        width, height = extent(car)[0] * size * 9 / 16, extent(car)[1] * size
        areas.append(width * height)
        within.append(abs(point[0] - x) <= width / 2 and 0 <= car.at.y - point[1] <= height)
    assert np.mean(within) >= 0.7 > 3 * np.mean(areas)


def test_the_sentences_the_product_was_described_with_answer(encoder: OpenClipEncoder) -> None:
    claims = {
        "车": Facts((ThingClaim("car"),)),
        "雪地上两只狗": Facts((ThingClaim("dog", (), 2),), weather="snow"),
        "穿着蓝色上衣骑自行车的人": Facts(
            (ThingClaim("person", (("top", "blue"), ("action", "bicycle"))),)
        ),
        "一个印有 JCN 的卡车": Facts((ThingClaim("lorry", (("lettering", "JCN"),)),)),
        "白色的车": Facts((ThingClaim("car", (("colour", "white"),)),)),
    }
    scenes = held_out_scenes(400, forced=0)
    images = encoder.encode_images(
        [Image.fromarray(render_scene(scene, 320, 180)) for scene in scenes]
    )
    for text, vector in zip(claims, encoder.encode_texts(list(claims)), strict=True):
        assert claims[text].holds(scenes[int((images @ vector).argmax())]), text
