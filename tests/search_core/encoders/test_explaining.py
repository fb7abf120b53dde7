from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from search_core.encoders.base import Preprocess, explain
from search_core.encoders.openclip import OpenClipEncoder
from search_core.search.heat_map import draw_heat, hottest_point
from tests.support.open_clip_transforms import open_clip_with_transforms


@pytest.mark.parametrize(
    ("mode", "size", "seen"),
    [
        ("squash", (640, 360), (0.0, 0.0, 1.0, 1.0)),
        ("shortest", (400, 200), (0.25, 0.0, 0.75, 1.0)),
        ("shortest", (200, 400), (0.0, 0.25, 1.0, 0.75)),
        ("longest", (400, 200), (0.0, -0.5, 1.0, 1.5)),
        ("squash", (12_800, 100), (0.25, 0.0, 0.75, 1.0)),
    ],
)
def test_what_an_encoder_sees_of_an_image(
    mode: Literal["shortest", "squash", "longest"], size: tuple[int, int], seen: tuple[float, ...]
) -> None:
    assert Preprocess((32, 32), mode).seen(size) == pytest.approx(seen)


def test_a_transformers_patches_give_what_its_attention_brings(tiny_model_dir: Path) -> None:
    """Against attention as torch computes it, its weights asked for, layer by layer."""
    import torch

    open_clip = open_clip_with_transforms()
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    encoder = OpenClipEncoder(f"local-dir:{tiny_model_dir}", precision="fp32")
    [query] = encoder.encode_texts(["a red car"])

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny_model_dir}")
    tower = model.eval().visual
    with torch.inference_mode():
        tokens = tower._embeds(transform(Image.fromarray(noise))[None])
        brought = torch.zeros(tokens.shape[1], tokens.shape[2])
        for block in tower.transformer.resblocks:
            normed = block.ln_1(tokens)
            _, weights = block.attn(normed, normed, normed, average_attn_weights=False)
            values = normed[0] @ block.attn.in_proj_weight[-64:].T + block.attn.in_proj_bias[-64:]
            by_head = values.reshape(-1, 2, 32) * weights[0, :, 0].T[..., None]
            brought += by_head.reshape(-1, 64) @ block.attn.out_proj.weight.T
            tokens = block(tokens)
        last = tokens[0, 0]
        whole = tower.ln_post(last) @ tower.proj
        # The last norm is linear once its deviation is held: its slope there, applied to each part.
        plain = (brought - brought.mean(dim=1, keepdim=True)) / (last.var(unbiased=False)).sqrt()
        carried = plain * tower.ln_post.weight @ tower.proj @ torch.from_numpy(query)
        expected = (carried / whole.norm())[1:].reshape(4, 4).numpy()

    heat = explain(encoder, Image.fromarray(noise), query)
    assert heat is not None
    np.testing.assert_allclose(heat, expected, rtol=0.02, atol=2e-4)
    opposite = explain(encoder, Image.fromarray(noise), -query)
    assert opposite is not None
    np.testing.assert_allclose(opposite, -heat, rtol=0.02, atol=2e-4)


def test_heat_is_drawn_where_it_is_and_what_was_not_seen_is_darker() -> None:
    heat = np.full((4, 4), -0.2, dtype=np.float32)
    heat[1, 3] = 0.03
    picture = Image.new("RGB", (200, 100), (120, 120, 120))

    drawn = np.asarray(draw_heat(picture, heat, (0.25, 0.0, 0.75, 1.0))).astype(int)

    assert hottest_point(heat) == (0.875, 0.375)
    red, _, blue = drawn[37, 137]
    assert red - blue > 60
    assert tuple(drawn[80, 70]) == (120, 120, 120)
    assert drawn[50, 20].max() < 80


def test_where_nothing_is_warm_nothing_is_drawn() -> None:
    cold = np.full((3, 5), -0.1, dtype=np.float32)
    picture = Image.effect_noise((60, 40), 50).convert("RGB")

    assert hottest_point(cold) is None
    assert draw_heat(picture, cold, (0.0, 0.0, 1.0, 1.0)).tobytes() == picture.tobytes()
