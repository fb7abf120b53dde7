"""Trains the demo encoder: from nothing, or on from the weights of another.

``python -m sightline.demo.training.train --start FOLDER`` renders, trains, saves and scores it.

A CLIP of open_clip's own making (a small ResNet of timm beside a small text transformer), its loss
``open_clip.loss.ClipLoss``: symmetric InfoNCE with a learnable temperature. The learning rate warms
up, stays, and falls to nothing over the last part, so that a run can be resumed with another number
of steps.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from search_core.encoders.open_clip_import import import_open_clip
from search_core.encoders.prompts import WORDS_FILE
from sightline.demo.training.batches import Themes, WideScenes, augment, draw_batch
from sightline.demo.training.cache import make_group, open_cache, open_view_cache
from sightline.demo.training.replicas import Replicas
from sightline.demo.training.views import wide_views
from sightline.demo.training.warm_start import freeze_first_layers, mix_with, start_from

ENCODER_FOLDER = Path(__file__).parents[1] / "encoder"
WEIGHTS = "model.safetensors"
VOCABULARY = "vocabulary.txt.gz"

_log = logging.getLogger("sightline.demo.training.train")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a training run is made of; the defaults are those of the last stage of the shipped
    weights, which started from the weights of the stage before (see the encoder's README).
    """

    steps: int = 1500
    batch: int = 256
    groups: int = 32000
    wide: int = 7000
    seed: int = 2027
    learning_rate: float = 4e-4
    weight_decay: float = 0.05
    warmup: int = 40
    decay: float = 0.8
    paired: float = 0.5
    start: Path | None = None
    mixed_with: Path | None = None
    share: float = 0.85
    chunks: int = 4
    threads: int = 2

    def rate_at(self, step: int) -> float:
        """Learning rate at a step: warm-up, plateau, then a linear fall to nothing."""
        falling = self.steps * self.decay
        left = (self.steps - step) / falling
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, max(left, 0.0))


def build_model(folder: Path = ENCODER_FOLDER) -> Any:
    """The model that the folder's configuration describes, its weights random."""
    return import_open_clip(timm=True).create_model(f"local-dir:{folder}", load_weights=False)


def build_tokenizer(folder: Path = ENCODER_FOLDER) -> Any:
    """The tokenizer of the folder's vocabulary: called with sentences, it returns int64 (n,
    context_length).
    """
    return import_open_clip(timm=True).get_tokenizer(
        f"local-dir:{folder}", bpe_path=str(folder / VOCABULARY)
    )


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Writes the weights as safetensors, floating point numbers in half precision; whole or not at
    all.
    """
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(path)


def _optimizer(model: torch.nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    learned = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    decayed = [p for n, p in learned if p.ndim >= 2 and "embedding" not in n]
    plain = [p for n, p in learned if p.ndim < 2 or "embedding" in n]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def train(recipe: Recipe, cache: Path, folder: Path = ENCODER_FOLDER, resume: bool = True) -> None:
    """Trains by the recipe and writes the weights into ``folder``; frames and checkpoints are kept
    in ``cache``.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.monotonic()
    frames = open_cache(cache, recipe.groups, recipe.seed, recipe.threads)
    groups = [make_group(recipe.seed, index) for index in range(recipe.groups)]
    wide = WideScenes(
        [wide_views(recipe.seed, index) for index in range(recipe.wide)],
        open_view_cache(cache, recipe.wide, recipe.seed, recipe.threads),
    )
    _log.info("scenes ready after %.0f s", time.monotonic() - began)
    themes = Themes(groups)
    model = build_model(folder).to(device=device, memory_format=torch.channels_last)
    tokenizer = build_tokenizer(folder)
    model.train()
    if recipe.start is not None:
        start_from(model, tokenizer, recipe.start)
        freeze_first_layers(model)
    loss_of = import_open_clip().loss.ClipLoss()
    optimizer = _optimizer(model, recipe)
    checkpoint, first, spent = cache / "checkpoint.pt", 0, time.monotonic() - began
    if resume and checkpoint.is_file():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, spent = int(state["step"]), float(state["seconds"])
        _log.info("resumed at step %d", first)
    started = time.monotonic() - spent
    size = tuple(model.visual.image_size)
    running, correct = 0.0, 0.0
    replicas = Replicas(model, recipe.chunks, recipe.threads, device)
    for step in range(first, recipe.steps):
        rng = np.random.default_rng((recipe.seed, 1, step))
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        themed = themes if step % 2 else None
        batch = draw_batch(groups, frames, rng, recipe.batch, recipe.paired, themed, wide)
        images = augment(batch, generator, size, device)
        tokens = tokenizer(batch.captions).to(device)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss, matched = replicas.backward(images, tokens, loss_of)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        running, correct = running + loss, correct + matched
        done = step + 1
        if done % 25 == 0:
            seconds = time.monotonic() - started
            _log.info(
                "step %d of %d  loss %.3f  matched %.3f  temperature %.4f  rate %.1e  %.0f s",
                *(done, recipe.steps, running / 25, correct / 25),
                *(1 / model.logit_scale.exp().item(), recipe.rate_at(step), seconds),
            )
            running, correct = 0.0, 0.0
        if done % 100 == 0 or done == recipe.steps:
            replicas.share_statistics()
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done}
            torch.save(
                {**state, "seconds": time.monotonic() - started}, checkpoint.with_suffix(".partial")
            )
            checkpoint.with_suffix(".partial").replace(checkpoint)
            save_weights(model, cache / WEIGHTS)
    if recipe.mixed_with is not None:
        mix_with(model, tokenizer, recipe.mixed_with, recipe.share)
    save_weights(model, folder / WEIGHTS)


def write_configuration(folder: Path = ENCODER_FOLDER) -> None:
    """Learns the vocabulary and its words anew and sets its size in the folder's configuration."""
    from sightline.demo.training.vocabulary import CONTEXT_LENGTH, write_vocabulary, write_words

    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["vocab_size"] = write_vocabulary(folder / VOCABULARY)
    write_words(folder / WORDS_FILE)
    config["model_cfg"]["text_cfg"]["context_length"] = CONTEXT_LENGTH
    path.write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sightline.demo.training.train",
        description="Train the demo encoder, from nothing or from other weights.",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "sightline-demo-cache"
    )
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--groups", type=int, default=Recipe().groups)
    parser.add_argument("--wide", type=int, default=Recipe().wide)
    parser.add_argument(
        "--start",
        type=Path,
        help="folder with the weights and vocabulary of an encoder to start from",
    )
    parser.add_argument(
        "--mix-with",
        type=Path,
        help="folder of weights of which the trained ones are made the mean, those of an earlier "
        "stage",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start anew even where a checkpoint is kept"
    )
    parser.add_argument(
        "--folder", type=Path, default=ENCODER_FOLDER, help="where configuration and weights live"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s  %(message)s")
    logging.getLogger("sightline.demo").setLevel(logging.INFO)
    recipe = replace(
        Recipe(),
        steps=options.steps,
        groups=options.groups,
        wide=options.wide,
        start=options.start,
        mixed_with=options.mix_with,
    )
    write_configuration(options.folder)
    train(recipe, options.cache, options.folder, resume=not options.fresh)
    from sightline.demo.training.evaluate import evaluate

    evaluate(options.folder)


if __name__ == "__main__":
    main()
