"""Looking into sources before they are taken in: their headers, and what a sample of them costs.

A sample goes through the very steps of an ingest but the last two: decoding, choosing keyframes,
thumbnail, the encoder's input. It runs in a process of its own, as decoding does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from ingest.engines.base import DecodeOptions
from ingest.engines.decode_process import compact
from ingest.media.base import DecodedFrame, MediaKind, OpenedMedia
from ingest.media.capture_time.claims import TimeClaim
from ingest.media.decoding import listen_to_libav, open_media
from ingest.media.keyframe_selector import SmallPicture
from ingest.media.thumbnails import JPEG_QUALITY, fitted
from ingest.media.video.video import Video
from ingest.rows.consecutive import first_and_last_minute, folds, small_picture
from search_core.encoders.base import Pixels
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.system.child_process import ChildProcess, parent_process

ENTRY = "ingest.estimate.probe:main"
#: A part of a video is first watched this long, until the selector knows what nothing looks like.
WARM_UP_MS = 20_000
PART_MS = 60_000
#: What is shorter is sampled whole.
WHOLE_MS = 180_000
_MOST_PIXELS = 16
#: 16 kbit/s: less than recorders write of a view in which nothing moves.
_LEAST_BYTES_PER_S = 2_000
#: A gap between frames longer than this many usual ones is a jump of timestamps, not footage.
_MOST_STEPS = 100
_HANG_S = 30.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What to look at: a header, or with ``options`` a sample.

    Of a video longer than WHOLE_MS the sample is a part from ``start_ms`` on. What takes longer
    than ``limit_s`` ends there.
    """

    path: Path
    max_pixels: int
    options: DecodeOptions | None = None
    start_ms: int = 0
    limit_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Header:
    """What a source is, by its header; ``cpu_s`` is what reading it took.

    ``claims`` are the capture times it gives. ``duration_ms`` is how long it is, ``decode_ms`` the
    duration of all its video ``tracks`` together.
    """

    kind: MediaKind
    duration_ms: int
    decode_ms: int
    cpu_s: float
    claims: tuple[TimeClaim, ...] = ()
    tracks: int = 1


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

    ``cpu_s`` are seconds of a core, ``clock_s`` how long it took to have them.
    ``media_ms`` is how much of a video it stands for; of an image it is 0. ``thumbnails`` were
    made, of ``thumbnail_bytes``. ``whole`` says that it stands for the whole source. ``pixels`` are
    some of the keyframes as the encoder wants them. Of a whole video whose keyframes are folded
    with those of other files, ``shown`` are those that may be: each with its video track, its
    time (ms) and its small picture.
    """

    media_ms: int
    keyframes: int
    cpu_s: float
    clock_s: float
    thumbnails: int
    thumbnail_bytes: int
    whole: bool
    pixels: tuple[Pixels, ...] = ()
    shown: tuple[SampledFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A source that cannot be decoded; ``reason`` is a predicate about it."""

    reason: str


Found = Header | Sample | Unreadable


class Prober:
    """Looks into sources in a process that may crash or hang; closing it ends that."""

    def __init__(self) -> None:
        self._process: ChildProcess | None = None
        #: What starting the process took, as it does for each that decodes: seconds of a core.
        self.start_s = 0.0

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.alive:
            self._process.kill()

    def look(self, probe: Probe) -> Found:
        """Return what was found; raises SightlineError when no process can start."""
        if self._process is None or not self._process.alive:
            self._process = ChildProcess(ENTRY)
        connection = self._process.connection
        try:
            connection.send(probe)
            if not connection.poll(_HANG_S + probe.limit_s):
                self._process.kill()
                return Unreadable(Message("made the decoder hang"))
            found: Found
            found, self.start_s = connection.recv()
            return found
        except (EOFError, OSError):
            return Unreadable(
                Message("made the decoder crash ({status})", status=self._process.bury())
            )


def main(handle: int) -> None:
    """Serve the connection with this file descriptor until it closes."""
    listen_to_libav()
    start_s = time.process_time()
    with parent_process(handle, None) as connection:
        try:
            while True:
                connection.send((looked_into(connection.recv()), start_s))
        except (EOFError, OSError):
            return


def looked_into(probe: Probe) -> Found:
    """Look into a source, whatever is wrong with it."""
    began = _Clock()
    try:
        with closing(_opened(probe)) as media:
            if probe.options is None:
                info = media.info
                duration_ms = _believable_ms(media, probe, began)
                decode_ms = duration_ms * info.tracks
                return Header(
                    info.kind, duration_ms, decode_ms, began.cpu_s(), info.claims, info.tracks
                )
            if isinstance(media, Video) and media.info.duration_ms > WHOLE_MS:
                return _part_of(media, probe, probe.options, began)
            return _whole(media, probe, probe.options, began)
    except MediaError as error:
        return Unreadable(error.message)
    except Exception as error:  # decoders raise anything at all
        return Unreadable(Message("cannot be decoded: {error}", error=in_words(error)))


def _believable_ms(media: OpenedMedia, probe: Probe, began: _Clock) -> int:
    """Return how long a media file is: its header's word, unless the file is too small for that.

    Timestamps that jump, or a header written for a longer recording, make minutes into days. The
    frames themselves tell then: so many, at the rate of most of them.
    """
    header_ms = media.info.duration_ms
    least_bytes = header_ms * _LEAST_BYTES_PER_S // 1000
    if not isinstance(media, Video) or probe.path.stat().st_size >= least_bytes:
        return header_ms
    times_ms: list[int] = []
    for time_ms in media.packet_times():
        times_ms.append(time_ms)
        if began.clock_s() > probe.limit_s:
            return header_ms
    steps = [after - before for before, after in pairwise(times_ms)]
    usual_ms = sorted(steps)[len(steps) // 2] if steps else 0
    even = [step if 0 <= step <= _MOST_STEPS * usual_ms else usual_ms for step in steps]
    return min(header_ms, sum(even) + usual_ms)


def _opened(probe: Probe) -> OpenedMedia:
    if probe.options is None:
        return open_media(probe.path, max_pixels=probe.max_pixels)
    return open_media(
        probe.path,
        max_pixels=probe.max_pixels,
        max_animation_frames=probe.options.max_animation_frames,
        least=probe.options.least,
        keep_partial=True,
    )


class _Clock:
    """Seconds since it was made: of a core, and on the clock."""

    def __init__(self) -> None:
        self._from = time.process_time(), time.monotonic()

    def cpu_s(self) -> float:
        return time.process_time() - self._from[0]

    def clock_s(self) -> float:
        return time.monotonic() - self._from[1]


class _Counter:
    """Makes of frames what an ingest does, and counts it."""

    def __init__(self, options: DecodeOptions) -> None:
        self._options = options
        self.keyframes = self.thumbnails = self.thumbnail_bytes = 0
        self.pixels: list[Pixels] = []
        self._folds = folds(options.selector)
        self._shown: dict[int, list[SampledFrame]] = {}

    def add(self, frame: DecodedFrame, counts: bool = True) -> None:
        thumbnail = BytesIO()
        fitted(frame.image, self._options.thumbnail_px).save(
            thumbnail, "JPEG", quality=JPEG_QUALITY
        )
        pixels = self._options.preprocess(compact(frame.image))
        self.keyframes += counts
        self.thumbnails += 1
        self.thumbnail_bytes += len(thumbnail.getbuffer())
        if len(self.pixels) < _MOST_PIXELS:
            self.pixels.append(pixels)
        if self._folds:
            thumbnail.seek(0)
            shown = SampledFrame(frame.track, frame.pts_ms, small_picture(thumbnail))
            frames = [*self._shown.get(frame.track, ()), shown]
            self._shown[frame.track] = first_and_last_minute(frames, frame.pts_ms)

    def sample(self, media_ms: int, took: _Clock, whole: bool) -> Sample:
        return Sample(
            media_ms,
            self.keyframes,
            took.cpu_s(),
            took.clock_s(),
            self.thumbnails,
            self.thumbnail_bytes,
            whole,
            tuple(self.pixels),
            tuple(frame for frames in self._shown.values() for frame in frames) if whole else (),
        )


def _whole(media: OpenedMedia, probe: Probe, options: DecodeOptions, began: _Clock) -> Found:
    counter, reached_ms = _Counter(options), 0
    for frame in media.frames(options.selector, lambda: None):
        counter.add(frame)
        reached_ms = frame.pts_ms
        if began.clock_s() > probe.limit_s and media.info.kind == "video":
            return counter.sample(reached_ms, began, whole=False)
    return counter.sample(media.info.duration_ms * media.info.tracks, began, whole=True)


def _part_of(video: Video, probe: Probe, options: DecodeOptions, began: _Clock) -> Found:
    """Sample a part of a video; the time until the selector is warmed up is not counted."""
    clock = _PartClock(began, probe.limit_s)
    counter = _Counter(options)
    for frame in video.part(options.selector, probe.start_ms, clock.goes_on):
        counter.add(frame, clock.counts(frame.pts_ms))
    return counter.sample(clock.media_ms, clock.warm, whole=False)


class _PartClock:
    """Says when a part of a video is warmed up, and when it is over."""

    def __init__(self, began: _Clock, limit_s: float) -> None:
        self._began = self.warm = began
        self._limit_s = limit_s
        self._began_ms: int | None = None
        self._warm_ms: int | None = None
        self._last_ms = 0

    @property
    def media_ms(self) -> int:
        """How much of the video was counted."""
        return 0 if self._warm_ms is None else max(0, self._last_ms - self._warm_ms)

    def goes_on(self, time_ms: int, is_keyframe: bool) -> bool:
        if self._began_ms is None:
            self._began_ms = time_ms
        into_ms = time_ms - self._began_ms
        if self._warm_ms is None and into_ms >= WARM_UP_MS:
            self._warm_ms, self.warm = time_ms, _Clock()
        self._last_ms = max(self._last_ms, time_ms)
        if self._began.clock_s() > self._limit_s:
            return False
        return into_ms < (PART_MS if is_keyframe else 2 * PART_MS)

    def counts(self, pts_ms: int) -> bool:
        return self._warm_ms is not None and self._warm_ms <= pts_ms


def spread(count: int) -> Iterator[float]:
    """Yield ``count`` numbers from 0 to 1 of which any first few are spread evenly."""
    for number in range(count):
        place, digit = 0.0, 0.5
        while number:
            place += digit * (number & 1)
            number, digit = number >> 1, digit / 2
        yield place
