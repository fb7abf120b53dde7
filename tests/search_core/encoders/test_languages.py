"""Encoders whose text tower is a transformer of many languages, as open_clip's XLM-R models are."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search_core.encoders.catalogue import ENCODERS
from search_core.encoders.open_clip_import import import_open_clip
from search_core.encoders.openclip import OpenClipEncoder
from search_core.encoders.prompts import understands
from search_core.errors import EncoderUnavailable


def test_the_catalogue_says_which_languages_an_encoder_knows() -> None:
    for name in ("sightline-demo", "ViT-B-32"):
        assert understands(name, "Ein Mann überquert 2 Straßen – café?") and understands(name, "")
        assert not understands(name, "белая машина") and not understands(name, "白いくるま")
    assert understands("sightline-demo", "a 白色 car") and understands("sightline-demo", "车")
    assert not understands("ViT-B-32", "a 白色 car")
    assert understands("xlm-roberta-base-ViT-B-32", "белая машина")
    assert understands("local-dir:/some/model", "белая машина")  # nobody said
    assert any(spec.languages == "many" for spec in ENCODERS)


@pytest.mark.skipif(find_spec("transformers") is not None, reason="the extra is installed")
@pytest.mark.parametrize(
    "name", ["ViT-B-16-SigLIP webli", "xlm-roberta-base-ViT-B-32 laion5b_s13b_b90k"]
)
def test_a_missing_extra_is_named_before_anything_is_downloaded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search_core.encoders.openclip.hub_answers", lambda: pytest.fail("asked"))
    with pytest.raises(EncoderUnavailable, match="the package transformers") as refused:
        OpenClipEncoder(*name.split())
    assert "pip install 'sightline[multilingual]'" in refused.value.hint


def test_a_multilingual_encoder_embeds_sentences_and_pictures(tmp_path: Path) -> None:
    """Of random weights, with a small tokenizer of XLM-R's kind: the real ones are downloaded."""
    transformers = pytest.importorskip("transformers", reason="the extra multilingual")
    _write_model(tmp_path, transformers)

    encoder = OpenClipEncoder(f"local-dir:{tmp_path}")
    texts = encoder.encode_texts(["白色汽车", "a white car", "红色卡车"])
    images = encoder.encode_images([Image.new("RGB", (64, 48), "red")])

    assert texts.shape == (3, 16) and images.shape == (1, 16)
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-3)
    assert not np.allclose(texts[0], texts[2], atol=1e-3)


def test_a_checkpoint_takes_the_tokenizer_beside_it_and_never_asks_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra multilingual")
    _write_tokenizer(tmp_path, transformers)
    open_clip = import_open_clip()
    described = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "patch_size": 16,
            "head_width": 16,
        },
        "text_cfg": {"hf_tokenizer_name": "nobody/tokenizer", "width": 32, "heads": 2, "layers": 1},
    }
    configs = {**open_clip.factory._MODEL_CONFIGS, "small-siglip": described}
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", configs)
    monkeypatch.setattr("search_core.encoders.openclip.hub_answers", lambda: pytest.fail("asked"))
    from safetensors.torch import save_file

    weights = tmp_path / "weights.safetensors"
    save_file(open_clip.create_model("small-siglip").state_dict(), weights)
    texts = OpenClipEncoder("small-siglip", str(weights)).encode_texts(["白色汽车", "a white car"])
    assert not np.allclose(texts[0], texts[1], atol=1e-3)

    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(EncoderUnavailable, match=r"needs tokenizer\.json of nobody/tok") as refused:
        OpenClipEncoder("small-siglip", str(weights))
    assert "beside the checkpoint" in refused.value.hint


def _write_model(folder: Path, transformers: Any) -> None:
    _write_tokenizer(folder, transformers)
    _write_towers(folder, transformers)


def _write_tokenizer(folder: Path, transformers: Any) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        ["白色汽车 停在 路口", "a white car at the junction", "红色卡车"] * 50,
        trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>"),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", sep_token="</s>", cls_token="<s>",
    ).save_pretrained(folder)  # fmt: skip


def _write_towers(folder: Path, transformers: Any) -> None:
    transformers.XLMRobertaConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=90, pad_token_id=1,
    ).save_pretrained(folder / "text")  # fmt: skip
    config = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16,
        },
        "text_cfg": {
            "hf_model_name": str(folder / "text"),
            "hf_tokenizer_name": "xlm-roberta-base",
            "hf_pooler_type": "mean_pooler",
            "hf_model_pretrained": False,
        },
    }  # fmt: skip
    look = {"mean": [0.5] * 3, "std": [0.5] * 3}
    written = json.dumps({"model_cfg": config, "preprocess_cfg": look})
    (folder / "open_clip_config.json").write_text(written)
    from safetensors.torch import save_file

    weights = import_open_clip().model.CustomTextCLIP(**config).state_dict()
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()},
        folder / "open_clip_model.safetensors",
    )
