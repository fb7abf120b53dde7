"""Sampling sources before they are taken in: what decoding them gives, and what it costs.

A sample goes the way of an ingest, in its decoding process, up to what the encoder is given; the
thumbnails go to a folder that is removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.engines.base import (
    Alive,
    Decoded,
    DecodeTask,
    Failed,
    Keyframe,
    Opened,
    SampleOf,
)
from ingest.engines.local import Decoder
from ingest.media.keyframe_selector import SmallPicture
from ingest.report import SourceOutcome
from ingest.rows.embedding import first_and_last_minute, folds, small_picture
from search_core.encoders.base import Pixels

_MOST_PIXELS = 16
_HANG_S = 30.0


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A keyframe as it is compared with those of other files; ``captured_at`` is ms from 0.

    ``picture`` is None where its thumbnail cannot be read.
    """

    track: int
    captured_at: int
    picture: SmallPicture | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of a source or a part of it, and what it took.

    ``cpu_s`` are seconds of a core. ``media_ms`` is how much of a video it stands for; of an image
    it is 0. ``thumbnails`` were made, of ``thumbnail_bytes``. ``whole`` says that it stands for the
    whole source. ``pixels`` are some of the keyframes as the encoder wants them. Of a whole video
    whose keyframes are folded with those of other files, ``shown`` are those that may be: each with
    its video track, its time (ms) and its small picture. ``failed`` says why it came to no end.
    """

    media_ms: int
    keyframes: int
    cpu_s: float
    thumbnails: int
    thumbnail_bytes: int
    whole: bool
    pixels: tuple[Pixels, ...] = ()
    shown: tuple[SampledFrame, ...] = ()
    failed: SourceOutcome | None = None


class Prober:
    """Looks into sources in a decoding process; closing it ends that, and removes what it wrote.

    A sample takes about ``limit_s`` at most.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._decoder = Decoder(hang_s=_HANG_S + limit_s)
        self._folder = TemporaryDirectory(prefix="sightline-plan-")
        self._cpu_s = self._clock_s = 0.0

    def close(self) -> None:
        """End the process."""
        self._decoder.close()
        self._folder.cleanup()

    @property
    def start_s(self) -> float:
        """What starting the process took, as it does for each that decodes: seconds of a core."""
        return self._decoder.start_s

    @property
    def slowed(self) -> float:
        """How much longer than on an idle core samples took: 1 or more."""
        return max(1.0, self._clock_s / self._cpu_s) if self._cpu_s else 1.0

    def header(self, task: DecodeTask) -> Opened | Failed:
        """Return what a source is; raises SightlineError when no process can start."""
        return self._decoder.header(task)

    def sample(self, task: DecodeTask, start_ms: float) -> Sample:
        """Sample a source, or, where it is long, a part of it from ``start_ms`` on.

        Raises SightlineError when no process can start.
        """
        data_dir = Path(self._folder.name)
        task = replace(
            task,
            sample=SampleOf(round(start_ms), self._limit_s),
            options=replace(task.options, data_dir=data_dir),
        )
        seen = _Seen(data_dir, folds(task.options.selector))
        began_s = time.monotonic()
        with closing(self._decoder.events(task)) as events:
            for event in events:
                match event:
                    case Alive():
                        seen.alive.append(event)
                    case Opened():
                        seen.length_ms = event.duration_ms * event.tracks
                    case Decoded():
                        seen.add(event.keyframe, event.pixels)
                    case Failed():
                        seen.failed = event
        self._clock_s += time.monotonic() - began_s
        if seen.alive:
            self._cpu_s += seen.alive[-1].cpu_s - seen.alive[0].cpu_s
        return seen.sample(task)


class _Seen:
    """What a decoding process tells of one source."""

    def __init__(self, data_dir: Path, folds_files: bool) -> None:
        self._data_dir = data_dir
        self._folds = folds_files
        self.alive: list[Alive] = []
        self.length_ms = 0
        self.failed: Failed | None = None
        self._times_ms: list[int] = []
        self._thumbnail_bytes = 0
        self._pixels: list[Pixels] = []
        self._shown: dict[int, list[SampledFrame]] = {}

    def add(self, keyframe: Keyframe, pixels: Pixels) -> None:
        """Take a keyframe; its thumbnail is looked at and removed."""
        self._times_ms.append(keyframe.pts_ms)
        if len(self._pixels) < _MOST_PIXELS:
            self._pixels.append(pixels)
        thumbnail = self._data_dir / keyframe.thumbnail
        self._thumbnail_bytes += thumbnail.stat().st_size
        if self._folds:
            track, at_ms = keyframe.track, keyframe.pts_ms
            frame = SampledFrame(track, at_ms, small_picture(thumbnail))
            frames = [*self._shown.get(track, ()), frame]
            self._shown[track] = first_and_last_minute(frames, at_ms)
        thumbnail.unlink()

    def sample(self, task: DecodeTask) -> Sample:
        """Return what the source, or the part of it, came to."""
        keyframes, media_ms, whole = len(self._times_ms), 0, False
        began, failed = self.alive[:1], None
        ended = [event for event in self.alive if event.at_ms is not None]
        if self.failed is not None:
            failed = SourceOutcome(task.uri, "failed", self.failed.reason, self.failed.stage)
            keyframes = keyframes if self.failed.keeps_keyframes else 0
            ended, whole = self.alive[-1:], True
        elif len(ended) == 2:  # a part, which counts from where it was warm
            began, ended = ended[:1], ended[1:]
            media_ms = max(0, _at_ms(ended[0]) - _at_ms(began[0]))
            keyframes = sum(time_ms >= _at_ms(began[0]) for time_ms in self._times_ms)
        elif ended:
            media_ms = _at_ms(ended[0])
            whole = media_ms == self.length_ms
        return Sample(
            media_ms,
            keyframes,
            ended[0].cpu_s - began[0].cpu_s if began and ended else 0.0,
            len(self._times_ms),
            self._thumbnail_bytes,
            whole,
            tuple(self._pixels),
            tuple(frame for frames in self._shown.values() for frame in frames) if whole else (),
            failed,
        )


def _at_ms(mark: Alive) -> int:
    return mark.at_ms or 0


def spread(count: int) -> Iterator[float]:
    """Yield ``count`` numbers from 0 to 1 of which any first few are spread evenly."""
    for number in range(count):
        place, digit = 0.0, 0.5
        while number:
            place += digit * (number & 1)
            number, digit = number >> 1, digit / 2
        yield place
