"""How the tests of media files read them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from ingest.media.base import DecodedFrame, MediaInfo
from ingest.media.decoding import open_media
from ingest.media.keyframes.registry import parse_selector

MOST_PIXELS = 10_000_000


@dataclass(frozen=True)
class Read:
    """What came of a file."""

    info: MediaInfo
    frames: list[DecodedFrame]
    warning: str

    @property
    def positions_ms(self) -> list[int]:
        return [frame.pts_ms for frame in self.frames]

    @property
    def greys(self) -> list[int]:
        return [grey_of(frame.image) for frame in self.frames]


def read(path: Path, selector: str = "iframe", track: int | None = None) -> Read:
    with closing(open_media(path, max_pixels=MOST_PIXELS, track=track)) as media:
        frames = list(media.frames(parse_selector(selector), lambda: None))
        return Read(media.info, frames, media.warning)


def grey_of(image: Image.Image) -> int:
    """Return the level of the right half, rounded to tens, as coding changes it a little."""
    pixels = np.asarray(image.convert("L"), np.float32)
    return round(float(pixels[:, pixels.shape[1] // 2 + 4 :].mean()), -1).__int__()


def join(path: Path, *parts: Path) -> Path:
    """Write files one behind the other, as ``cat`` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def shifted(whole: Path, path: Path, seconds: float) -> Path:
    """Write a clip again with its timestamps moved, its packets as they are."""
    with av.open(str(whole)) as source, av.open(str(path), "w", options=_AS_IS) as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            ticks = round(seconds / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, copy
            out.mux(packet)
    return path


_AS_IS = {"avoid_negative_ts": "disabled", "mpegts_copyts": "1", "muxdelay": "0"}


def with_tracks(path: Path, clips: Sequence[Path]) -> Path:
    """Write the videos of several clips as tracks of one file."""
    sources = [av.open(str(clip)) for clip in clips]
    with av.open(str(path), "w") as out:
        copies = [out.add_stream_from_template(source.streams.video[0]) for source in sources]
        for source, copy in zip(sources, copies, strict=True):
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = copy
                    out.mux(packet)
    for source in sources:
        source.close()
    return path
