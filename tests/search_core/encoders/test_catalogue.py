"""The catalogue holds what the pinned open_clip says of each encoder, and recommends from it."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest

from search_core.encoders.catalogue import (
    CPU_GFLOPS,
    ENCODERS,
    SOURCES,
    EncoderSpec,
    find_encoder,
    recommended,
)
from search_core.encoders.open_clip_import import import_open_clip

DOWNLOADED = [spec for spec in ENCODERS if spec.hub]


@pytest.fixture(scope="module")
def open_clip() -> Any:
    return import_open_clip()


@pytest.mark.parametrize("spec", DOWNLOADED, ids=lambda spec: spec.label)
def test_an_encoder_is_as_open_clip_describes_it(spec: EncoderSpec, open_clip: Any) -> None:
    weights = open_clip.pretrained.get_pretrained_cfg(spec.name, spec.pretrained)
    model = open_clip.get_model_config(spec.name)
    text = model["text_cfg"]
    assert weights, "open_clip has no weights of this name and tag"
    assert weights["hf_hub"].strip("/") == spec.hub
    assert model["embed_dim"] == spec.dim
    assert model["vision_cfg"].get("image_size", spec.image_px) == spec.image_px
    assert text.get("hf_tokenizer_name", "") == spec.text_hub
    # Another activation than the weights were trained with loads, and embeds wrongly.
    assert bool(weights.get("quick_gelu")) == bool(model.get("quick_gelu"))


def test_every_family_is_there_once_and_none_of_it_can_change() -> None:
    assert len({spec.label for spec in ENCODERS}) == len(ENCODERS)
    for family in ("RN50", "RN50x64", "ViT-L-14-336", "PE-Core", "MobileCLIP2", "nllb", "xlm"):
        assert any(spec.name.startswith(family) for spec in ENCODERS), family
    with pytest.raises(FrozenInstanceError):
        ENCODERS[0].name = "other"  # type: ignore[misc]
    json.dumps([asdict(spec) for spec in ENCODERS])


@pytest.mark.parametrize("spec", DOWNLOADED, ids=lambda spec: spec.label)
def test_figures_are_percent_with_their_source_and_licences_are_said(spec: EncoderSpec) -> None:
    scores = [spec.imagenet, spec.coco_text_to_image, spec.coco_image_to_text, spec.chinese]
    found = [score for score in scores if score is not None]
    assert all(1 < score < 100 for score in found)
    assert bool(found) == (spec.source in SOURCES)
    assert spec.licence and spec.commercial is not None
    is_research = spec.hub.startswith("apple/") or spec.licence in ("Apple AMLR", "CC-BY-NC-4.0")
    assert spec.commercial is not is_research
    assert spec.weights_bytes == pytest.approx(spec.parameters_m * 4e6)


def test_what_is_recommended_may_be_used_and_fits_the_machine() -> None:
    usual = recommended()
    assert usual.commercial and not usual.text_hub
    assert usual.image_gflops is not None and usual.image_gflops < CPU_GFLOPS
    best = recommended(gpu=True)
    assert best.commercial and not best.text_hub
    assert (best.coco_text_to_image or 0) > (usual.coco_text_to_image or 0)
    for gpu in (False, True):
        chinese = recommended(gpu=gpu, language="Chinese")
        assert chinese.commercial and chinese.speaks("Chinese") and chinese.text_hub
    assert not usual.speaks("Chinese") and usual.speaks("english")


def test_a_name_alone_means_its_first_weights() -> None:
    first = find_encoder("ViT-B-32")
    assert first is not None and first.pretrained == "laion2b_s34b_b79k"
    other = find_encoder("ViT-B-32", "datacomp_xl_s13b_b90k")
    assert other is not None and other.imagenet != first.imagenet
    assert find_encoder("ViT-B-32", "nobody") is None and find_encoder("nobody") is None
