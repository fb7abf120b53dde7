"""The encoders Sightline knows by name, as frozen data: nothing here loads weights.

``catalogue.csv`` holds one line for each encoder that is downloaded. Its figures are published
ones, each from the table that ``SOURCES`` names; where none was found the cell is empty. Parameters
and GFLOPs (two a multiplication, one image) are counted by torch on open_clip's own models, which
gives what open_clip's docs/model_profile.csv says of those it lists. Licences are those of the
model cards.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from search_core.errors import EncoderUnavailable

#: Where published scores are from, by the word in ``catalogue.csv``.
SOURCES = {
    "open_clip": "https://github.com/mlfoundations/open_clip/tree/main/docs, openclip_results.csv, "
    "openclip_retrieval_results.csv and openclip_multilingual_retrieval_results.csv",
    "big_vision": "https://github.com/google-research/big_vision/blob/main/big_vision/configs/proj/"
    "image_text/README_siglip2.md",
    "perception_models": "https://github.com/facebookresearch/perception_models/blob/main/apps/pe/"
    "README.md",
    "mobileclip": "https://github.com/apple/ml-mobileclip/blob/main/README.md",
    "mobileclip2": "https://huggingface.co/apple/MobileCLIP2-B",
}
#: What a float32 weight takes, on the disk and in memory.
_WEIGHT_BYTES = 4
#: What one image costs ViT-B-32, which others are compared with.
_GFLOPS_OF_ONE = 8.82
#: An image may cost so much where there is no GPU: about twice as much as ViT-B-32's.
CPU_GFLOPS = 20.0
#: The package that reads sentences by a tokenizer of the hub, and the extra that brings it.
TEXT_PACKAGE, TEXT_EXTRA = "transformers", "multilingual"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What each sign of a match weighs for an encoder, in a logistic model (see relevance).

    ``fall`` is how much is taken from it for each deviation that a hit scores below the best.
    """

    score: float
    z: float
    mean: float
    deviation: float
    ordinary: float
    nearest: float
    outdone: float
    mean_squared: float
    mean_z: float
    unknown: float
    bias: float
    fall: float


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One encoder: its open_clip name and tag, embedding length, and what it is good for.

    ``image_px`` is the longest side of its input in pixels, ``image_gflops`` what one costs.
    ``commercial`` says whether the ``licence`` of the weights allows commercial use, None where
    that is not known. Scores are in percent, None where none was found: ``imagenet`` zero-shot
    top-1, hit rate at 1 on COCO (``coco_text_to_image``, ``coco_image_to_text``), and that of
    Chinese sentences on Crossmodal-3600 (``chinese``); ``source`` is a key of ``SOURCES``.
    ``hub`` is the repository of its weights, ``text_hub`` that of its tokenizer where it needs
    one, and with it the extra ``TEXT_EXTRA``.
    ``package`` names the installed package whose ``encoder`` folder holds the weights; encoders
    without one are downloaded by open_clip from a model hub on first use. ``parameters_m`` is in
    millions. ``languages`` says in which languages sentences may be.
    One that knows nothing but sample footage has the cameras of that as ``sample_cameras``.
    """

    name: str
    pretrained: str
    dim: int
    parameters_m: float
    about: str
    image_px: int = 0
    image_gflops: float | None = None
    licence: str = ""
    commercial: bool | None = None
    imagenet: float | None = None
    coco_text_to_image: float | None = None
    coco_image_to_text: float | None = None
    chinese: float | None = None
    source: str = ""
    hub: str = ""
    text_hub: str = ""
    package: str | None = None
    calibration: Calibration | None = None
    languages: Literal["English", "English, Chinese", "many"] = "English"
    sample_cameras: tuple[str, ...] = ()

    @property
    def weights_bytes(self) -> int:
        """About what the weights take, to download and in memory, as float32."""
        return round(self.parameters_m * 1e6 * _WEIGHT_BYTES)

    @property
    def cost(self) -> float | None:
        """How much an image costs beside ViT-B-32, None where that is not known."""
        return None if self.image_gflops is None else self.image_gflops / _GFLOPS_OF_ONE

    @property
    def label(self) -> str:
        """Its name and tag, as an encoder's identity says them."""
        return f"{self.name} {self.pretrained}".strip()

    @property
    def is_demo(self) -> bool:
        """Whether it knows nothing but the sample footage."""
        return bool(self.sample_cameras)

    def speaks(self, language: str) -> bool:
        """Whether sentences may be in a language, by its English name."""
        return self.languages == "many" or language.title() in self.languages.split(", ")

    @property
    def missing_extra(self) -> str:
        """The extra that it needs and this installation lacks, "" where it lacks none."""
        return TEXT_EXTRA if self.text_hub and find_spec(TEXT_PACKAGE) is None else ""


def _downloaded() -> Iterator[EncoderSpec]:
    """Read ``catalogue.csv``, in its order: of several weights of a model the first are usual."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values: dict[str, Any] = {name: value for name, value in row.items() if value}
            for name in ("dim", "image_px"):
                values[name] = int(values[name])
            for name in _NUMBERS & values.keys():
                values[name] = float(values[name])
            if "commercial" in values:
                values["commercial"] = values["commercial"] == "yes"
            yield EncoderSpec(**{"about": "", **values})


_NUMBERS = {
    *("parameters_m", "image_gflops", "imagenet"),
    *("coco_text_to_image", "coco_image_to_text", "chinese"),
}


ENCODERS: tuple[EncoderSpec, ...] = (
    EncoderSpec(
        "sightline-demo",
        "",
        192,
        7.5,
        "Ships with Sightline; trained on rendered street scenes to try the system, "
        "not for real footage.",
        package="sightline.demo",
        sample_cameras=(
            *("car-park", "car-park-roof", "junction-north", "junction-south", "loading-dock"),
            *("main-gate", "shop-aisle", "snow-field", "square", "stills"),
        ),
        languages="English, Chinese",
        # Says "no good match" of 99 % of nonsense and of what is not there, 66 % of near misses and
        # 3 % of what is there, 6 % in small libraries; of the true hits shows 89 % as matches (see
        # benchmarks).
        calibration=Calibration(
            score=34.490,
            z=-0.30212,
            mean=7.7858,
            deviation=-38.635,
            ordinary=1.3864,
            nearest=-3.0556,
            outdone=-20.763,
            mean_squared=-37.579,
            mean_z=-0.12478,
            unknown=-7.2188,
            bias=-5.7702,
            fall=4.0,
        ),
    ),
    *_downloaded(),
)


def find_encoder(name: str, pretrained: str | None = None) -> EncoderSpec | None:
    """Return the catalogue's entry of that name and tag, by default the first of the name.

    None for an encoder it does not list.
    """
    return next(
        (spec for spec in ENCODERS if spec.name == name and pretrained in (None, spec.pretrained)),
        None,
    )


def recommended(*, gpu: bool = False, language: str = "English") -> EncoderSpec:
    """Return the best encoder for a machine with or without a GPU, and for a language.

    That is the one that finds most images of COCO by a sentence among those that may be used
    commercially; without a GPU among those of at most ``CPU_GFLOPS`` an image. For English those
    that need no extra are asked.

    >>> recommended().name, recommended(gpu=True).name
    ('ViT-B-32-256', 'PE-Core-L-14-336')
    """

    def fits(spec: EncoderSpec) -> bool:
        return (
            bool(spec.commercial and spec.coco_text_to_image and spec.speaks(language))
            and (gpu or (spec.image_gflops or CPU_GFLOPS) < CPU_GFLOPS)
            and not (language == "English" and spec.text_hub)
        )

    return max(filter(fits, ENCODERS), key=lambda spec: spec.coco_text_to_image or 0.0)


def knows_footage(encoder: str, cameras: Iterable[str]) -> bool:
    """Return whether an encoder was made for pictures of these cameras, as far as is known.

    >>> knows_footage("sightline-demo", ["gate"]), knows_footage("ViT-B-32", ["gate"])
    (False, True)
    """
    spec = find_encoder(encoder)
    return spec is None or not spec.sample_cameras or set(cameras) <= set(spec.sample_cameras)


def packaged_weights(spec: EncoderSpec) -> Path:
    """Return the folder with a packaged encoder's configuration and weights.

    Raises EncoderUnavailable when the package is not installed.
    """
    found = find_spec(spec.package) if spec.package else None
    if found is None or not found.submodule_search_locations:
        raise EncoderUnavailable(
            "The encoder {name} is part of the package {package!r}, which is not installed.",
            "Install Sightline from its repository, or choose another model with --model.",
            name=spec.name,
            package=str(spec.package),
        )
    return Path(found.submodule_search_locations[0]) / "encoder"


def is_packaged_here(spec: EncoderSpec) -> bool:
    """Whether an encoder's weights come with this installation."""
    try:
        return bool(spec.package) and any(packaged_weights(spec).glob("*.safetensors"))
    except EncoderUnavailable:
        return False
