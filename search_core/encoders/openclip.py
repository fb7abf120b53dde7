"""Any open_clip model as an Encoder: by name and tag, of the hub, a local checkpoint, packaged."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from PIL import Image

from search_core.encoders.base import (
    Embeddings,
    EncoderIdentity,
    EncoderOptions,
    EncoderRuntime,
    HeatMap,
    Pixels,
    Preprocess,
    l2_normalised,
    preprocessing_digest,
    weights_digest,
)
from search_core.encoders.catalogue import find_encoder, packaged_weights
from search_core.encoders.hub import TOKENIZER_FILE, are_cached, hub_answers, is_cached
from search_core.encoders.open_clip_import import import_open_clip
from search_core.encoders.prompts import apply_templates, read_by
from search_core.errors import EncoderUnavailable, SettingsError, in_words
from search_core.messages import Message

if TYPE_CHECKING:
    import torch

VOCABULARY_FILE = "vocabulary.txt.gz"
_LOCAL_DIR = "local-dir:"
_HUB = "hf-hub:"


class OpenClipEncoder(EncoderRuntime):
    """A CLIP model of open_clip, ready to embed; safe to call from several threads.

    ``model`` is a catalogue or open_clip name, ``hf-hub:owner/name`` or ``local-dir:folder``;
    ``pretrained`` an open_clip tag or a checkpoint file (safetensors, or .pt read with
    weights_only). ``device`` and ``precision`` may be "auto": a GPU where there is one, and
    float32 on a CPU, bfloat16 on a GPU.
    """

    runtime: ClassVar[str] = "torch"
    about: ClassVar[str] = "any model of open_clip, computed by torch on a CPU or a GPU"

    @classmethod
    def takes(cls, options: EncoderOptions) -> bool:
        """Return True: what open_clip does not know, loading refuses with what it does."""
        return True

    @classmethod
    def load(cls, options: EncoderOptions) -> Self:
        """Load an encoder; raises EncoderUnavailable where it is unknown or cannot be had."""
        return cls(**asdict(options))

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 32,
    ) -> None:
        import torch

        self._torch = torch
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._device = _pick_device(device)
        if precision == "auto":
            precision = "bf16" if self._device.type == "cuda" else "fp32"
        if self._device.type == "cpu":
            # bfloat16 matrix kernels with float32 weights: several times faster where the CPU has
            # them, and the embeddings' cosine to plain float32 stays above 0.999.
            torch.set_float32_matmul_precision("medium")
        known = find_encoder(model)
        tag = pretrained or (known.pretrained if known else "")
        source = model
        if known is not None and known.package and not pretrained:
            source = f"{_LOCAL_DIR}{packaged_weights(known)}"
        self._model = _build(source, tag)
        self._tokenizer = _tokenizer(source, tag)
        digest = _digest(self._model)
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        self._dtype = dtype
        self._model = self._model.to(device=self._device, dtype=dtype).eval()
        config = dict(self._model.visual.preprocess_cfg)
        self._preprocess = _preprocess_from(config)
        self._mean, self._std = (
            torch.tensor(config[key], device=self._device).view(1, 3, 1, 1)
            for key in ("mean", "std")
        )
        self._identity = EncoderIdentity(
            name=model,
            pretrained=Path(tag).name if Path(tag).suffix else tag,
            digest=digest,
            dim=int(self._encode_tokens(["a"]).shape[-1]),
            precision=precision,
            preprocessing=preprocessing_digest(self._preprocess, config["mean"], config["std"]),
        )

    @property
    def identity(self) -> EncoderIdentity:
        """Which encoder this is."""
        return self._identity

    @property
    def preprocess(self) -> Preprocess:
        """How images become this encoder's input pixels."""
        return self._preprocess

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        """Embed preprocessed images, each (height, width, 3) RGB uint8; returns (n, dim)."""
        torch = self._torch
        parts: list[Any] = []
        for start in range(0, len(pixels), self._batch_size):
            batch = np.stack(pixels[start : start + self._batch_size])
            with self._lock, torch.inference_mode():
                parts.append(self._model.encode_image(self._input(batch)).float().cpu())
        return self._collect(parts)

    def explain(self, image: Image.Image, embedding: Embeddings) -> HeatMap | None:
        """Return each patch's part in the similarity to ``embedding`` (dim,), as (rows, cols).

        None for models whose image tower is of a kind that cannot be taken apart (see attribution).
        """
        from search_core.encoders.attribution import attribution_of

        attribution = attribution_of(self._model.visual)
        if attribution is None:
            return None
        query = self._torch.from_numpy(np.asarray(embedding, dtype=np.float32))
        with self._lock, self._torch.no_grad():  # within which gradients may be asked for
            pixels = self._input(np.stack([self._preprocess(image)]))
            carried = attribution(pixels, query.to(self._device, self._dtype))
        result: HeatMap = carried.float().cpu().numpy()
        return result

    def _input(self, pixels: Pixels) -> torch.Tensor:
        """Return preprocessed images (n, height, width, 3) as the model's input."""
        images = self._torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2)
        return ((images.float().div_(255.0) - self._mean) / self._std).to(self._dtype)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        """Embed Pillow images of any mode and size; returns (n, dim)."""
        return self.encode_pixels([self._preprocess(image) for image in images])

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        """Embed sentences; returns (n, dim). Several templates are averaged (see prompts).

        Raises SettingsError for a template without exactly one ``{}``.
        """
        rows = []
        for text in texts:
            prompts = l2_normalised(self._encode_tokens(apply_templates(text, templates)).numpy())
            rows.append(prompts.mean(axis=0))
        return self._collect([self._torch.from_numpy(np.stack(rows))] if rows else [])

    def text_read(self, text: str, templates: Sequence[str] = ()) -> str:
        """Return the beginning of ``text`` that fits the model's context within every template."""
        with self._lock:
            return read_by(lambda texts: self._tokenizer(texts).numpy(), text, templates)

    def _encode_tokens(self, texts: list[str]) -> torch.Tensor:
        with self._lock, self._torch.inference_mode():
            tokens = self._tokenizer(texts).to(self._device)
            encoded: torch.Tensor = self._model.encode_text(tokens).float().cpu()
        return encoded

    def _collect(self, parts: list[Any]) -> Embeddings:
        if not parts:
            return np.zeros((0, self._identity.dim), dtype=np.float32)
        return l2_normalised(self._torch.cat(parts).numpy())


def _build(source: str, tag: str) -> Any:
    """Return the open_clip model with its weights; the log chatter of the loaders is silenced."""
    local_file = _is_file(tag)
    if local_file and not Path(tag).is_file():
        raise EncoderUnavailable(
            "The checkpoint {tag} does not exist.", "Check the path given as --pretrained.", tag=tag
        )
    if not source.startswith((_LOCAL_DIR, _HUB)):
        _check_name(source, tag, local_file)
    _require_transformers(source)
    _require_text_files(source, tag)
    open_clip = import_open_clip(timm=_needs_timm(source))
    asks = _asks_hub(source, tag)
    offline = not (asks and hub_answers())
    with _quiet_loading(offline):
        try:
            return open_clip.create_model(
                source, pretrained=tag or None, require_pretrained=True, weights_only=True
            )
        except Exception as error:
            unreachable = offline and asks
            reason = Message("the model hub cannot be reached") if unreachable else in_words(error)
            fits_not = Message("does not fit the model")
            what = fits_not if local_file else Message("could not be loaded")
            named = f"{source} {tag}".strip().removeprefix(_LOCAL_DIR)
            raise EncoderUnavailable(
                "The encoder {name} {what}: {reason}.",
                _WAYS_OUT,
                name=named,
                what=what,
                reason=reason,
            ) from error


def _is_file(tag: str) -> bool:
    """Whether weights are named by a checkpoint file."""
    return bool(tag) and Path(tag).suffix in {".safetensors", ".pt", ".pth", ".bin"}


def _asks_hub(source: str, tag: str) -> bool:
    """Whether the hub is asked for what is needed: not for weights that lie on the disk."""
    if source.startswith(_LOCAL_DIR) or _is_file(tag):
        return False
    if source.startswith(_HUB):
        return True
    described = import_open_clip().pretrained.get_pretrained_cfg(source, tag) or {}
    hub = described.get("hf_hub", "").strip("/")
    return not hub or not are_cached(hub, _text_config(source).get("hf_tokenizer_name", ""))


def _text_config(source: str) -> dict[str, Any]:
    """Return what a model's configuration says of its text tower."""
    return dict((_described(source) or {}).get("text_cfg", {}))


def _needs_timm(source: str) -> bool:
    """Whether a model's vision tower is one of timm; what lies on the hub may have one."""
    config = _described(source)
    return config is None or "timm_model_name" in config.get("vision_cfg", {})


def _described(source: str) -> dict[str, Any] | None:
    """Return a model's configuration; None where it lies on the hub, or cannot be read."""
    if source.startswith(_HUB):
        return None
    if not source.startswith(_LOCAL_DIR):
        return import_open_clip().get_model_config(source) or {}
    try:
        described = Path(source.removeprefix(_LOCAL_DIR), "open_clip_config.json").read_text()
        return dict(json.loads(described)["model_cfg"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # open_clip says what is wrong with it


def _require_transformers(source: str) -> None:
    """Refuse a model whose sentences need what is not installed, before anything is downloaded."""
    text = _text_config(source)
    if {"hf_tokenizer_name", "hf_model_name"} & set(text) and find_spec("transformers") is None:
        raise _without_transformers(source)


def _require_text_files(source: str, tag: str) -> None:
    """Refuse weights in a file whose tokenizer is neither beside them nor in the hub's cache."""
    if not _is_file(tag):
        return
    text = _text_config(source)
    wanted = {"hf_tokenizer_name": TOKENIZER_FILE, "hf_model_name": "config.json"}
    if (Path(tag).parent / TOKENIZER_FILE).is_file():
        del wanted["hf_tokenizer_name"]
    for key, file in wanted.items():
        if key in text and not is_cached(text[key], (file,)):
            raise EncoderUnavailable(
                "The encoder {name} needs {file} of {repository}, which is not on this machine.",
                "`sightline models download {name}` gets it where the model hub can be reached; "
                "a tokenizer.json may lie beside the checkpoint as well.",
                name=source,
                file=file,
                repository=text[key],
            )


def _without_transformers(source: str) -> EncoderUnavailable:
    return EncoderUnavailable(
        "The encoder {name} reads sentences by the package transformers, which is not installed.",
        "Install it: `pip install 'sightline[multilingual]'`.",
        name=source.removeprefix(_LOCAL_DIR),
    )


def _check_name(name: str, tag: str, local_file: bool) -> None:
    """Refuse a model or tag open_clip does not list, before anything is downloaded."""
    open_clip = import_open_clip()

    if name not in open_clip.list_models():
        raise EncoderUnavailable(
            "open_clip knows no model named {name}.",
            "`sightline models` lists some that it does.",
            name=name,
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not local_file and tag not in tags:
        raise EncoderUnavailable(
            "{name} has no weights named {tag}."
            if tag
            else "The model {name} needs --pretrained: a tag or a checkpoint file.",
            "Its tags: {tags}.",
            name=name,
            tag=tag,
            tags=", ".join(tags) or Message("none, give a checkpoint file"),
        )


@contextmanager
def _quiet_loading(offline: bool) -> Iterator[None]:
    """Silence the loaders' log lines; offline, let the hub's client use its cache only."""
    from huggingface_hub import constants

    root = logging.getLogger()
    level, was_offline = root.level, constants.HF_HUB_OFFLINE
    root.setLevel(logging.CRITICAL)
    constants.HF_HUB_OFFLINE = was_offline or offline
    try:
        yield
    finally:
        root.setLevel(level)
        constants.HF_HUB_OFFLINE = was_offline


_WAYS_OUT = (
    "Three ways out: run once where the model hub can be reached; give a local checkpoint with "
    "--pretrained /path/to/weights.safetensors; or use the demo encoder with "
    "--model sightline-demo."
)


def _tokenizer(source: str, tag: str) -> Any:
    """Return what splits sentences; of weights in a file, its files may lie beside that."""
    open_clip = import_open_clip()

    options: dict[str, str] = {}
    if source.startswith(_LOCAL_DIR):
        vocabulary = Path(source.removeprefix(_LOCAL_DIR)) / VOCABULARY_FILE
        if vocabulary.is_file():
            options["bpe_path"] = str(vocabulary)
    offline = not (_asks_hub(source, tag) and hub_answers())
    try:
        with _quiet_loading(offline):
            return _tokenizer_beside(source, tag) or open_clip.get_tokenizer(source, **options)
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise _without_transformers(source) from error
    except Exception as error:
        raise EncoderUnavailable(
            "The tokenizer of {source} could not be loaded: {reason}.",
            _WAYS_OUT,
            source=source,
            reason=in_words(error),
        ) from error


def _tokenizer_beside(source: str, tag: str) -> Any:
    """Return the tokenizer whose files lie beside a checkpoint, None where there are none."""
    folder, text = Path(tag).parent, _text_config(source)
    if not (_is_file(tag) and "hf_tokenizer_name" in text and (folder / TOKENIZER_FILE).is_file()):
        return None
    return import_open_clip().tokenizer.HFTokenizer(
        str(folder),
        context_length=text.get("context_length", 77),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )


def _preprocess_from(config: dict[str, Any]) -> Preprocess:
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size[-2:]
    return Preprocess(
        size=(int(height), int(width)),
        resize_mode=config["resize_mode"],
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        fill_color=int(config.get("fill_color", 0)),
    )


def _digest(model: torch.nn.Module) -> str:
    """Return the digest of all weights, before they are brought to a device and a precision."""
    return weights_digest(
        (name, tensor.detach().float().cpu().numpy())
        for name, tensor in sorted(model.state_dict().items())
    )


def gpu_name() -> str:
    """Return the name of the GPU that torch would use, "" where there is none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def _pick_device(device: str) -> torch.device:
    """Return a device that torch can use here; raises SettingsError."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise SettingsError(
            "The encoder cannot run on the device {device!r}: torch does not have it here.",
            "Set SIGHTLINE_ENCODER_DEVICE to auto, cpu, or a device of this machine such as "
            "cuda:0.",
            device=device,
        ) from None
