"""Packets of a video stream to frames, past damaged ones, and those as they are meant to be seen.

They are seen with their pixel shape, then rotated or mirrored; those who choose keyframes see them
at low resolution.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import cache
from itertools import count, islice
from typing import Any, Literal, cast

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ingest.media.base import (
    SMALL_HEIGHT,
    SMALL_WIDTH,
    DecodedFrame,
    LeastSize,
    Mask,
    SmallPicture,
)
from ingest.media.damage import (
    ENCRYPTED,
    Damage,
    last_words,
)
from ingest.media.video.container import (
    VideoPacket,
    has_encrypted_frame,
)
from ingest.media.video.timestamps import StreamClock, Timeline, may_jump
from search_core.errors import CorruptMedia, UnsupportedMedia


class Decoder:
    """Packets to frames, past damaged ones.

    Instead of asking the codec to skip frames, only packets that are wanted are given to it.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: StreamClock,
        timeline: Timeline,
        pulse: Callable[[], None],
        goes_on: Callable[[int, bool], bool],
        unread: int | None,
    ) -> None:
        self._unread = unread
        self._goes_on = goes_on
        self._container = container
        self._stream = stream
        self._clock = clock
        self._timeline = timeline
        self._context = stream.codec_context
        self._pulse = pulse
        self.damage = Damage()
        #: The byte after the last packet that was read.
        self.read_to = 0

    @property
    def jumps_ms(self) -> list[int]:
        """Where the timestamps jumped so far, in the positions that are counted on."""
        found = (self._clock.pts_ms(jump) for jump in self._timeline.jumps)
        return [jump for jump in found if jump is not None]

    def all_frames(self, skipped: int = 0) -> Iterator[VideoFrame]:
        """Yield all frames from where the file is now, but of the first ``skipped`` packets."""
        for packet in islice(self.packets(), skipped, None):
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
        last_is_partial = False
        for number in count():
            self._pulse()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self.damage.stop(str(error))
                return
            if packet is None or packet.size == 0:
                # libav gives what it could read of the last packet of a file that was cut short.
                self.damage.ends_early = last_is_partial and not may_jump(self._container)
                return
            last_is_partial = packet.is_corrupt
            if packet.pts is None and packet.dts is None:
                packet.pts = self._clock.steady_pts(number)
            jumps = len(self._timeline.jumps)
            at = packet.pos if packet.pos is not None else -1
            if self._unread is not None and at >= self._unread:
                return  # the first file's header does not describe it
            self._timeline.place(packet)
            if len(self._timeline.jumps) > jumps and 0 <= at < self.read_to:
                self._timeline.jumps.pop()
                return  # the index of a second file, which points into the first
            if packet.is_keyframe and has_encrypted_frame(packet):
                self._refuse_encrypted()
                return
            if not self._goes_on(self.time_ms(packet) or 0, packet.is_keyframe):
                return
            self.read_to = at + packet.size
            self.damage.reached_s = max(self.damage.reached_s, self._end_s(packet) or 0.0)
            yield packet

    def _refuse_encrypted(self) -> None:
        """Stop at an encrypted packet; raise UnsupportedMedia at the first one."""
        if not self.read_to:
            raise UnsupportedMedia(ENCRYPTED)
        self.damage.stop_encrypted()

    def _end_s(self, packet: VideoPacket) -> float | None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return self._clock.end_s(stamp, packet.duration)

    def decode(self, packet: VideoPacket | None) -> Iterator[VideoFrame]:
        """Yield the frames that come out after a packet, or, for None, all that are left."""
        self._pulse()
        if packet is not None and packet.is_discard and self._timeline.jumps:
            packet = _shown(packet)
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


def _shown(packet: VideoPacket) -> VideoPacket:
    """Return a packet whose frame is shown.

    libav marks what begins at a time that is past as not to be shown: a second file's first frames.
    """
    copy = cast("VideoPacket", av.Packet(bytes(packet)))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
    return copy


_Turn = Image.Transpose
#: The signs of a display matrix's a, b, c, d (x' = ax + cy, y' = bx + dy, y downwards).
_OPERATIONS: dict[tuple[int, int, int, int], Image.Transpose] = {
    (-1, 0, 0, -1): _Turn.ROTATE_180,
    (0, 1, -1, 0): _Turn.ROTATE_270,  # Pillow turns anticlockwise: this is a quarter clockwise
    (0, -1, 1, 0): _Turn.ROTATE_90,
    (-1, 0, 0, 1): _Turn.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): _Turn.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): _Turn.TRANSPOSE,
    (0, -1, -1, 0): _Turn.TRANSVERSE,
}
_MATRIX = struct.Struct("=9i")
_ONE = 1 << 16
#: Beyond this a pixel shape is a broken header, not an anamorphic lens.
_MOST_STRETCH = 8


def display_operation(matrix: bytes | None) -> Image.Transpose | None:
    """Return what turns a frame upright, from libav's 3x3 display matrix (nine 16.16 int32).

    None when there is nothing to do, or for angles that are no quarter turns.
    """
    if matrix is None or len(matrix) < _MATRIX.size:
        return None
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    a_sign, b_sign, c_sign, d_sign = (round(value / _ONE) for value in (a, b, c, d))
    return _OPERATIONS.get((a_sign, b_sign, c_sign, d_sign))


def square_size(width: int, height: int, pixel_shape: Fraction | None) -> tuple[int, int]:
    """Return (width, height) that shows the frame with square pixels, never smaller than it is."""
    if not pixel_shape or pixel_shape <= 0 or pixel_shape == 1:
        return width, height
    if not 1 <= max(pixel_shape, 1 / pixel_shape) <= _MOST_STRETCH:
        return width, height
    if pixel_shape > 1:
        return round(width * pixel_shape), height
    return width, round(height / pixel_shape)


Transfer = Literal["pq", "hlg"]

#: Points per side of the table that colours are looked up in, and interpolated.
_SIDE = 65
#: Diffuse white (ITU-R BT.2408), which becomes the white of the picture but for a little room.
_WHITE_NITS = 203.0
#: Linear light up to here is shown as it is; what is brighter is rolled off.
_KNEE = 0.8
#: BT.2020 to BT.709 primaries (ITU-R BT.2087).
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def tone_mapped(image: Image.Image, transfer: Transfer) -> Image.Image:
    """Return RGB in BT.2020 coded with PQ (SMPTE ST 2084) or HLG (ARIB STD-B67) as sRGB."""
    return image.filter(_table(transfer))


@cache
def _table(transfer: Transfer) -> ImageFilter.Color3DLUT:
    steps = np.linspace(0.0, 1.0, _SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    coded = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    nits = _nits_of_pq(coded) if transfer == "pq" else _nits_of_hlg(coded)
    light = np.maximum(0.0, nits / _WHITE_NITS @ _TO_709.T)
    brightest = np.maximum(light.max(axis=1, keepdims=True), 1e-9)
    room = 1.0 - _KNEE
    rolled_off = _KNEE + room * (1.0 - np.exp(-np.maximum(0.0, brightest - _KNEE) / room))
    light *= np.where(brightest > _KNEE, rolled_off, brightest) / brightest
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return ImageFilter.Color3DLUT(_SIDE, np.clip(srgb, 0.0, 1.0).astype(np.float32).ravel())


def _nits_of_pq(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light that PQ codes, in candela per square metre (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = coded ** (1 / m2)
    return np.asarray(10_000.0 * (np.maximum(0.0, power - c1) / (c2 - c3 * power)) ** (1 / m1))


def _nits_of_hlg(coded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light that HLG codes on a screen of 1000 cd/m2, gamma 1.2 (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(coded <= 0.5, coded**2 / 3.0, (np.exp((coded - c) / a) + b) / 12.0)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(1_000.0 * luminance[:, None] ** 0.2 * scene)


_HIGH_RANGE: dict[int, Transfer] = {
    int(ColorTrc.SMPTE2084): "pq",
    int(ColorTrc.ARIB_STD_B67): "hlg",
}


class Projector:
    """Makes pictures of one video's frames: upright, with square pixels, in RGB.

    ``most_pixels`` bounds what stretching pixels may make of them, ``least`` how small they may be.
    """

    def __init__(
        self, pixel_shape: Fraction | None, most_pixels: int, least: LeastSize | None = None
    ) -> None:
        self._pixel_shape = pixel_shape
        self._most_pixels = most_pixels
        self._least = least
        self._upright: tuple[int, Image.Transpose | None] | None = None
        self._to_rgb = VideoReformatter()  # one for all frames: setting one up costs more

    def shown(
        self, frame: VideoFrame, pts_ms: int, span_ms: int = 0, foreground: Mask | None = None
    ) -> DecodedFrame:
        """Return the picture of a frame; raises CorruptMedia when there can be none.

        ``foreground`` is that of the frame as it is stored.
        """
        try:
            image = self._rgb(_deinterlaced(frame))
        except (av.FFmpegError, ValueError) as error:
            raise not_shown(error) from error
        transfer = _HIGH_RANGE.get(int(frame.color_trc or 0))
        if transfer is not None:
            image = tone_mapped(image, transfer)
        square = square_size(image.width, image.height, self._pixel_shape)
        if square != image.size and square[0] * square[1] <= self._most_pixels:
            image = image.resize(square, Image.Resampling.BICUBIC)
        operation = self._operation(frame)
        if operation is not None:
            image = image.transpose(operation)
            foreground = None if foreground is None else turned(foreground, operation)
        small = self._least.reduced(image) if self._least else image
        size = image.width, image.height
        return DecodedFrame(pts_ms, *size, small, span_ms, foreground=foreground)

    def _operation(self, frame: VideoFrame) -> Image.Transpose | None:
        """Return what turns the frame upright.

        A frame whose side data was asked for is in a cycle with it, and would stay in memory until
        the garbage collector comes by; so it is asked for only when the rotation has changed.
        """
        rotation = frame.rotation
        if self._upright is None or self._upright[0] != rotation:
            matrix: Any = frame.side_data.get("DISPLAYMATRIX")
            operation = display_operation(bytes(matrix) if matrix is not None else None)
            self._upright = rotation, operation
        return self._upright[1]

    def _rgb(self, frame: VideoFrame) -> Image.Image:
        # libav converts by the frame's own matrix and range (BT.601 where it names none).
        rgb = self._to_rgb.reformat(frame, format="rgb24", threads=1)
        plane: Any = rgb.planes[0]
        size, line_bytes = (rgb.width, rgb.height), plane.line_size
        return Image.frombuffer("RGB", size, plane, "raw", "RGB", line_bytes, 1)


class SeenVideoFrame:
    """A decoded frame, as choosers see it: :class:`ingest.media.base.SeenFrame`."""

    __slots__ = ("_picture", "_reformatter", "ends_ms", "foreground", "frame", "pts_ms")

    def __init__(self, frame: VideoFrame, pts_ms: int, reformatter: VideoReformatter) -> None:
        self.frame = frame
        self.pts_ms = pts_ms
        self.ends_ms: int | None = None
        self.foreground: Mask | None = None
        self._reformatter = reformatter
        self._picture: SmallPicture | None = None

    @property
    def is_keyframe(self) -> bool:
        """Whether the codec made it to stand for itself."""
        return bool(self.frame.key_frame)

    def small(self) -> SmallPicture:
        """The frame at low resolution."""
        if self._picture is None:
            try:
                scaled = self._reformatter.reformat(
                    self.frame,
                    SMALL_WIDTH,
                    SMALL_HEIGHT,
                    format="rgb24",
                    interpolation=Interpolation.AREA,
                    threads=1,
                )
                self._picture = np.asarray(scaled.to_ndarray(), np.uint8)
            except (av.FFmpegError, ValueError) as error:
                raise not_shown(error) from error
        return self._picture

    def span_ms(self, until_ms: int) -> int:
        """Return how long it stands for what is shown, if the next keyframe is at ``until_ms``."""
        ends_ms = until_ms if self.ends_ms is None else min(until_ms, self.ends_ms)
        return max(0, ends_ms - self.pts_ms)


def turned(mask: Mask, operation: Image.Transpose) -> Mask:
    """Return a mask of a stored frame as one of the frame turned upright, in as many blocks."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).transpose(operation)
    return np.asarray(image.resize((SMALL_WIDTH, SMALL_HEIGHT), Image.Resampling.BOX)) > 0


def not_shown(error: Exception) -> CorruptMedia:
    """Return what libav's refusal to convert a frame means."""
    return CorruptMedia("has frames that cannot be shown: {reason}", reason=last_words(str(error)))


def _deinterlaced(frame: VideoFrame) -> VideoFrame:
    """Return a frame of two fields as one picture of its first, other frames as they are.

    libavfilter's estdif fills in the other field along edges, from this frame alone.
    """
    if not frame.interlaced_frame:
        return frame
    with suppress(av.FFmpegError, ValueError):  # in formats the filter does not know, combed
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, 1000),
        )
        filter_, sink = graph.add("estdif", "mode=frame"), graph.add("buffersink")
        source.link_to(filter_)
        filter_.link_to(sink)
        graph.configure()
        graph.push(frame)
        graph.push(None)
        picture = graph.pull()
        if isinstance(picture, VideoFrame):
            return picture
    return frame
