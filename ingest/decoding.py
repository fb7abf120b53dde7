"""Opening media by what it is, and decoding video: the only module that imports av.

Messages of the errors :func:`open_media` and its result raise are predicates ("is empty"), to be
put after a file's name; :func:`decode_image` and :func:`frame_at` raise whole sentences.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TypeAlias

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from ingest.capture_time.container import container_claims
from ingest.damage import Damage, check_pixels, open_error
from ingest.footage import DecodedFrame, LeastSize, MediaInfo, OpenedMedia
from ingest.keyframes import FrameChooser, KeyframeSelector, SeenFrame
from ingest.pictures import Picture
from ingest.signatures import HEAD_BYTES, kind_of, kind_of_file, refuse_unreadable
from ingest.stream_clock import LAST_PTS_MS, StreamClock
from ingest.stretches import decode_stretches, stretches
from ingest.video_frames import Projector, SeenVideoFrame
from search_core.errors import CorruptMedia, MediaError, UnsupportedMedia

VideoPacket: TypeAlias = "Packet[VideoStream]"

#: Containers of footage. Playlists and the like, which can name other files and addresses, are not
#: among them, and no protocol but the local file is open to what a file refers to.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": (
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,h264,hevc,"
        "ivf,av1,obu,dv,yuv4mpegpipe,mp3,wav,aac,flac,amr"
    ),
}


def open_media(
    path: Path,
    *,
    max_pixels: int,
    max_animation_frames: int = 64,
    least: LeastSize | None = None,
    keep_partial: bool = False,
) -> OpenedMedia:
    """Open an image, animation or video by its content, whatever it is called.

    Raises MediaError: UnsupportedMedia, CorruptMedia or MediaTooLarge.
    """
    kind = kind_of_file(path)
    if kind == "image" or kind == "unknown":
        try:
            return Picture(
                path,
                max_pixels=max_pixels,
                max_animation_frames=max_animation_frames,
                least=least,
                keep_partial=keep_partial,
            )
        except UnsupportedMedia:
            if kind == "image":
                raise
    return Video(path, max_pixels=max_pixels, least=least, known=kind != "unknown")


def listen_to_libav() -> None:
    """Let errors carry libav's last words; nothing is printed. For processes that only decode."""
    av.logging.set_level(av.logging.ERROR)
    libav = logging.getLogger("libav")
    libav.addHandler(logging.NullHandler())
    libav.propagate = False


def decode_image(file: Path | str | bytes, *, max_pixels: int) -> Image.Image:
    """Return an image (of an animation, its first frame) as upright RGB, transparency on white.

    ``file`` is a path or the file's bytes. Raises MediaError with a sentence about it.
    """
    name = "The image" if isinstance(file, bytes) else Path(file).name
    try:
        source: Path | BytesIO
        if isinstance(file, bytes):
            source, kind = BytesIO(file), kind_of(file[:HEAD_BYTES])
            refuse_unreadable(kind, empty=not file)
        else:
            source = Path(file)
            kind = kind_of_file(source)
        if kind == "video":
            hint = "Export a frame of it as a JPEG or PNG."
            raise UnsupportedMedia("is a video, not a picture", hint)
        with closing(Picture(source, max_pixels=max_pixels)) as picture:
            return picture.first().image
    except MediaError as error:
        raise type(error)(f"{name} {error.message}.", error.hint) from error


def frame_at(path: Path | str, pts_ms: int, *, max_pixels: int = 178_956_970) -> Image.Image:
    """Return the frame shown ``pts_ms`` after the start of a video or animation, as upright RGB.

    Raises MediaError with a sentence about the file.
    """
    path = Path(path)
    try:
        with closing(open_media(path, max_pixels=max_pixels)) as media:
            return media.frame_at(pts_ms).image
    except MediaError as error:
        raise type(error)(f"{path.name} {error.message}.", error.hint) from error


class Video:
    """A video file, opened; ``known`` says that it begins as one."""

    def __init__(
        self, path: Path, *, max_pixels: int, least: LeastSize | None = None, known: bool = True
    ) -> None:
        self._max_pixels = max_pixels
        self._least = least
        self.warning = ""
        self.left_out = 0
        try:
            # The prefix keeps a name like "http:x" or "concat:x" from being taken for an address.
            self._container = av.open(
                f"file:{path}", options=dict(_OPEN_OPTIONS), metadata_errors="replace"
            )
        except (av.FFmpegError, OSError) as error:
            raise open_error(error, known) from error
        try:
            self._stream = _video_stream(self._container)
            self._clock = StreamClock(
                self._stream.time_base,
                self._container.start_time or 0,
                self._stream.guessed_rate,
            )
            self._prepare_decoder()
        except BaseException:
            self._container.close()
            raise
        streams = sorted(self._container.streams, key=lambda stream: stream is not self._stream)
        claims = container_claims(
            [self._container.metadata, *(stream.metadata for stream in streams)]
        )
        self.info = MediaInfo("video", self._duration_ms(), claims)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(
        self, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        """Yield the frames the selector wants, in order of time.

        Damaged stretches are left out and told in ``warning``. Raises CorruptMedia when no frame
        could be decoded.
        """
        decoder = _Decoder(self._container, self._stream, self._clock, pulse)
        chooser = selector.chooser()
        shown = False
        for frame in self._projected(decoder, chooser):
            yield frame
            shown = True
        if not shown and not decoder.damage.warning(None):
            # An edit list can leave a video without any codec keyframe that is shown.
            yield self.frame_at(0)
            return
        if not shown:
            raise CorruptMedia(decoder.damage.fatal())
        self.left_out = chooser.left_out
        self.warning = decoder.damage.warning(self._promised_s())

    def part(
        self, selector: KeyframeSelector, start_ms: int, goes_on: Callable[[int, bool], bool]
    ) -> Iterator[DecodedFrame]:
        """Yield what the selector wants from the codec keyframe before ``start_ms`` on.

        ``goes_on`` is told of each packet its time (ms) and whether it is a codec keyframe; once it
        returns False that is the end. To the selector the video begins where decoding does.
        """
        self._seek(start_ms)
        decoder = _Decoder(self._container, self._stream, self._clock, lambda: None, goes_on)
        yield from self._projected(decoder, selector.chooser())

    def _projected(self, decoder: _Decoder, chooser: FrameChooser) -> Iterator[DecodedFrame]:
        projector = self._projector()
        last: SeenVideoFrame | None = None  # held back until it is known how long it stands for
        for seen in _chosen(decoder, chooser):
            if last is not None:
                yield projector.shown(last.frame, last.pts_ms, last.span_ms(seen.pts_ms))
            last = seen
        if last is not None:
            span_ms = last.span_ms(round(decoder.damage.reached_s * 1000))
            yield projector.shown(last.frame, last.pts_ms, span_ms)

    def frame_at(self, pts_ms: int) -> DecodedFrame:
        """Return the last frame shown at or before ``pts_ms``, or the first there is after it."""
        self._seek(pts_ms)
        best: tuple[int, VideoFrame] | None = None
        decoder = _Decoder(self._container, self._stream, self._clock, lambda: None)
        for frame in decoder.all_frames():
            at_ms = decoder.shown_ms(frame)
            if at_ms is None or (best is not None and at_ms > pts_ms):
                break
            best = (at_ms, frame)
            if at_ms >= pts_ms:
                break
        if best is None:
            raise CorruptMedia("is damaged: no frame could be decoded there")
        return self._projector().shown(best[1], best[0])

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
        if self._stream.duration and self._stream.time_base:
            return float(self._stream.duration * self._stream.time_base)
        alone = len(self._container.streams) == 1
        return (
            self._container.duration / av.time_base if alone and self._container.duration else None
        )

    def packet_times(self) -> Iterator[int]:
        """Yield the decoding times of packets in stored order, in milliseconds; decodes nothing."""
        try:
            for packet in self._container.demux(self._stream):
                stamp = packet.dts if packet.dts is not None else packet.pts
                if stamp is not None and packet.time_base is not None:
                    yield round(1000 * stamp * packet.time_base)
        except (av.FFmpegError, OSError):
            return

    def _duration_ms(self) -> int:
        duration_us = self._container.duration or round((self._promised_s() or 0) * av.time_base)
        return min(max(0, round(duration_us / 1000)), LAST_PTS_MS)


def _chosen(decoder: _Decoder, chooser: FrameChooser) -> Iterator[SeenVideoFrame]:
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


class _Decoder:
    """Packets to frames, past damaged ones.

    Instead of asking the codec to skip frames, only packets that are wanted are given to it.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: StreamClock,
        pulse: Callable[[], None],
        goes_on: Callable[[int, bool], bool] = lambda time_ms, is_keyframe: True,
    ) -> None:
        self._goes_on = goes_on
        self._container = container
        self._stream = stream
        self._clock = clock
        self._context = stream.codec_context
        self._pulse = pulse
        self.damage = Damage()

    def all_frames(self) -> Iterator[VideoFrame]:
        """Yield all frames from where the file is now."""
        for packet in self.packets():
            yield from self.decode(packet)
        yield from self.drain()

    def time_ms(self, packet: VideoPacket) -> int | None:
        """Return when a packet's frame is shown, None where the packet does not say."""
        return self._clock.pts_ms(packet.pts)

    def shown_ms(self, frame: VideoFrame) -> int | None:
        """Return when a frame is shown, None for a time that makes no sense."""
        return self._clock.pts_ms(frame.pts)

    def packets(self) -> Iterator[VideoPacket]:
        """Yield the packets up to the end, or to where nothing can be read any more."""
        packets = self._container.demux(self._stream)
        for number in count():
            self._pulse()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self.damage.stop(str(error))
                return
            if packet is None or packet.size == 0:
                return
            if packet.pts is None and packet.dts is None:
                packet.pts = self._clock.steady_pts(number)
            if not self._goes_on(self.time_ms(packet) or 0, packet.is_keyframe):
                return
            self.damage.reached_s = max(self.damage.reached_s, self._end_s(packet) or 0.0)
            yield packet

    def _end_s(self, packet: VideoPacket) -> float | None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return self._clock.end_s(stamp, packet.duration)

    def decode(self, packet: VideoPacket | None) -> Iterator[VideoFrame]:
        """Yield the frames that come out after a packet, or, for None, all that are left."""
        self._pulse()
        try:
            yield from self._context.decode(packet)
        except av.error.EOFError:
            return
        except av.FFmpegError as error:
            end_s = self._end_s(packet) if packet is not None else None
            self.damage.leave_out(self.damage.reached_s if end_s is None else end_s, str(error))

    def drain(self) -> Iterator[VideoFrame]:
        """Yield what the codec still holds, and make it ready for a fresh start."""
        yield from self.decode(None)
        self._context.flush_buffers()


def _video_stream(container: InputContainer) -> VideoStream:
    """Return the video stream to decode: libav's choice, or else the largest; never a cover."""
    pictures = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not streams:
        only_audio = ", only audio" if container.streams.audio else ""
        raise UnsupportedMedia(f"has no video stream{only_audio}")
    best = container.streams.best("video")
    return max(streams, key=lambda stream: (stream == best, stream.width * stream.height))
