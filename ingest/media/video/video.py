"""A video file, opened: the frames a selector wants of it, and the frame at a position.

Messages of the errors it raises are predicates ("is empty"), to be put after a file's name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import av.logging
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ingest.media.base import (
    DecodedFrame,
    FrameChooser,
    KeyframeSelector,
    LeastSize,
    MediaInfo,
    SeenFrame,
)
from ingest.media.capture_time.metadata import container_claims
from ingest.media.damage import (
    ENCRYPTED,
    check_pixels,
    jump_note,
    lost_note,
    rate_note,
    unread_note,
)
from ingest.media.video.container import (
    JoinedMp4,
    is_cut_short,
    is_encrypted,
    is_mp4,
    joined_mp4,
    number_of,
    open_container,
    undecodable_tracks,
    unread_recording,
    video_tracks,
)
from ingest.media.video.frames import Decoder, Projector, SeenVideoFrame
from ingest.media.video.gop import decode_stretches, stretches
from ingest.media.video.timestamps import (
    LAST_PTS_MS,
    StreamClock,
    Timeline,
    has_no_timestamps,
    may_jump,
    true_extent,
)
from search_core.errors import CorruptMedia, MediaError, UnsupportedMedia
from search_core.messages import Message, joined

#: 16 kbit/s: less than recorders write of a view in which nothing moves.
_LEAST_BYTES_PER_S = 2_000
#: A gap between frames longer than so many usual ones is a jump of timestamps, not footage.
_MOST_STEPS = 100
#: How long packets are read to tell how much footage there is.
_FOOTAGE_S = 5.0


class Video:
    """A video file, opened; ``known`` says that it begins as one.

    ``track`` is the video track to decode: None for all, 0 for the main one, else its number.
    ``format_name`` is its demuxer, where content alone does not say which.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_pixels: int,
        least: LeastSize | None = None,
        known: bool = True,
        track: int | None = None,
        format_name: str | None = None,
    ) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._least = least
        self.warning = ""
        self.left_out = 0
        self._container = open_container(path, known=known, format_name=format_name)
        try:
            self._choose_track(track)
            if is_encrypted(path, self._container):
                raise UnsupportedMedia(ENCRYPTED)
            self._clock = StreamClock(
                self._stream.time_base,
                self._container.start_time or 0,
                self._stream.guessed_rate,
            )
            self._joined = joined_mp4(path) if is_mp4(self._container) else JoinedMp4()
            self._extent = true_extent(path, self._container, self._stream)
            self._prepare_decoder()
        except BaseException:
            self._container.close()
            raise
        streams = sorted(self._container.streams, key=lambda stream: stream is not self._stream)
        claims = container_claims(
            [self._container.metadata, *(stream.metadata for stream in streams)]
        )
        self.info = MediaInfo("video", self._duration_ms(), claims, 1 + len(self._others))

    def _choose_track(self, track: int | None) -> None:
        """Choose the stream to decode, and the numbers of those to decode after it."""
        self._track = track or 0
        main, *others = video_tracks(self._container)
        numbers = {number_of(self._container, stream): stream for stream in others}
        if track and track not in numbers:
            raise CorruptMedia("has no video track {track}", track=track)
        self._stream = numbers[track] if track else main
        self._others = sorted(numbers) if track is None else []

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(
        self, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        """Yield the frames the selector wants, in order of time.

        The frames of other tracks come after those of the main one. Damaged parts are left out and
        told in ``warning``. Raises CorruptMedia when no frame could be decoded.
        """
        yield from self._own_frames(selector, pulse)
        for number in undecodable_tracks(self._container):
            self._note(
                Message("video track {number} has a coding that cannot be decoded", number=number)
            )
        for number in self._others:
            yield from self._frames_of_track(number, selector, pulse)

    def _frames_of_track(
        self, number: int, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        try:
            with closing(self._again(number)) as other:
                yield from other.frames(selector, pulse)
        except MediaError as error:
            self._note(
                Message("video track {number} {reason}", number=number, reason=error.message)
            )
            return
        self.left_out += other.left_out
        if other.warning:
            self._note(
                Message("video track {number} {reason}", number=number, reason=other.warning)
            )

    def _note(self, text: str) -> None:
        self.warning = joined(self.warning, text)

    def _own_frames(
        self, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        """Yield the frames of this track."""
        decoder = self._decoder(self._container, pulse)
        chooser = selector.chooser()
        shown = False
        for frame in self._projected(decoder, chooser):
            yield replace(frame, track=self._track) if self._track else frame
            shown = True
        if not shown and not decoder.damage.warning(None):
            # An edit list can leave a video without any codec keyframe that is shown.
            with closing(self._again(self._track)) as again:
                yield again.frame_at(0)
            return
        if not shown:
            raise CorruptMedia(decoder.damage.fatal())
        self.left_out = chooser.left_out
        self._note(self._notes_on(decoder))

    def _notes_on(self, decoder: Decoder) -> str:
        """Return what was wrong with this track, once all of it was read."""
        damage = decoder.damage
        damage.ends_early |= is_cut_short(self._path, self._container)
        start_s = (self._container.start_time or 0) / av.time_base
        assumed = has_no_timestamps(self._container) and not self._stream.codec_context.framerate
        return joined(
            rate_note(self._stream.guessed_rate) if assumed else "",
            jump_note(decoder.jumps_ms),
            damage.warning(None if decoder.jumps_ms else self._promised_s(), start_s),
            lost_note(self._joined.lost),
            unread_note(self._joined.unread or unread_recording(self._path, decoder.read_to)),
        )

    def _again(self, track: int) -> Video:
        """Return the same file opened again, for one of its tracks."""
        return Video(self._path, max_pixels=self._max_pixels, least=self._least, track=track)

    def part(
        self, selector: KeyframeSelector, start_ms: int, goes_on: Callable[[int, bool], bool]
    ) -> Iterator[DecodedFrame]:
        """Yield what the selector wants from the codec keyframe before ``start_ms`` on.

        ``goes_on`` receives each packet's time (ms) and whether it is a codec keyframe; once it
        returns False that is the end. To the selector the video begins where decoding does.
        """
        self._seek(start_ms)
        decoder = self._decoder(self._container, goes_on=goes_on)
        yield from self._projected(decoder, selector.chooser())

    def _projected(self, decoder: Decoder, chooser: FrameChooser) -> Iterator[DecodedFrame]:
        projector = self._projector()
        last: SeenVideoFrame | None = None  # held back until it is known how long it stands for
        for seen in _chosen(decoder, chooser):
            if last is not None:
                span_ms = last.span_ms(seen.pts_ms)
                yield projector.shown(last.frame, last.pts_ms, span_ms, last.foreground)
            last = seen
        if last is not None:
            span_ms = last.span_ms(round(decoder.damage.reached_s * 1000))
            yield projector.shown(last.frame, last.pts_ms, span_ms, last.foreground)

    def frame_at(self, pts_ms: int) -> DecodedFrame:
        """Return the last frame shown at or before ``pts_ms``, or the first there is after it."""
        best: tuple[int, VideoFrame] | None = None
        decoder, skipped = self._decoder_from(pts_ms)
        for frame in decoder.all_frames(skipped):
            at_ms = decoder.shown_ms(frame)
            if at_ms is None or (best is not None and at_ms > pts_ms):
                break
            best = (at_ms, frame)
            if at_ms >= pts_ms:
                break
        if best is None:
            raise CorruptMedia("is damaged: no frame could be decoded there")
        return self._projector().shown(best[1], best[0])

    def between(self, start_ms: int, end_ms: int) -> Iterator[DecodedFrame]:
        """Yield every frame that is shown from ``start_ms`` up to ``end_ms``, in order of time.

        The first is the one that is on show at ``start_ms``.
        """
        decoder, skipped = self._decoder_from(start_ms)
        projector = self._projector()
        on_show: VideoFrame | None = None
        for frame in decoder.all_frames(skipped):
            at_ms = decoder.shown_ms(frame)
            if at_ms is None:
                continue
            if at_ms <= start_ms:
                on_show = frame
                continue
            if at_ms >= end_ms:
                break
            if on_show is not None:
                yield projector.shown(on_show, start_ms)
                on_show = None
            yield projector.shown(frame, at_ms)
        if on_show is not None:
            yield projector.shown(on_show, start_ms)

    def _decoder_from(self, pts_ms: int) -> tuple[Decoder, int]:
        """Go to the codec keyframe for a position; return the decoder, and how much it skips."""
        skipped = 0
        if may_jump(self._container) or (self._extent and self._extent.jumps):
            skipped = self._packets_before(pts_ms)
        else:
            self._seek(pts_ms)
        return self._decoder(self._container), skipped

    def _packets_before(self, pts_ms: int) -> int:
        """Return how many packets come before the codec keyframe to decode from for a position.

        Where timestamps may repeat one cannot seek by them: all packets up to there are read.
        """
        found = 0
        with closing(open_container(self._path)) as container:
            decoder = self._decoder(container)
            for number, packet in enumerate(decoder.packets()):
                if packet.is_keyframe:
                    at_ms = decoder.time_ms(packet)
                    if at_ms is not None and at_ms > pts_ms:
                        break
                    found = number
        return found

    def _decoder(
        self,
        container: InputContainer,
        pulse: Callable[[], None] = lambda: None,
        goes_on: Callable[[int, bool], bool] = lambda time_ms, is_keyframe: True,
    ) -> Decoder:
        stream = container.streams[self._stream.index]
        assert isinstance(stream, VideoStream)
        timeline = Timeline(stream.time_base, may_jump_ahead=may_jump(container))
        unread = self._joined.unread
        return Decoder(container, stream, self._clock, timeline, pulse, goes_on, unread)

    def _seek(self, pts_ms: int) -> None:
        start_us = self._container.start_time or 0
        with suppress(av.FFmpegError):  # where one cannot seek, decoding starts at the beginning
            self._container.seek(start_us + max(0, pts_ms) * 1000)

    def _prepare_decoder(self) -> None:
        stream, context = self._stream, self._stream.codec_context
        check_pixels(stream.width, stream.height, self._max_pixels)
        # libav itself refuses frames above this before it allocates them.
        context.options = {"max_pixels": str(self._max_pixels)}
        context.thread_count = 1  # processes run side by side; threads would only delay frames

    def _projector(self) -> Projector:
        return Projector(self._stream.sample_aspect_ratio, self._max_pixels, self._least)

    def _promised_s(self) -> float | None:
        """Return how long the header says that this stream is, where it says so."""
        if not self._stream.time_base:
            return None
        if self._container.format.name == "avi" and self._stream.frames:
            # libav shortens the duration of a file that was cut short.
            return float(self._stream.frames * self._stream.time_base)
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        alone = len(self._container.streams) == 1
        return (
            self._container.duration / av.time_base if alone and self._container.duration else None
        )

    def _duration_ms(self) -> int:
        """Return how long the video is: no frame of it is shown later.

        That is the length that is stored, and positions in it are what is played.
        """
        if self._extent is not None:
            length_s = self._clock.end_s(self._extent.end, 0)
        elif self._container.duration:
            length_s = self._container.duration / av.time_base
        else:
            length_s = self._promised_s()
        return min(max(0, round((length_s or 0) * 1000)), LAST_PTS_MS)

    def footage_ms(self) -> int:
        """Return how much of the duration is footage, as far as the file's size makes one doubt it.

        Not the same as how long the video is: where one frame's timestamp lies hours after the one
        before it, in a container in which that is how long a frame is shown, positions do go on
        there, but there are no hours of frames to be decoded. The frames themselves tell then: so
        many, at the rate of most of them. Reads packets: nothing else can be asked afterwards.
        """
        duration_ms = self.info.duration_ms
        if self._path.stat().st_size >= duration_ms * _LEAST_BYTES_PER_S // 1000:
            return duration_ms
        until_s = time.monotonic() + _FOOTAGE_S
        times_ms: list[int] = []
        for time_ms in self._packet_times():
            times_ms.append(time_ms)
            if time.monotonic() > until_s:
                return duration_ms
        steps = [after - before for before, after in pairwise(times_ms)]
        usual_ms = sorted(steps)[len(steps) // 2] if steps else 0
        even = [step if 0 <= step <= _MOST_STEPS * usual_ms else usual_ms for step in steps]
        return min(duration_ms, sum(even) + usual_ms)

    def _packet_times(self) -> Iterator[int]:
        """Yield the decoding times of packets in stored order, in milliseconds."""
        with suppress(av.FFmpegError, OSError):
            for packet in self._container.demux(self._stream):
                stamp = packet.dts if packet.dts is not None else packet.pts
                if stamp is not None and packet.time_base is not None:
                    yield round(1000 * stamp * packet.time_base)


def _chosen(decoder: Decoder, chooser: FrameChooser) -> Iterator[SeenVideoFrame]:
    """Yield the chosen frames in order of time, none twice."""
    reformatter = VideoReformatter()
    taken: set[int] = set()

    def fresh(frames: Iterable[SeenFrame]) -> Iterator[SeenVideoFrame]:
        for frame in frames:
            assert isinstance(frame, SeenVideoFrame)
            if frame.pts_ms not in taken:
                taken.add(frame.pts_ms)
                yield frame

    found = stretches(decoder.packets(), decoder.time_ms)
    for frame in decode_stretches(found, chooser.depth, decoder, decoder.shown_ms):
        pts_ms = decoder.shown_ms(frame)
        if pts_ms is not None:
            yield from fresh(chooser.offer(SeenVideoFrame(frame, pts_ms, reformatter)))
    yield from fresh(chooser.finish())
