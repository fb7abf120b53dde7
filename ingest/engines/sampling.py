"""Samples of media: the frames of a part of it, and marks that say which part they stand for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ingest.engines.base import Alive, SampleOf
from ingest.media.base import DecodedFrame, OpenedMedia
from ingest.media.keyframes import KeyframeSelector
from ingest.media.video.video import Video

#: A part of a video is first watched this long, until the selector knows what nothing looks like.
WARM_UP_MS = 20_000
PART_MS = 60_000
#: What is shorter is sampled whole.
WHOLE_MS = 180_000


def sampled(
    media: OpenedMedia, selector: KeyframeSelector, sample: SampleOf, pulse: Callable[[], None]
) -> Iterator[DecodedFrame | Alive]:
    """Yield the keyframes of a sample and the marks of what they stand for.

    Of a part, one mark is where it is warmed up and the next where it ends; a source that is
    sampled from its beginning has that at its end alone.
    """
    until_s = time.monotonic() + sample.limit_s
    info = media.info
    if isinstance(media, Video) and info.duration_ms > WHOLE_MS:
        part = _Part(until_s)
        yield from media.part(selector, sample.start_ms, part.goes_on)
        if part.warm is not None:
            yield part.warm
            yield _mark(part.reached_ms)
        return
    for frame in media.frames(selector, pulse):
        yield frame
        if info.kind == "video" and time.monotonic() > until_s:
            yield _mark(frame.pts_ms)
            return
    yield _mark(info.duration_ms * info.tracks)


def _mark(at_ms: int) -> Alive:
    return Alive(time.process_time(), at_ms)


class _Part:
    """Says when a part of a video is warmed up, and when it is over."""

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self._began_ms: int | None = None
        self.warm: Alive | None = None
        self.reached_ms = 0

    def goes_on(self, time_ms: int, is_keyframe: bool) -> bool:
        """Whether the packet of this time still belongs to the part."""
        if self._began_ms is None:
            self._began_ms = time_ms
        into_ms = time_ms - self._began_ms
        if self.warm is None and into_ms >= WARM_UP_MS:
            self.warm = _mark(time_ms)
        self.reached_ms = max(self.reached_ms, time_ms)
        if time.monotonic() > self._until_s:
            return False
        return into_ms < (PART_MS if is_keyframe else 2 * PART_MS)
