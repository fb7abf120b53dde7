"""How many keyframes an ingest would fold away, estimated from files that were sampled whole.

The files are compared by the code of the ingest itself (:mod:`ingest.rows.embedding`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ingest.engines.base import DecodeTask, Opened, camera_of_track
from ingest.estimate.probe import Sample, SampledFrame
from ingest.intake import Plan
from ingest.media.keyframes.auto import LONGEST_SPAN_MS
from ingest.rows.embedding import Shown, is_judged, repeated_keyframes

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
