"""Sampling sources before they are taken in: what decoding them gives, and what it costs.

A sample goes the way of an ingest, in its decoding process, up to what the encoder is given; the
thumbnails go to a folder that is removed. Samples add up to what an ingest is expected to come to.
How many keyframes it would fold away is estimated from files that were sampled whole: they are
compared by the code of the ingest itself (:mod:`ingest.rows.embedding`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.engines.base import (
    Alive,
    Decoded,
    Decoder,
    DecodeTask,
    Failed,
    Keyframe,
    Opened,
    SampleOf,
    camera_of_track,
)
from ingest.intake import Plan
from ingest.media.base import SmallPicture
from ingest.media.keyframes.auto import LONGEST_SPAN_MS
from ingest.report import SourceOutcome
from ingest.rows.embedding import (
    Shown,
    first_and_last_minute,
    folds,
    is_judged,
    repeated_keyframes,
    small_picture,
)
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


class Prober(Decoder):
    """Looks into sources in a decoding process; closing it ends that, and removes what it wrote.

    A sample takes about ``limit_s`` at most.
    """

    def __init__(self, limit_s: float) -> None:
        super().__init__(hang_s=_HANG_S + limit_s)
        self._limit_s = limit_s
        self._folder = TemporaryDirectory(prefix="sightline-plan-")
        self._cpu_s = self._clock_s = 0.0

    def close(self) -> None:
        """End the process, and remove what it wrote."""
        super().close()
        self._folder.cleanup()

    @property
    def slowed(self) -> float:
        """How much longer than on an idle core samples took: 1 or more."""
        return max(1.0, self._clock_s / self._cpu_s) if self._cpu_s else 1.0

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
        with closing(self.events(task)) as events:
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

    ``start_s``, ``decode_s`` and ``embed_s`` are seconds of one core. ``reading_s`` is how long
    reading lettering takes after that, 0 where none is read. ``sampled_ms`` is how much
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
    reading_s: float = 0.0
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


_UNREAD = Opened("video", 0)


class FoldingEstimate:
    """The videos of a plan by camera and time; ``headers`` are those that were read, by uri."""

    def __init__(
        self, videos: Sequence[DecodeTask], headers: Mapping[str, Opened], plan: Plan
    ) -> None:
        self._cameras: dict[str, list[int]] = {}
        self._camera_of = [task.camera for task in videos]
        self._starts_ms = [
            plan.capture_time(task, headers.get(task.uri, _UNREAD)).at_ms for task in videos
        ]
        for index, camera in enumerate(self._camera_of):
            self._cameras.setdefault(camera, []).append(index)
        for indexes in self._cameras.values():
            indexes.sort(key=self._starts_ms.__getitem__)
        self._place = {
            index: place
            for indexes in self._cameras.values()
            for place, index in enumerate(indexes)
        }
        self._samples: dict[int, Sample] = {}

    def add(self, index: int, sample: Sample) -> None:
        """Take note of a video that was sampled whole."""
        if sample.shown:
            self._samples[index] = sample

    def following(self, index: int) -> Iterator[int]:
        """Yield the videos of the same camera that may repeat a video, as they follow it."""
        for other in self._cameras[self._camera_of[index]][self._place[index] + 1 :]:
            if self._starts_ms[other] - self._starts_ms[index] > LONGEST_SPAN_MS:
                return
            yield other

    def repeated(self) -> tuple[float, float]:
        """Return how many keyframes of the sampled videos repeat, and how many of a video do.

        Of videos whose predecessor was not sampled it is that of the others.
        """
        repeating = comparable = unknown = 0
        for indexes in self._cameras.values():
            sampled = [index for index in indexes if index in self._samples]
            repeating += self._repeating(sampled)
            for index in sampled:
                place = self._place[index]
                if place and indexes[place - 1] in self._samples:
                    comparable += 1
                elif place:
                    unknown += 1
        share = repeating / comparable if comparable else 0.0
        return repeating + share * unknown, share

    def _repeating(self, sampled: Sequence[int]) -> int:
        """Return how many keyframes of one camera's videos, all tracks, repeat."""
        cameras: dict[str, list[Shown]] = {}
        for index in sampled:
            seen: Counter[int] = Counter()
            sample = self._samples[index]
            for frame in sample.shown:
                camera = camera_of_track(self._camera_of[index], frame.track)
                judged = is_judged(seen[frame.track], sample.media_ms)
                seen[frame.track] += 1
                cameras.setdefault(camera, []).append(_shown(frame, self._starts_ms[index], judged))
        return sum(
            len(repeated_keyframes(sorted(shown, key=_time_of), lambda first: ()))
            for shown in cameras.values()
        )


def _shown(frame: SampledFrame, start_ms: int, judged: bool) -> Shown:
    return Shown(start_ms + frame.captured_at, lambda: frame.picture, judged)


def _time_of(shown: Shown) -> int:
    return shown.captured_at
