"""Packets of a video stream to frames, past damaged ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import cast

import av
import av.logging
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.media.damage import (
    ENCRYPTED,
    Damage,
)
from ingest.media.video.container import (
    VideoPacket,
    has_encrypted_frame,
)
from ingest.media.video.timestamps import StreamClock, Timeline, may_jump
from search_core.errors import UnsupportedMedia


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
