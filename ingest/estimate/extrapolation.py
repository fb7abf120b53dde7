"""What an ingest is expected to come to, and how samples add up to that.

How many keyframes it would fold away is estimated from files that were sampled whole. They are
compared by the code of the ingest itself (:mod:`ingest.rows.embedding`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.engines.base import DecodeTask, Opened, camera_of_track
from ingest.estimate.probe import Sample, SampledFrame
from ingest.intake import Plan
from ingest.media.keyframes.auto import LONGEST_SPAN_MS
from ingest.report import SourceOutcome
from ingest.rows.embedding import Shown, is_judged, repeated_keyframes


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
