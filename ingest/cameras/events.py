"""What a camera's process is given and what it sends back; all of it picklable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.media.regions.base import Region, RegionProposer
from search_core.encoders.base import Pixels, Preprocess


@dataclass(frozen=True, slots=True)
class StreamTask:
    """A stream to decode until it is lost.

    ``url`` holds the password: it goes through a pipe and is never printed. ``connect_s`` and
    ``stall_s`` are the longest silence before and after the first picture.
    """

    camera: str
    url: str
    transport: str
    connect_s: float
    stall_s: float
    preprocess: Preprocess
    data_dir: Path
    stills_dir: Path
    thumbnail_px: int
    max_pixels: int
    regions: RegionProposer | None = None

    def __repr__(self) -> str:
        return f"StreamTask({self.camera!r})"


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has started, or goes along though there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The camera is seen: its last frame (epoch milliseconds), and counts since the last Seen.

    ``frames`` arrived, ``dropped`` of them were not decoded because decoding was behind, ``lag_ms``
    is how far behind the last one was.
    """

    last_frame_ms: int
    frames: int
    dropped: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class LiveKeyframe:
    """One keyframe, ready to be embedded; its thumbnail and its still are written.

    ``crops`` are its regions, in their order.
    """

    captured_ms: int
    width: int
    height: int
    pixels: Pixels
    thumbnail: str
    still: str
    regions: tuple[Region, ...] = ()
    crops: tuple[Pixels, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A keyframe could not be kept, but the stream goes on; ``reason`` is a predicate."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream is over; ``reason`` is a predicate about the camera, without its address."""

    reason: str


StreamEvent = Ready | Seen | LiveKeyframe | Trouble | Lost
