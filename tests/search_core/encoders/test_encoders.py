from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from search_core.encoders.base import MAX_ASPECT, EncoderIdentity, Preprocess
from search_core.encoders.open_clip_import import import_open_clip
from search_core.encoders.openclip import OpenClipEncoder
from search_core.errors import EncoderMismatch, EncoderUnavailable
from search_core.store.memory.store import MemoryStore
from tests.support.open_clip_transforms import open_clip_with_transforms


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    size=st.sampled_from([(32, 32), (24, 40), (40, 24)]),
    mode=st.sampled_from(["shortest", "squash", "longest"]),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
    seed=st.integers(0, 99),
)
def test_preprocessing_equals_open_clips_own(
    width: int,
    height: int,
    size: tuple[int, int],
    mode: Literal["shortest", "squash", "longest"],
    interpolation: Literal["bicubic", "bilinear"],
    seed: int,
) -> None:
    image_transform = open_clip_with_transforms().transform.image_transform
    assume(max(width, height) <= MAX_ASPECT * min(width, height))
    if mode == "shortest" and size[0] != size[1]:
        interpolation = "bicubic"  # open_clip ignores the interpolation here
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    transform = image_transform(
        size, False, (0.0,) * 3, (1.0,) * 3, resize_mode=mode, interpolation=interpolation
    )
    try:
        theirs = transform(image)
    except ValueError:
        assume(False)  # a sliver that theirs rounds to no pixels at all
    ours = Preprocess(size, mode, interpolation)(image)
    np.testing.assert_array_equal(ours, np.rint(theirs.permute(1, 2, 0).numpy() * 255))


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1)])
def test_a_long_narrow_image_fits_in_little_memory(size: tuple[int, int]) -> None:
    code = f"""
import resource
from PIL import Image
from search_core.encoders.base import Preprocess
resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9,) * 2)
pixels = Preprocess((224, 224))(Image.new("RGB", {size}, "red"))
assert pixels.shape == (224, 224, 3) and (pixels == (255, 0, 0)).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_embeddings_equal_open_clips_own(tiny_model_dir: Path) -> None:
    encoder = OpenClipEncoder(f"local-dir:{tiny_model_dir}")
    import torch

    open_clip = open_clip_with_transforms()
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny_model_dir}")
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)) for _ in range(3)]
    with torch.inference_mode():
        stacked = torch.stack([transform(image) for image in images])
        theirs = model.eval().encode_image(stacked, normalize=True).numpy()
    assert np.sum(theirs * encoder.encode_images(images), axis=1) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_checkpoint_file_is_the_same_encoder(
    tiny_model_dir: Path, tmp_path: Path, suffix: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    open_clip = import_open_clip()
    config = json.loads((tiny_model_dir / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    weights = load_file(str(tiny_model_dir / "open_clip_model.safetensors"))
    checkpoint = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": weights, "epoch": 1}, checkpoint)
    else:
        save_file(weights, str(checkpoint))
    folder = tmp_path / "folder"
    folder.mkdir()
    usual = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    described = json.dumps({"model_cfg": config, "preprocess_cfg": usual})
    (folder / "open_clip_config.json").write_text(described)
    save_file(weights, str(folder / "open_clip_model.safetensors"))

    loaded = OpenClipEncoder("tiny-clip", str(checkpoint)).identity
    assert loaded.same_space(OpenClipEncoder(f"local-dir:{folder}").identity)
    assert loaded.label.startswith(f"tiny-clip weights{suffix}")
    # The folder of the fixture has the same weights and scales pixels otherwise.
    other = OpenClipEncoder(f"local-dir:{tiny_model_dir}").identity
    assert loaded.digest == other.digest and not loaded.same_space(other)


def test_other_weights_are_another_encoder(tiny_model_dir: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(str(tiny_model_dir / "open_clip_model.safetensors"))
    weights["text_projection"] += 0.01
    save_file(weights, str(tmp_path / "open_clip_model.safetensors"))
    config = (tiny_model_dir / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(config)
    one, other = (OpenClipEncoder(f"local-dir:{path}") for path in (tiny_model_dir, tmp_path))
    assert not one.identity.same_space(other.identity)


def test_other_preprocessing_is_another_encoder(tiny_model_dir: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_model_dir / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["mean"] = [0.1, 0.1, 0.1]
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    weights = tiny_model_dir / "open_clip_model.safetensors"
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    one, other = (
        OpenClipEncoder(f"local-dir:{path}").identity for path in (tiny_model_dir, tmp_path)
    )
    assert one.digest == other.digest
    assert not one.same_space(other)

    store = MemoryStore()
    store.ensure_library("main", one)
    with pytest.raises(EncoderMismatch) as refused:
        store.ensure_library("main", other)
    assert f"preprocessing {one.preprocessing[:8]}" in str(refused.value)
    assert f"preprocessing {other.preprocessing[:8]}" in str(refused.value)


def test_a_library_from_before_preprocessing_was_recorded_keeps_working(
    tiny_model_dir: Path,
) -> None:
    now = OpenClipEncoder(f"local-dir:{tiny_model_dir}").identity
    record = now.to_dict()
    del record["preprocessing"]
    before = EncoderIdentity.from_dict(record)
    assert before.preprocessing == ""
    assert before.same_space(now) and now.same_space(before)
    assert before.label == now.label

    store = MemoryStore()
    store.ensure_library("main", before)
    store.ensure_library("main", now)
    assert not before.same_space(replace(now, digest="f" * 32))


@pytest.mark.parametrize(
    ("model", "pretrained", "said"),
    [
        ("no-such-model", None, "no model named no-such-model"),
        ("RN50", None, "needs --pretrained"),
        ("ViT-B-32", "no-such-tag", "has no weights named no-such-tag"),
        ("ViT-B-32", "/nowhere/weights.pt", "does not exist"),
        ("local-dir:/nowhere", None, "could not be loaded"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(
    model: str, pretrained: str | None, said: str
) -> None:
    with pytest.raises(EncoderUnavailable, match=said) as refused:
        OpenClipEncoder(model, pretrained)
    assert "\n" not in str(refused.value)
    assert refused.value.hint


def test_without_the_hub_the_three_ways_out_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with pytest.raises(EncoderUnavailable) as refused:
        OpenClipEncoder("hf-hub:laion/no-such-model-of-ours")
    assert "hf-hub:laion/no-such-model-of-ours" in str(refused.value)
    assert "the model hub cannot be reached" in str(refused.value)
    for way in ("model hub can be reached", "--pretrained", "sightline-demo"):
        assert way in refused.value.hint


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    checkpoint = tmp_path / "weights.pt"
    checkpoint.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(EncoderUnavailable):
        OpenClipEncoder("ViT-B-32", str(checkpoint))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "module", ["search_core", "search_core.settings", "search_core.search.engine"]
)
def test_importing_the_library_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'pymilvus') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
