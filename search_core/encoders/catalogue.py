"""The encoders Sightline knows by name, as frozen data: nothing here loads weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from search_core.errors import EncoderUnavailable


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
    package: str | None = None
    calibration: Calibration | None = None
    languages: Literal["English", "English, Chinese", "many"] = "English"
    sample_cameras: tuple[str, ...] = ()


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
    EncoderSpec(
        "ViT-B-32",
        "laion2b_s34b_b79k",
        512,
        151.3,
        "A good first choice for real footage on a CPU.",
    ),
    EncoderSpec(
        "ViT-B-16",
        "laion2b_s34b_b88k",
        512,
        149.6,
        "Finer detail than ViT-B-32 at about four times its cost.",
    ),
    EncoderSpec(
        "ViT-L-14",
        "laion2b_s32b_b82k",
        768,
        427.6,
        "Best of these; wants a GPU.",
    ),
    EncoderSpec(
        "xlm-roberta-base-ViT-B-32",
        "laion5b_s13b_b90k",
        512,
        366.1,
        "Queries in some hundred languages; needs pip install 'sightline[multilingual]'.",
        languages="many",
    ),
)


def find_encoder(name: str) -> EncoderSpec | None:
    """Return the catalogue's entry of that name, or None for a model it does not list."""
    return next((spec for spec in ENCODERS if spec.name == name), None)


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
