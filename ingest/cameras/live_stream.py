"""Reading a live camera with little delay: packets in, pictures out; imports av.

Frames are kept that differ from the last that was kept: what enters, moves or leaves makes a
keyframe; what stays, such as a parked car, makes no more.

Messages of the errors raised here are predicates about the camera ("refuses the connection"), and
are made here, word for word: libav's own name the address, password and all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from ingest.media.damage import check_pixels
from ingest.media.video.frames import square_size
from search_core.errors import MediaError
from search_core.messages import Message
from search_core.system.machine import now_ms

Grey = NDArray[np.uint8]

#: Frames are compared at this width: each cell averages away the noise of some 60 pixels of a
#: 640 x 360 picture, and a person far off still fills several.
GREY_WIDTH_PX = 80
#: Keyframes are at least this far apart, and twice that while something goes on moving: what is
#: seen for two seconds has one in any case.
SPACING_MS = 1_000
BUSY_SPACING_MS = 2_000
#: A view that never changes is kept this often, so that it can be found at all.
HEARTBEAT_MS = 300_000

_LEAST_STEP = 10.0  # grey levels
_MOST_STEP = 40.0
_NOISE_FACTOR = 5.0
_MOVED_SHARE = 0.0015
_BUSY_FOR_MS = 3_000
_NOISE_S, _DRIFT_S = 30.0, 60.0


class MotionGate:
    """Asked about each frame in order of time; keeps a small grey picture of the last one taken.

    ``foreground`` is what of the frame taken last differs from both taken before it: where a thing
    was in the last one it is gone by now, and that is as it was in the one before.
    """

    def __init__(self) -> None:
        self.foreground: NDArray[np.bool_] = np.zeros((1, 1), np.bool_)
        self._kept_before: NDArray[np.float32] | None = None
        self._kept: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None
        self._noise: NDArray[np.float32] | None = None
        self._looked_ms = self._kept_ms = self._quiet_ms = 0

    def wants(self, grey: Grey, at_ms: int) -> bool:
        """Whether the frame at ``at_ms``, small and grey (height, width), is to be kept."""
        now = grey.astype(np.float32)
        if self._kept is None or self._kept.shape != now.shape or at_ms < self._looked_ms:
            self._noise = np.zeros_like(now)
            self._quiet_ms = at_ms
            return self._keep(now, at_ms)
        moved = self._has_moved(now, (at_ms - self._looked_ms) / 1000)
        self._looked_ms = at_ms
        if not moved:
            self._quiet_ms = at_ms
        busy = at_ms - self._quiet_ms > _BUSY_FOR_MS
        wait_ms = (BUSY_SPACING_MS if busy else SPACING_MS) if moved else HEARTBEAT_MS
        return at_ms - self._kept_ms >= wait_ms and self._keep(now, at_ms)

    def _keep(self, now: NDArray[np.float32], at_ms: int) -> bool:
        self.foreground = self._unlike_before(now)
        self._kept_before = self._kept
        self._kept, self._before = now.copy(), now
        self._looked_ms = self._kept_ms = at_ms
        return True

    def _unlike_before(self, now: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which cells differ from those of both frames that were taken before."""
        if self._kept is None or self._kept.shape != now.shape or self._noise is None:
            return np.zeros(now.shape, np.bool_)
        before = self._kept_before
        unlike = self._is_unlike(now, self._kept)
        if before is not None and before.shape == now.shape:
            unlike &= self._is_unlike(now, before)
        return unlike

    def _is_unlike(self, now: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
        assert self._noise is not None
        least = np.clip(_NOISE_FACTOR * self._noise, _LEAST_STEP, _MOST_STEP)
        unlike: NDArray[np.bool_] = np.abs(_evened(now - other)) > least
        return unlike

    def _has_moved(self, now: NDArray[np.float32], elapsed_s: float) -> bool:
        """Compare with the last keyframe; learn the noise of each cell and how the light drifts."""
        assert self._kept is not None and self._before is not None and self._noise is not None
        step = _evened(now - self._before)
        self._before = now
        # What flickers or sways all the time is noise of its place.
        self._noise += (np.minimum(np.abs(step), _MOST_STEP) - self._noise) * _share(
            elapsed_s, _NOISE_S
        )
        is_moved = self._is_unlike(now, self._kept)
        still = ~is_moved
        self._kept[still] += ((now - self._kept) * _share(elapsed_s, _DRIFT_S))[still]
        return float(is_moved.mean()) >= _MOVED_SHARE


def _evened(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a difference without what all of the picture has in common: exposure, a lamp."""
    return difference - np.float32(np.median(difference))


def _share(elapsed_s: float, time_constant_s: float) -> np.float32:
    return np.float32(1.0 - np.exp(-elapsed_s / time_constant_s))


#: How long the smallest delay seen counts: longer than bursts last, shorter than clocks drift.
_WINDOW_MS = 30_000
#: B-frames come after the frames they are shown before; further back is another clock.
_REORDERED_MS = 1_000


class LiveClock:
    """Places frames in wall-clock time by this machine's clock; cameras' own are often wrong.

    A frame cannot arrive before it was made, so the frame that arrived with the least delay fixes
    when the others were made; what they are late by is the lag.
    """

    def __init__(self) -> None:
        self._last_stamp_ms: float | None = None
        self._last_captured_ms = 0
        self._window_began_ms = 0
        self._least_now = self._least_before = float("inf")

    def place(self, stamp_s: float | None, now_ms: int) -> tuple[int, int]:
        """Return (captured_at, lag), in milliseconds, of a frame that arrived at ``now_ms``.

        ``stamp_s`` is its time stamp in seconds from anywhere. Times always increase, unless this
        machine's clock is set back by more than 30 s.
        """
        if stamp_s is None:
            return self._increasing(now_ms, now_ms), 0
        stamp_ms = stamp_s * 1000
        if self._last_stamp_ms is not None and stamp_ms < self._last_stamp_ms - _REORDERED_MS:
            self._least_now = self._least_before = float("inf")  # the camera began anew
        self._last_stamp_ms = stamp_ms
        if not 0 <= now_ms - self._window_began_ms < _WINDOW_MS:
            self._least_before, self._least_now = self._least_now, float("inf")
            self._window_began_ms = now_ms
        self._least_now = min(self._least_now, now_ms - stamp_ms)
        captured_ms = round(stamp_ms + min(self._least_now, self._least_before))
        return self._increasing(captured_ms, now_ms), max(0, now_ms - captured_ms)

    def _increasing(self, captured_ms: int, now_ms: int) -> int:
        # No frame was placed after its arrival, so that the last one lies after now only where this
        # machine's clock was set back. The camera's stamps say nothing about that.
        set_back = self._last_captured_ms - now_ms >= _WINDOW_MS
        if captured_ms <= self._last_captured_ms and not set_back:
            captured_ms = self._last_captured_ms + 1
        self._last_captured_ms = captured_ms
        return captured_ms


VideoPacket: TypeAlias = "Packet[VideoStream]"

#: More frames than this in a second show nothing more; they are decoded and not looked at.
_LEAST_STEP_MS = 190
#: Reading that is further behind drops frames until it has caught up.
_MOST_LAG_MS, _CAUGHT_UP_MS = 1_000, 300
_OPTIONS = {
    "protocol_whitelist": "rtsp,rtp,srtp,tcp,udp,tls",
    # The stream's description says most of it: a second of footage is enough to know the rest.
    "analyzeduration": "1000000",
    "probesize": "500000",
    "fpsprobesize": "0",
    "reorder_queue_size": "64",
    "max_delay": "200000",
}


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A frame just decoded: when it was captured (epoch milliseconds), and small and grey."""

    captured_ms: int
    grey: Grey
    frame: VideoFrame
    pixel_shape: Fraction | None

    def image(self) -> Image.Image:
        """Return it as RGB with square pixels; raises MediaError."""
        try:
            picture = Image.fromarray(self.frame.to_ndarray(format="rgb24"))
        except (av.FFmpegError, ValueError):
            raise MediaError("sends frames that cannot be shown") from None
        square = square_size(picture.width, picture.height, self.pixel_shape)
        same = square == picture.size
        return picture if same else picture.resize(square, Image.Resampling.BICUBIC)


@dataclass(slots=True)
class Counts:
    """What arrived since these were last taken."""

    frames: int = 0
    dropped: int = 0
    lag_ms: int = 0
    last_frame_ms: int = 0


class LiveStream:
    """An open camera; ``counts`` grow as :meth:`frames` goes along.

    Raises MediaError when it cannot be opened. ``url`` is not kept.
    """

    def __init__(
        self, url: str, transport: str, connect_s: float, stall_s: float, max_pixels: int
    ) -> None:
        self.counts = Counts()
        self._stall_s = stall_s
        self._behind = False
        self._looked_ms = 0
        self._clock = LiveClock()
        options = {**_OPTIONS, "rtsp_transport": transport}
        try:
            self._container: InputContainer = av.open(
                url, options=options, timeout=(connect_s, stall_s)
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                _why(error, Message("does not answer within {time:g} s", time=connect_s))
            ) from None
        try:
            if not self._container.streams.video:
                raise MediaError("sends no video")
            self._stream = self._container.streams.video[0]
            self._context = self._stream.codec_context
            check_pixels(self._stream.width, self._stream.height, max_pixels)
            self._context.options = {"max_pixels": str(max_pixels)}
            self._context.thread_count = 1  # threads would only delay frames
            self._context.flags |= av.codec.context.Flags.low_delay
        except BaseException:
            self.close()
            raise

    @property
    def codec(self) -> str:
        """How its pictures are coded, as libav calls it: ``h264``, ``hevc``."""
        return str(self._context.name)

    def close(self) -> None:
        """Hang up."""
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def frames(self) -> Iterator[LiveFrame | None]:
        """Yield frames as they come, a few a second at most, and None for what shows nothing new.

        Ends by raising MediaError: a live stream has no other end.
        """
        decoded_s = time.monotonic()
        stalled = Message("sent no picture for {time:g} s", time=self._stall_s)
        for packet in self._packets(stalled):
            self._arrived(packet)
            if self._is_dropped(packet):
                self.counts.dropped += 1
                yield None
                continue
            live = None
            for frame in self._decoded(packet):
                decoded_s = time.monotonic()
                live = self._looked_at(frame) or live
            if time.monotonic() - decoded_s > self._stall_s:
                raise MediaError("sends what cannot be decoded, for {time:g} s", time=self._stall_s)
            yield live

    def _packets(self, stalled: str) -> Iterator[VideoPacket]:
        packets = self._container.demux(self._stream)
        began = False
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, ValueError) as error:
                raise MediaError(_why(error, stalled)) from None
            if packet is None or packet.size == 0:
                raise MediaError("ended the stream")
            began = began or packet.is_keyframe  # before the first one nothing can be decoded
            if began:
                yield packet

    def _arrived(self, packet: VideoPacket) -> None:
        """Place a packet in time, and see how far behind its reading is."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        seconds = None if stamp is None else float(stamp * packet.time_base)
        captured_ms, lag_ms = self._clock.place(seconds, now_ms())
        self.counts.frames += 1
        self.counts.lag_ms = lag_ms
        self.counts.last_frame_ms = captured_ms

    def _is_dropped(self, packet: VideoPacket) -> bool:
        """Whether decoding is behind, so that all is left out up to a keyframe that is not."""
        lag_ms = self.counts.lag_ms
        if self._behind:
            self._behind = lag_ms > _CAUGHT_UP_MS or not packet.is_keyframe
        else:
            self._behind = lag_ms > _MOST_LAG_MS and not packet.is_keyframe
        return self._behind

    def _decoded(self, packet: VideoPacket) -> Iterator[VideoFrame]:
        try:
            frames = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            return  # a damaged one; if all are, that is a stall
        yield from (frame for frame in frames if not frame.is_corrupt)

    def _looked_at(self, frame: VideoFrame) -> LiveFrame | None:
        captured_ms = self.counts.last_frame_ms
        if 0 <= captured_ms - self._looked_ms < _LEAST_STEP_MS:
            return None
        self._looked_ms = captured_ms
        try:
            grey = small_grey(frame)
        except (av.FFmpegError, ValueError):
            return None
        return LiveFrame(captured_ms, grey, frame, self._stream.sample_aspect_ratio)


def small_grey(frame: VideoFrame) -> Grey:
    """Return a frame as grey levels, GREY_WIDTH_PX wide, each the mean of what it covers."""
    height = max(1, round(frame.height * GREY_WIDTH_PX / max(1, frame.width)))
    small = frame.reformat(GREY_WIDTH_PX, height, "gray", interpolation="AREA")
    return np.ascontiguousarray(small.to_ndarray())


def silence_libav() -> None:
    """Let libav print nothing, since what it prints names addresses."""
    av.logging.set_level(None)


def _why(error: Exception, silent: str) -> str:
    """Return what went wrong in words of our own; ``silent`` is what a timeout means."""
    for kinds, words in (
        (av.error.HTTPUnauthorizedError, Message("refuses the name or the password")),
        (av.error.HTTPForbiddenError, Message("refuses the name or the password")),
        (av.error.HTTPNotFoundError, Message("has no stream of that path")),
        (av.error.HTTPError, Message("refuses the request")),
        (av.error.ExitError, silent),
        (TimeoutError, silent),
        (ConnectionRefusedError, Message("refuses the connection")),
        (av.error.EOFError, Message("ended the stream")),
        (ConnectionError, Message("broke the connection")),
        (av.error.InvalidDataError, Message("does not send a video stream")),
    ):
        if isinstance(error, kinds):
            return words
    if isinstance(error, OSError):
        return Message("cannot be reached")
    return "cannot be read"
