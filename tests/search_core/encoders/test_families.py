"""One small model of each family of the catalogue, of random weights: loaded from a file, it embeds
as open_clip's own forward does.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search_core.encoders.base import l2_normalised
from search_core.encoders.open_clip_import import import_open_clip
from search_core.encoders.openclip import OpenClipEncoder

#: Of each family the smallest, and of those that differ in activation or pooling one of each.
MODELS = (
    *("RN50", "ViT-B-32", "ViT-B-32-quickgelu", "ViT-B-16", "ViT-B-32-256"),
    *("convnext_base", "MobileCLIP-S1", "MobileCLIP2-S0", "PE-Core-T-16-384", "EVA02-B-16"),
    "coca_ViT-B-32",
)
SENTENCES = ["a white car at the gate", "two people"]


def random_model(name: str) -> Any:
    """Return open_clip's own model of that name, of random weights."""
    import torch

    torch.manual_seed(0)
    open_clip = import_open_clip(timm=True)
    model = open_clip.create_model(name, pretrained=None).eval()
    with torch.no_grad():  # what is made as zeros would hide a weight that is not loaded
        for weight in model.parameters():
            if not weight.any():
                weight.normal_(std=0.02)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_a_file_embeds_as_open_clips_own_forward(name: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    model = random_model(name)
    weights = tmp_path / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    picture = Image.effect_mandelbrot((200, 120), (-2, -1.2, 1, 1.2), 60).convert("RGB")

    encoder = OpenClipEncoder(name, str(weights), precision="fp32")
    weights.unlink()
    torch.set_float32_matmul_precision("highest")  # for both; an encoder asks for less
    images, texts = encoder.encode_images([picture]), encoder.encode_texts(SENTENCES)
    config = model.visual.preprocess_cfg
    mean, std = (np.array(config[key], dtype=np.float32) for key in ("mean", "std"))
    pixels = (encoder.preprocess(picture) / np.float32(255) - mean) / std
    with torch.inference_mode():
        own_images = model.encode_image(torch.from_numpy(pixels).permute(2, 0, 1)[None]).numpy()
        tokens = import_open_clip().get_tokenizer(name)(SENTENCES)
        own_texts = model.encode_text(tokens).numpy()

    assert cosine(images, own_images) == pytest.approx(1, abs=5e-5)
    assert cosine(texts, own_texts) == pytest.approx(1, abs=5e-5)
    assert encoder.identity.dim == own_images.shape[1]
    torch.set_float32_matmul_precision("medium")
    del model, encoder
    gc.collect()


def cosine(one: Any, other: Any) -> Any:
    """Return the least cosine of rows (n, dim) of both."""
    return (l2_normalised(one) * l2_normalised(other)).sum(axis=1).min()
