"""Footage for the keyframe benchmarks, written with PyAV at 1080p and a keyframe every 50 frames.

Test patterns, and a fixed camera with sensor noise before which things pass at known times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT, FPS, KEYFRAME_EVERY = 1920, 1080, 25, 50
#: Luma noise of a small sensor by day, in grey levels (standard deviation).
NOISE = 3.0
_NOISES = 16


@dataclass(frozen=True, slots=True)
class Passage:
    """Something crosses the picture from ``start_s`` to ``end_s``; ``size`` is (width, height) px.

    It moves along the line ``y`` px; ``colour`` is (Y, U, V) in 8 bits.
    """

    start_s: float
    end_s: float
    size: tuple[int, int]
    y: int
    colour: tuple[int, int, int]


def rare_passages(seconds: float) -> list[Passage]:
    """Return a walker every two minutes for five seconds: little happens."""
    starts = np.arange(47.3, seconds - 6, 120.0)
    return [Passage(float(s), float(s) + 5.0, (90, 260), 560, (70, 120, 150)) for s in starts]


def frequent_passages(seconds: float, seed: int = 1) -> list[Passage]:
    """Return passages of 2 to 9 s, two at a time on average: something moves at any time."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(round(seconds / 2.5)):
        start, lasts = rng.uniform(-4, seconds - 2), rng.uniform(2.2, 9)
        width = int(rng.integers(60, 600)) & ~1
        height = int(rng.integers(80, 360)) & ~1
        colour = (
            int(rng.integers(20, 230)),
            int(rng.integers(80, 176)),
            int(rng.integers(80, 176)),
        )
        top = int(rng.integers(300, HEIGHT - height)) & ~1
        found.append(Passage(start, start + lasts, (width, height), top, colour))
    return found


def write_static(
    path: Path, seconds: float, passages: Sequence[Passage], rate: str = "crf"
) -> Path:
    """Write a noisy fixed camera's footage as H.264; ``rate`` is "crf" or "cbr" (2 Mbit/s)."""
    return _write(path, islice(_static_frames(passages), round(seconds * FPS)), rate)


def write_patterns(path: Path, seconds: float) -> Path:
    """Write libavfilter's test pattern as H.264."""
    graph = Graph()
    source = graph.add("testsrc2", f"size={WIDTH}x{HEIGHT}:rate={FPS}:duration={seconds}")
    form, sink = graph.add("format", "pix_fmts=yuv420p"), graph.add("buffersink")
    source.link_to(form)
    form.link_to(sink)
    graph.configure()

    def frames() -> Iterator[av.VideoFrame]:
        for _ in range(round(seconds * FPS)):
            frame = graph.pull()
            assert isinstance(frame, av.VideoFrame)
            yield frame

    return _write(path, frames(), "crf")


def _static_frames(passages: Sequence[Passage]) -> Iterator[av.VideoFrame]:
    """Yield yuv420p frames of a still scene with fresh noise, and what passes before it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 210, (27, 48), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    texture = rng.normal(0, 6, (HEIGHT, WIDTH))
    scene = np.clip(np.asarray(image) + texture, 20, 230).astype(np.int16)
    noises = [
        rng.normal(0, NOISE, (HEIGHT, WIDTH)).round().astype(np.int16) for _ in range(_NOISES)
    ]
    number = 0
    while True:
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        luma = scene.copy()
        chroma = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
        for passage in passages:
            _draw(passage, number / FPS, luma, chroma)
        noise = noises[int(rng.integers(_NOISES))]
        luma += np.roll(noise, int(rng.integers(HEIGHT)), axis=0)
        planes[:HEIGHT] = np.clip(luma, 0, 255)
        yield av.VideoFrame.from_ndarray(planes, format="yuv420p")
        number += 1


def _draw(
    passage: Passage, at_s: float, luma: NDArray[np.int16], chroma: NDArray[np.uint8]
) -> None:
    share = (at_s - passage.start_s) / (passage.end_s - passage.start_s)
    if not 0 <= share < 1:
        return
    width, height = passage.size
    left = round((share * (WIDTH + width) - width) / 2) * 2
    x0, x1, y0, y1 = max(0, left), min(WIDTH, left + width), passage.y, passage.y + height
    if x0 >= x1:
        return
    luma[y0:y1, x0:x1] = passage.colour[0]
    luma[y0 : y0 + height // 3, x0:x1] = 255 - passage.colour[0]
    for plane, level in zip(chroma, passage.colour[1:], strict=True):
        plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] = level


def _write(path: Path, frames: Iterator[av.VideoFrame], rate: str) -> Path:
    partial = path.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = KEYFRAME_EVERY
        options = {"preset": "superfast", "threads": "1"}
        keys = f"keyint={KEYFRAME_EVERY}:min-keyint={KEYFRAME_EVERY}:scenecut=0"
        if rate == "cbr":
            stream.bit_rate = 2_000_000
            keys += ":nal-hrd=cbr:vbv-maxrate=2000:vbv-bufsize=2000"
        else:
            options["crf"] = "28"
        stream.options = {**options, "x264-params": keys}
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            frame.pict_type = av.video.frame.PictureType.NONE  # the encoder's choice
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return partial.replace(path)
