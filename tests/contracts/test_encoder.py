"""What every Encoder does, asked of each runtime and of the colour encoder."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from search_core.encoders.base import (
    Encoder,
    EncoderIdentity,
    EncoderOptions,
    Explainer,
    explain,
    preprocessing_digest,
    weights_digest,
)
from search_core.encoders.loading import RUNTIMES, load, load_encoder, options_of
from search_core.errors import EncoderUnavailable, SettingsError
from search_core.settings import load_settings
from tests.support.colour_encoder import COLOURS, ColourEncoder

PICTURES = [Image.new("RGB", (64, 48), colour) for colour in COLOURS.values()]


@pytest.fixture(scope="module", params=[*RUNTIMES, "colours"])
def encoder(request: pytest.FixtureRequest, tiny_model_dir: Path) -> Encoder:
    if request.param == "colours":
        return ColourEncoder()
    return RUNTIMES[request.param].load(tiny(tiny_model_dir))


def tiny(folder: Path) -> EncoderOptions:
    return EncoderOptions(f"local-dir:{folder}", batch_size=4)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_has_all_that_one_must_have(name: str, tiny_model_dir: Path) -> None:
    runtime = RUNTIMES[name]
    assert runtime.runtime == name
    assert runtime.about and runtime.about not in [
        other.about for other in RUNTIMES.values() if other is not runtime
    ]
    options = tiny(tiny_model_dir)
    assert runtime.takes(options)
    encoder = runtime.load(options)
    assert isinstance(encoder, Encoder)
    assert EncoderIdentity.from_dict(encoder.identity.to_dict()) == encoder.identity
    with pytest.raises(EncoderUnavailable) as refused:
        runtime.load(EncoderOptions("local-dir:/nowhere"))
    assert refused.value.hint


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_identity_is_that_of_the_stored_weights_whatever_computes_them(
    name: str, tiny_model_dir: Path
) -> None:
    stored = load_file(tiny_model_dir / "open_clip_model.safetensors")
    config = json.loads((tiny_model_dir / "open_clip_config.json").read_text())["preprocess_cfg"]
    identity = RUNTIMES[name].load(tiny(tiny_model_dir)).identity
    preprocess = RUNTIMES[name].load(tiny(tiny_model_dir)).preprocess

    assert identity.digest == weights_digest(sorted(stored.items()))
    assert identity.preprocessing == preprocessing_digest(preprocess, config["mean"], config["std"])


def test_settings_load_with_the_first_runtime_that_takes_the_model(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    chosen = load_settings(data_dir=tmp_path, model=f"local-dir:{tiny_model_dir}")
    encoder = load_encoder(chosen)
    first = next(one for one in RUNTIMES.values() if one.takes(options_of(chosen)))
    assert isinstance(encoder, first)
    elsewhere = pickle.loads(pickle.dumps(options_of(chosen)))
    assert load(elsewhere).identity.same_space(encoder.identity)


def test_it_is_an_encoder(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)


def test_embeddings_are_unit_float32_rows(encoder: Encoder) -> None:
    for rows in (encoder.encode_images(PICTURES), encoder.encode_texts(["red", "a blue car", ""])):
        assert rows.dtype == np.float32
        assert rows.shape[1] == encoder.identity.dim
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    assert encoder.encode_images([]).shape == (0, encoder.identity.dim)
    assert encoder.encode_texts([]).shape == (0, encoder.identity.dim)


def test_a_batch_gives_what_single_images_give(encoder: Encoder) -> None:
    together = encoder.encode_images(PICTURES)
    alone = np.concatenate([encoder.encode_images([picture]) for picture in PICTURES])
    np.testing.assert_allclose(together, alone, atol=2e-3)


def test_pixels_and_images_are_the_same_way_in(encoder: Encoder) -> None:
    pixels = [encoder.preprocess(picture) for picture in PICTURES]
    assert all(
        item.dtype == np.uint8 and item.shape == (*encoder.preprocess.size, 3) for item in pixels
    )
    np.testing.assert_array_equal(encoder.encode_pixels(pixels), encoder.encode_images(PICTURES))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P", "1", "LA"])
def test_every_colour_mode_is_taken(encoder: Encoder, mode: str) -> None:
    assert encoder.encode_images([PICTURES[3].convert(mode)]).shape[0] == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (33, 7)])
def test_every_shape_is_taken(encoder: Encoder, size: tuple[int, int]) -> None:
    assert encoder.encode_images([Image.new("RGB", size)]).shape[0] == 1


def test_templates_are_averaged(encoder: Encoder) -> None:
    plain = encoder.encode_texts(["red"])
    np.testing.assert_allclose(encoder.encode_texts(["red"], ["{}"]), plain, atol=1e-6)
    ensemble = encoder.encode_texts(["red"], ["{}", "a photo of {}"])
    parts = encoder.encode_texts(["red", "a photo of red"])
    mean = parts.mean(axis=0) / np.linalg.norm(parts.mean(axis=0))
    np.testing.assert_allclose(ensemble[0], mean, atol=1e-5)


def test_a_template_without_a_place_for_the_query_is_refused(encoder: Encoder) -> None:
    with pytest.raises(SettingsError, match="exactly one"):
        encoder.encode_texts(["red"], ["a photo"])


def test_it_explains_a_likeness_patch_by_patch_or_says_that_it_does_not(encoder: Encoder) -> None:
    red, blue = encoder.encode_texts(["red", "blue"])
    picture = PICTURES[3].resize((90, 50))
    heat = explain(encoder, picture, red)
    if heat is None:
        assert not isinstance(encoder, Explainer)
        return
    assert heat.dtype == np.float32
    assert heat.ndim == 2
    assert heat.size > 1
    assert np.isfinite(heat).all()
    again, other = explain(encoder, picture, red), explain(encoder, picture, blue)
    assert again is not None and other is not None
    np.testing.assert_array_equal(heat, again)
    assert not np.array_equal(heat, other)
