"""Clips: a span of a video as a file of its own, copied as it was recorded or cut exactly.

A *copied* clip holds the recording's own pictures and sound, nothing encoded anew, and can begin
only at a codec keyframe: it starts there, at or before what was asked for. An *exact* one begins
and ends where it was asked to, and is encoded anew. Messages of the errors that are raised are
predicates ("is damaged"), to be put after a file's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from ingest.media.damage import last_words
from ingest.media.video.container import number_of, open_container, video_tracks
from ingest.media.video.timestamps import StreamClock, true_extent
from ingest.media.video.video import Video
from search_core.errors import CorruptMedia, MediaError, in_words
from search_core.messages import Message
from search_core.system.cancellation import Interrupted
from search_core.system.machine import disk_full, is_full

Cut = Literal["copied", "exact"]

#: What players, browsers among them, expect to find in an MP4 and in a WebM.
_MP4 = frozenset(("h264", "hevc", "av1", "mpeg4", "aac", "mp3", "ac3", "eac3", "alac"))
_WEBM = frozenset(("vp8", "vp9", "av1", "opus", "vorbis"))
_MS = Fraction(1, 1000)
#: x264's constant rate factor, below the 18 from which its losses can be seen, as its guide has it.
_QUALITY = "16"
_AUDIO_HZ = 48_000
#: A usual rate for the encoder to plan with; frames keep their own times.
_FRAMES_PER_S = 30
#: Gaps in the sound up to 50 ms are roundings of its timestamps.
_GAP_SAMPLES = 2400
_NO_START = "has no picture there that decoding can begin at"
#: So long after a picture's packet that of the sound of the same time may follow.
_SOUND_LATE_MS = 1000


#: A region that is blurred keeps so many colours across: nothing that a face is told by.
_MOSAIC = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a picture, in shares of its width and height from the upper left corner.

    Raises ValueError for one that is empty or outside of it.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError("a box lies within 0 to 1, from left to right and top to bottom")

    def pixels(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom) in a picture of this size, never empty."""
        width, height = size
        left, top = min(int(self.left * width), width - 1), min(int(self.top * height), height - 1)
        right = max(left + 1, min(width, round(self.right * width)))
        return left, top, right, max(top + 1, min(height, round(self.bottom * height)))


def blurred(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """Return a picture whose boxes cannot be recognised any more."""
    if not boxes:
        return image
    made = image.copy()
    for box in boxes:
        corners = box.pixels(image.size)
        region = image.crop(corners)
        small = region.resize((_MOSAIC, _MOSAIC), Image.Resampling.BOX)
        soft = small.resize(region.size, Image.Resampling.BICUBIC)
        made.paste(soft.filter(ImageFilter.GaussianBlur(2)), corners[:2])
    return made


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start_ms`` to ``end_ms`` of a video, in milliseconds from its start."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_ms < self.end_ms:
            raise ValueError("a span ends after it starts, and starts at 0 or later")


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that was written: what it really shows of its video, and how it was cut.

    ``note`` says what differs from what was asked, or is left out; "" where nothing is.
    """

    path: Path
    span: Span
    cut: Cut
    note: str = ""


def cut_clip(
    source: Path,
    folder: Path,
    name: Callable[[Span], str],
    span: Span,
    *,
    exact: bool = False,
    boxes: Sequence[Box] = (),
    track: int = 0,
    taken_at_ms: int | None = None,
    max_pixels: int = 178_956_970,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Clip:
    """Write a span of a video into a folder, as a container that can hold it.

    ``name`` returns the file's name without a suffix for what the clip really shows.

    With ``boxes`` to blur, and of recordings whose timestamps jump, the clip is cut exactly.
    ``taken_at_ms`` is when the video's start was captured (epoch ms), written into the clip as the
    time of its own start. Raises MediaError, DiskFull, and Interrupted; nothing is left then.

    >>> cut_clip(Path("gate.mp4"), Path("out"), lambda span: "gate", Span(4000, 9000)).path
    PosixPath('out/gate.mp4')                                            # doctest: +SKIP
    """
    asked = _Asked(source, span, track, taken_at_ms, max_pixels, should_stop, on_progress)
    with closing(open_container(source)) as container:
        tracks = video_tracks(container)
        video = next((item for item in tracks if number_of(container, item) == track), tracks[0])
        extent = true_extent(source, container, video)
        jumps = extent is not None and extent.jumps
        encoded = exact or bool(boxes) or jumps
        with _part(folder, _suffix(container, video, encoded=encoded)) as part:
            if encoded:
                shown = _encode(asked, container, part, boxes)
            else:
                shown = _copy(asked, container, video, part)
            target = folder / (name(shown) + part.suffix)
            part.replace(target)
    why = Message("the timestamps jump, so it was encoded anew") if jumps and not exact else ""
    return Clip(target, shown, "exact" if encoded else "copied", why)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a clip is to be made of."""

    source: Path
    span: Span
    track: int
    taken_at_ms: int | None
    max_pixels: int
    should_stop: Callable[[], bool]
    on_progress: Callable[[float], None]

    def reached(self, at_ms: float) -> None:
        """Say how far it is; raise Interrupted when it is to stop."""
        if self.should_stop():
            raise Interrupted
        length = self.span.end_ms - self.span.start_ms
        self.on_progress(min(1.0, max(0.0, (at_ms - self.span.start_ms) / length)))

    def describe(self, output: OutputContainer, start_ms: int) -> None:
        """Write into a clip when it begins."""
        if self.taken_at_ms is not None:
            began = datetime.fromtimestamp((self.taken_at_ms + start_ms) / 1000, UTC)
            output.metadata["creation_time"] = began.isoformat(timespec="milliseconds")


# Copied


def _copy(asked: _Asked, container: InputContainer, video: VideoStream, part: Path) -> Span:
    """Copy the packets of a span; return what they show."""
    sound = _sound(container)
    _seek(container, video, asked.span.start_ms)
    with _libav_errors(), av.open(str(part), "w", format=_format(part)) as output:
        tracks: list[Stream] = [video, *sound]
        copies = {
            stream.index: output.add_stream_from_template(stream, opaque=True) for stream in tracks
        }
        wanted = _Wanted(asked, container, video)
        for packet in container.demux(tracks):
            if wanted.are_over:
                break
            for taken in wanted.taken(packet):
                if taken.stream.index == video.index and not wanted.is_described:
                    asked.describe(output, wanted.start_ms)
                    wanted.is_described = True
                _shift(taken, wanted.begins)
                taken.stream = copies[taken.stream.index]
                output.mux(taken)
        if wanted.is_empty:
            raise CorruptMedia(_NO_START)
    return Span(wanted.start_ms, max(wanted.end_ms, wanted.start_ms + 1))


class _Wanted:
    """Which packets a copied clip takes, in the order they are read, and what they show."""

    def __init__(self, asked: _Asked, container: InputContainer, video: VideoStream) -> None:
        self._asked = asked
        self._video = video
        self._clock = StreamClock(video.time_base, container.start_time or 0, video.guessed_rate)
        self._until_ms = asked.span.end_ms
        self._held: list[Packet[Stream]] = []
        self.begins = Fraction(0)
        self.start_ms = self.end_ms = 0
        self.is_empty = True
        self.is_described = False
        self.are_over = False

    def taken(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Return the packets that belong into the clip, as far as that is known with this one."""
        if packet.pts is None or packet.time_base is None:
            return []
        if packet.stream.index == self._video.index:
            return self._taken_picture(packet, packet.pts * packet.time_base)
        length = Fraction(self._asked.span.end_ms - self.start_ms, 1000)
        at = packet.pts * packet.time_base
        return [packet] if not self.is_empty and self.begins <= at < self.begins + length else []

    def _taken_picture(self, packet: Packet[Stream], at: Fraction) -> list[Packet[Stream]]:
        shown_ms = self._clock.pts_ms(packet.pts)
        if shown_ms is None:
            return []
        if self.is_empty and packet.is_keyframe:
            self.begins, self.start_ms, self.is_empty = at, shown_ms, False
        if self.is_empty or at < self.begins:
            return []  # it cannot be decoded without the picture group before
        stamp = packet.dts if packet.dts is not None else packet.pts
        decoded_ms = self._clock.pts_ms(stamp) or 0
        self.are_over = decoded_ms >= self._until_ms + _SOUND_LATE_MS
        # A picture beyond the end is held back: one before it may be made from it. Where that is
        # so, those between the two are taken as well, so that none is missing.
        self._held.append(packet)
        if shown_ms >= self._until_ms:
            return []
        found, self._held = self._held, []
        for taken in found:
            ends_s = self._clock.end_s(taken.pts, taken.duration) or 0.0
            self.end_ms = max(self.end_ms, round(ends_s * 1000))
            self._until_ms = max(self._until_ms, self._clock.pts_ms(taken.pts) or 0)
        self._asked.reached(shown_ms)
        return found


def _shift(packet: Packet[Stream], begins: Fraction) -> None:
    assert packet.time_base is not None
    ticks = round(begins / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks


def _seek(container: InputContainer, stream: Stream, at_ms: int) -> None:
    """Go to the codec keyframe at or before a position; where one cannot seek, nowhere."""
    if stream.time_base:
        start_us = container.start_time or 0
        ticks = int(Fraction(start_us + at_ms * 1000, 1_000_000) / stream.time_base)
        with suppress(av.FFmpegError):
            container.seek(ticks, stream=stream)


# Encoded


def _encode(asked: _Asked, container: InputContainer, part: Path, boxes: Sequence[Box]) -> Span:
    """Encode the pictures and the sound of a span; return what they show."""
    sound = _sound(container)[:1]
    video = Video(asked.source, max_pixels=asked.max_pixels, track=asked.track)
    with (
        closing(video),
        _libav_errors(),
        av.open(str(part), "w", format=_format(part)) as output,
    ):
        asked.describe(output, asked.span.start_ms)
        pictures = video.between(asked.span.start_ms, asked.span.end_ms)
        first = next(pictures, None)
        if first is None:
            raise CorruptMedia("has no picture there")
        stream = output.add_stream("libx264", rate=_FRAMES_PER_S)
        stream.width, stream.height = (side + side % 2 for side in first.image.size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _MS
        stream.options = {"crf": _QUALITY, "preset": "veryfast"}
        heard = output.add_stream("aac", rate=_AUDIO_HZ) if sound else None
        ends_ms = asked.span.start_ms
        for picture in chain((first,), pictures):
            asked.reached(picture.pts_ms)
            ends_ms = picture.pts_ms
            pixels = np.asarray(_fitted(blurred(picture.image, boxes), stream))
            frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = picture.pts_ms - asked.span.start_ms, _MS
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if heard is not None:
            for packet in _encoded_sound(asked, container, sound[0], heard):
                output.mux(packet)
        length_ms = video.info.duration_ms
    return Span(asked.span.start_ms, max(ends_ms + 1, min(asked.span.end_ms, length_ms)))


def _fitted(image: Image.Image, stream: VideoStream) -> Image.Image:
    """Return a picture of the clip's size: 4:2:0 needs even sides, and a recording may change."""
    size = stream.width, stream.height
    return image if image.size == size else ImageOps.pad(image, size)


def _encoded_sound(
    asked: _Asked, container: InputContainer, source: AudioStream, target: AudioStream
) -> Iterator[Packet[AudioStream]]:
    """Yield the sound of a span, encoded; what of it is damaged is left out."""
    layout = "stereo" if source.codec_context.channels > 1 else "mono"
    resampler = AudioResampler("fltp", layout, _AUDIO_HZ)
    begins = Fraction(container.start_time or 0, 1_000_000) + asked.span.start_ms * _MS
    wanted = (asked.span.end_ms - asked.span.start_ms) * _AUDIO_HZ // 1000
    written = 0
    for at, samples in _samples(asked, container, source, resampler):
        place = round((at - begins) * _AUDIO_HZ)
        if place >= wanted:
            break
        piece = samples[:, max(0, written - place) : wanted - place]
        gap = place - written
        if gap > _GAP_SAMPLES:  # where nothing was recorded it is silent
            piece = np.pad(piece, ((0, 0), (gap, 0)))
        if piece.shape[1]:
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", layout)
            frame.sample_rate = _AUDIO_HZ
            written += piece.shape[1]
            yield from target.encode(frame)
    if written:
        yield from target.encode(None)


def _samples(
    asked: _Asked, container: InputContainer, source: AudioStream, resampler: AudioResampler
) -> Iterator[tuple[Fraction, NDArray[np.float32]]]:
    """Yield sound from a span's start on: its time in the file (s), and samples by channel."""
    _seek(container, source, asked.span.start_ms)
    for packet in container.demux(source):
        asked.reached(asked.span.end_ms)
        with suppress(av.FFmpegError):  # what of it is damaged is left out
            for decoded in source.codec_context.decode(packet):
                if decoded.pts is None or decoded.time_base is None:
                    continue
                at = decoded.pts * decoded.time_base
                for frame in resampler.resample(decoded):
                    yield at, frame.to_ndarray().astype(np.float32)
                    at += Fraction(frame.samples, _AUDIO_HZ)


# Files


def copied_from(source: Path, start_ms: int, track: int = 0) -> tuple[int, str]:
    """Return where a copied clip asked for from ``start_ms`` begins (ms), and its suffix.

    Raises MediaError, as where nothing there can be decoded.
    """
    with closing(open_container(source)) as container, _libav_errors():
        tracks = video_tracks(container)
        video = next((item for item in tracks if number_of(container, item) == track), tracks[0])
        clock = StreamClock(video.time_base, container.start_time or 0, video.guessed_rate)
        _seek(container, video, start_ms)
        for packet in container.demux(video):
            shown_ms = clock.pts_ms(packet.pts)
            if packet.is_keyframe and packet.time_base is not None and shown_ms is not None:
                return shown_ms, _suffix(container, video, encoded=False)
    raise CorruptMedia(_NO_START)


def _suffix(container: InputContainer, video: VideoStream, *, encoded: bool) -> str:
    """Return that of a container that players find these codecs in."""
    if encoded:
        return ".mp4"
    streams: list[Stream] = [video, *_sound(container)]
    codecs = {stream.codec_context.codec.canonical_name for stream in streams}
    return ".mp4" if codecs <= _MP4 else ".webm" if codecs <= _WEBM else ".mkv"


def _format(part: Path) -> str:
    return {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}[part.suffix]


def _sound(container: InputContainer) -> list[AudioStream]:
    """Return the audio tracks that can be decoded."""
    contexts: list[tuple[AudioStream, object]] = [
        (stream, stream.codec_context) for stream in container.streams.audio
    ]
    return [stream for stream, context in contexts if context is not None]


@contextmanager
def _part(folder: Path, suffix: str) -> Iterator[Path]:
    """Give a file to write to, removed where it is not renamed; OSErrors become MediaError."""
    part = folder / f".{os.getpid()}.part{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        if is_full(error):
            raise disk_full(folder) from error
        raise MediaError(
            "cannot be cut into {folder}: {reason}", folder=folder, reason=in_words(error)
        ) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _libav_errors() -> Iterator[None]:
    """Turn what libav raises while it reads or writes into MediaError; OSErrors stay."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        raise CorruptMedia("cannot be cut: {reason}", reason=last_words(str(error))) from error
