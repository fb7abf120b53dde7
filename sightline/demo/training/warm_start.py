"""Weights of an encoder with another vocabulary as the start of a training run.

The pieces that both vocabularies have keep their embeddings. A Chinese word starts where the
English words for it lie, so that the text tower need not learn anew what it knows of red and of
running.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from search_core.encoders.open_clip_import import import_open_clip
from sightline.demo.training import chinese, words

WEIGHTS = "model.safetensors"
EMBEDDINGS = "token_embedding.weight"

_MEANINGS = {
    "穿": "wearing", "穿着": "wearing", "身穿": "wearing", "戴": "wearing", "戴着": "wearing",
    "头戴": "wearing", "帽子": "hat", "包": "bag", "背": "carrying", "背着": "carrying",
    "拿着": "holding", "提着": "carrying", "拎着": "holding", "带着": "with", "伞": "umbrella",
    "雨伞": "umbrella", "打": "holding", "打着": "holding", "撑": "holding", "撑着": "under",
    "裤子": "trousers", "上衣": "top", "衣服": "top", "外套": "coat", "夹克": "jacket",
    "衬衫": "shirt", "卫衣": "hoodie", "毛衣": "jumper", "骑": "riding", "骑着": "riding",
    "自行车": "bicycle", "单车": "bike", "骑车": "cycling", "摩托车": "motorcycle",
    "摩托": "motorbike", "骑车人": "cyclist", "骑行者": "cyclist", "摩托车手": "motorcyclist",
    "行人": "walking person", "站着": "standing", "站立": "standing", "走路": "walking",
    "行走": "walking", "步行": "walking", "走着": "walking", "跑步": "running", "奔跑": "running",
    "跑着": "running", "跑动": "running", "摔倒": "fallen", "跌倒": "fallen", "倒": "fallen",
    "倒地": "fallen", "躺": "lying", "躺着": "lying", "坐": "sitting", "坐着": "sitting",
    "蹲着": "sitting", "印有": "lettered", "印着": "lettered", "写着": "written",
    "写有": "written", "标有": "marked", "带有": "with", "字样": "letters", "侧面": "side",
    "路口": "junction", "十字路口": "crossroads", "马路": "road", "路": "road",
    "停车场": "car park", "门口": "gate", "大门口": "gate", "大门": "gate",
    "装卸区": "loading dock", "装货区": "loading dock", "卸货区": "loading dock",
    "装卸": "loading", "平台": "dock", "商店": "shop", "超市": "supermarket", "店": "shop",
    "过道": "aisle", "雪地": "snow field", "雪原": "snow field", "雪中": "snow", "雪天": "snow",
    "下雪": "snow", "下雪天": "snow", "雨中": "rain", "雨天": "rain", "下雨": "rain",
    "下雨天": "rain", "白天": "day", "黄昏": "dusk", "傍晚": "evening", "夜里": "night",
    "晚上": "night", "夜晚": "night", "夜间": "night", "空": "empty", "空旷": "empty",
    "空荡荡": "empty", "空无一人": "nobody", "无人": "nobody", "没有": "nothing", "两": "two",
    "三": "three", "一": "a", "和": "and", "与": "and", "、": "and", "旁边": "next to",
    "照片": "photo", "图片": "picture", "画面": "footage", "监控": "security camera",
    "有": "there is", "在": "in", "的": "with",
}  # fmt: skip


def meanings() -> dict[str, str]:
    """English words of each Chinese word that has any."""
    known = dict(_MEANINGS)
    for english, said in chinese.COLOURS.items():
        known.update(dict.fromkeys(said, english))
    for kind, said in chinese.NOUNS.items():
        known.update(dict.fromkeys(said, words.NOUNS[kind][0].replace("-", " ")))
    return known | {"车": "car"}


def _tokenizer_of(folder: Path) -> Any:
    return import_open_clip(timm=True).get_tokenizer(
        f"local-dir:{folder}", bpe_path=str(folder / "vocabulary.txt.gz")
    )


def _read(folder: Path) -> tuple[Any, torch.Tensor, dict[str, torch.Tensor]]:
    """Returns the tokenizer, the embeddings (pieces, width) and the other weights in ``folder``."""
    weights = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    return _tokenizer_of(folder), weights.pop(EMBEDDINGS), weights


def _shared_places(tokenizer: Any, old: Any) -> tuple[list[int], list[int]]:
    """Returns the places of the pieces that both vocabularies have: in the first, in the other."""
    shared = [piece for piece in tokenizer.encoder if piece in old.encoder]
    return [tokenizer.encoder[each] for each in shared], [old.encoder[each] for each in shared]


def start_from(model: Any, tokenizer: Any, folder: Path) -> None:
    """Puts the weights of the encoder in ``folder`` into a model whose vocabulary is the
    tokenizer's.
    """
    old, theirs, state = _read(folder)
    rest = model.load_state_dict(state, strict=False)
    if rest.unexpected_keys or rest.missing_keys != [EMBEDDINGS]:
        raise ValueError(f"The weights in {folder} are of another model: {rest}")
    with torch.no_grad():
        ours = model.token_embedding.weight
        ours.copy_(theirs.mean(0) + torch.randn(ours.shape) * theirs.std() * 0.5)
        places, their_places = _shared_places(tokenizer, old)
        ours[places] = theirs[their_places]
        for word, english in meanings().items():
            meant = theirs[old.encode(english)].mean(0)
            for text in (word, f"{word}狗"):
                place = tokenizer.encode(text)[0]
                if tokenizer.decoder[place] not in old.encoder:
                    ours[place] = meant + torch.randn_like(meant) * 0.1 * meant.std()


def mix_with(model: Any, tokenizer: Any, folder: Path, share: float) -> None:
    """Makes a model's weights the mean of its own, weighing ``share``, and those in ``folder``.

    Trained on for a short time, a model forgets some of what it knew; the mean of before and after
    knows both (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022). Pieces that only
    the model's vocabulary has stay as they are.
    """
    old, embeddings, theirs = _read(folder)
    places, their_places = _shared_places(tokenizer, old)
    state = model.state_dict()
    with torch.no_grad():
        rows = state[EMBEDDINGS]
        rows[places] = share * rows[places] + (1 - share) * embeddings[their_places]
        for name, tensor in theirs.items():
            if state[name].is_floating_point():
                state[name].copy_(share * state[name] + (1 - share) * tensor)


def freeze_first_layers(model: Any) -> None:
    """Keeps the image tower's first layers as they are, half of what a step costs.

    They see edges and colours, which are the same at every scale.
    """
    trunk = model.visual.trunk
    for layer in (trunk.conv1, trunk.bn1, trunk.layer1):
        layer.requires_grad_(False)
        layer.eval()
