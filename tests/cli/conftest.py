"""A folder of made media, a library of it, and how to run the command in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from sightline.cli.main import app

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 180, 60),
    "blue": (40, 60, 220),
    "yellow": (230, 220, 40),
    "grey": (128, 128, 128),
    "black": (10, 10, 10),
}
#: When the made media was captured: 2026-03-01 06:00:00 UTC; and how long the clip is.
STARTED_S, CLIP_S = 1_772_344_800, 4


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left: exit code, stdout, stderr."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON; fails when anything else is on it."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


def invoke(*arguments: object, env: dict[str, str] | None = None) -> Outcome:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)
    assert "Traceback" not in result.output, result.output
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No SIGHTLINE_* variable and no settings file of the machine reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("SIGHTLINE_"):
                patch.delenv(name)
        patch.setenv("SIGHTLINE_MEDIA_READ", "off")  # half a second a keyframe
        patch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "never")
        patch.setenv("COLUMNS", "200")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture
def run() -> Run:
    return invoke


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of one colour each, a clip that turns from red to blue, and a damaged file."""
    folder = tmp_path_factory.mktemp("media")
    for name, colour in COLOURS.items():
        picture = Image.new("RGB", (96, 64), colour)
        ImageDraw.Draw(picture).ellipse((30, 14, 66, 50), fill=tuple(255 - c for c in colour))
        picture.save(folder / f"{name}.png")
    write_clip(folder / "gate.mp4")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no photograph")
    for path in folder.iterdir():  # a clip is written when it ends
        written_s = STARTED_S + (CLIP_S if path.suffix == ".mp4" else 0)
        os.utime(path, (written_s, written_s))
    return folder


def write_clip(path: Path) -> None:
    """Write four seconds at four frames a second, a keyframe each second, red and then blue.

    A dark bar is elsewhere every second, so that no two keyframes look the same.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.gop_size = 4
        stream.time_base = stream.codec_context.time_base = Fraction(1, 4)
        for index in range(16):
            colour = COLOURS["red"] if index < 8 else COLOURS["blue"]
            pixels = np.full((64, 96, 3), colour, np.uint8)
            left = 24 * (index // 4)
            pixels[:, left : left + 12] //= 2
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 4)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def encoder(tiny_model_dir: Path) -> list[str]:
    """The options that choose the tiny encoder."""
    return ["--model", f"local-dir:{tiny_model_dir}"]


@pytest.fixture(scope="session")
def loaded(
    tmp_path_factory: pytest.TempPathFactory, media: Path, encoder: list[str]
) -> tuple[list[str], Outcome]:
    """The options of a library that holds the media, for tests that only read; and how it went."""
    options = [*encoder, "--data-dir", str(tmp_path_factory.mktemp("data"))]
    outcome = invoke("ingest", media, *options, "--json", "--tag", "made", "--camera", "gate")
    return options, outcome


@pytest.fixture(scope="session")
def library(loaded: tuple[list[str], Outcome]) -> list[str]:
    """The options of a library that holds the media."""
    return loaded[0]


def data_dir_of(options: list[str]) -> Path:
    return Path(options[options.index("--data-dir") + 1])
