"""Clips, pictures and sounds made for the tests, and a small encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
from PIL import Image

from search_core.encoders.base import (
    Embeddings,
    EncoderIdentity,
    Pixels,
    Preprocess,
    l2_normalised,
)

pillow_heif.register_heif_opener()

GIVEN_DATA = Path(__file__).parents[3] / "shared" / "data"


class HistogramEncoder:
    """Embeds pixels as their colour histogram: instant, deterministic, and colours tell apart."""

    def __init__(self, digest: str = "a" * 32) -> None:
        self.identity = EncoderIdentity("histogram", "", digest, 24, "fp32")
        self.preprocess = Preprocess((32, 32))

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        rows = [
            np.concatenate([np.histogram(p[..., c], 8, (0, 256))[0] for c in range(3)])
            for p in pixels
        ]
        return l2_normalised(np.stack(rows)) if rows else np.zeros((0, 24), np.float32)

    def encode_images(self, images: Sequence[Image.Image]) -> Embeddings:
        return self.encode_pixels([self.preprocess(image) for image in images])

    def encode_texts(self, texts: Sequence[str], templates: Sequence[str] = ()) -> Embeddings:
        raise NotImplementedError


class FinerEncoder(HistogramEncoder):
    """Another encoder: finer pixels, more dimensions."""

    def __init__(self) -> None:
        self.identity = EncoderIdentity("finer", "", "f" * 32, 48, "fp32")
        self.preprocess = Preprocess((40, 40))

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        rows = [
            np.concatenate([np.histogram(p[..., c], 16, (0, 256))[0] for c in range(3)])
            for p in pixels
        ]
        return l2_normalised(np.stack(rows))


def shade(second: float) -> int:
    """The grey level a made clip has at a time: another one every second."""
    return 20 + (int(second) * 37) % 200


def make_clip(
    path: Path,
    *,
    seconds: float = 6.0,
    fps: int = 5,
    gop: int = 5,
    size: tuple[int, int] = (64, 48),
    rotation: int | None = None,
    pixel_shape: Fraction | None = None,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    x264: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    level: Callable[[float], int] = shade,
    picture: Callable[[float], np.ndarray] | None = None,
) -> Path:
    """Write an H.264 clip whose grey level follows :func:`shade`; its left half is darker.

    ``gop`` is frames between keyframes, ``times`` the frames' times in seconds where they are not
    at a steady rate. ``x264`` are more options of the encoder, ``pixels`` is the pixel format;
    ``level`` gives another grey level for a time, ``picture`` whole frames, RGB (height, width, 3).
    """
    width, height = size if picture is None else picture(0.0).shape[1::-1]
    with av.open(str(path), "w", options=container_options or {}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.gop_size = gop
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "sc_threshold": "0", "bf": "0", **(x264 or {})}
        if codec == "libx265":
            stream.options = {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=0"}
        if pixel_shape is not None:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        if rotation is not None:
            stream.set_display_rotation(rotation)
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        moments = times if times is not None else [n / fps for n in range(round(seconds * fps))]
        for moment in moments:
            if picture is None:
                shown = np.full((height, width, 3), level(moment), np.uint8)
                shown[:, : width // 2] //= 2
            else:
                shown = picture(moment)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def cut_off(whole: Path, path: Path, seconds: float) -> Path:
    """Write a clip again, its packets as they are, with an edit list that begins later."""
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(whole)) as container, av.open(str(path), "w", options=options) as out:
        source = container.streams.video[0]
        copy = out.add_stream_from_template(source)
        for packet in container.demux(source):
            if packet.dts is not None and packet.pts is not None and packet.time_base is not None:
                shift = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copy
                out.mux(packet)
    return path


def make_sound(path: Path) -> Path:
    """Write an MP4 with one second of silence and no picture."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def make_photo(path: Path, colour: tuple[int, int, int] = (200, 40, 40), **save: Any) -> Path:
    """Write a picture of one colour with a lighter corner; ``save`` is for Pillow's save."""
    image = Image.new("RGB", (80, 60), colour)
    image.paste((250, 250, 250), (0, 0, 20, 20))
    image.save(path, **save)
    return path
