"""What an ingest is expected to come to, and how samples add up to that."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.estimate.probe import Sample
from ingest.report import SourceOutcome


@dataclass(slots=True)
class Sampled:
    """What samples add up to, of ``total`` sources or milliseconds."""

    sources: int = 0
    media_ms: int = 0
    keyframes: float = 0.0
    cpu_s: float = 0.0
    thumbnails: int = 0
    thumbnail_bytes: int = 0

    def add(self, sample: Sample, keyframes: float) -> None:
        """Add one sample; ``keyframes`` is what it stands for."""
        self.sources += 1
        self.media_ms += sample.media_ms
        self.keyframes += keyframes
        self.cpu_s += sample.cpu_s
        self.thumbnail_bytes += sample.thumbnail_bytes
        self.thumbnails += sample.thumbnails


@dataclass(slots=True)
class Expected:
    """What an ingest would come to. ``seconds`` are those of a whole machine like this one.

    ``start_s``, ``decode_s`` and ``embed_s`` are seconds of one core. ``sampled_ms`` is how much
    video was looked at, ``video_ms`` how much there is. ``file_times`` sources have no time of
    capture but the file's, an estimate where ``file_times_estimated``.
    """

    images: int = 0
    videos: int = 0
    video_ms: int = 0
    sampled_ms: int = 0
    keyframes: int = 0
    thumbnail_bytes: int = 0
    start_s: float = 0.0
    decode_s: float = 0.0
    embed_s: float = 0.0
    seconds: float = 0.0
    file_times: int = 0
    file_times_estimated: bool = False
    unreadable: list[SourceOutcome] = field(default_factory=list)


def extrapolate(sampled: Sampled, factor: float, expected: Expected) -> None:
    """Add a multiple of what was sampled to what is expected."""
    keyframes = round(sampled.keyframes * factor)
    expected.keyframes += keyframes
    expected.decode_s += sampled.cpu_s * factor
    if sampled.thumbnails:
        expected.thumbnail_bytes += round(sampled.thumbnail_bytes / sampled.thumbnails * keyframes)
