"""A small real RTSP server on loopback: H.264 over RTP inside the RTSP connection.

It plays what it is told to play, in real time, and can be made to stall, to refuse, to send rubbish
and to die, which no camera does on request. (RFC 2326, RFC 6184.)
"""

from __future__ import annotations

import base64
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
AccessUnit = tuple[bytes, ...]

_MTU = 1400
_CLOCK_HZ = 90_000
_PAYLOAD = 96


@dataclass(frozen=True)
class Clip:
    """Coded frames, each its NAL units, the first of them an IDR; played ``fps`` a second."""

    units: tuple[AccessUnit, ...]
    fps: int


def encode(pictures: Iterable[Picture], fps: int, *, gop: int | None = None) -> Clip:
    """Encode RGB pictures (height, width, 3) as H.264, a keyframe every ``gop`` (a second)."""
    context: av.VideoCodecContext | None = None
    units: list[AccessUnit] = []

    def take(packets: Sequence[av.Packet[av.VideoStream]]) -> None:
        units.extend(tuple(_nal_units(bytes(packet))) for packet in packets)

    for number, picture in enumerate(pictures):
        if context is None:
            context = av.CodecContext.create("libx264", "w")
            context.height, context.width = picture.shape[:2]
            context.pix_fmt, context.gop_size = "yuv420p", gop or fps
            context.framerate, context.time_base = Fraction(fps), Fraction(1, fps)
            context.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        take(context.encode(frame))
    assert context is not None, "a clip needs a picture"
    take(context.encode(None))
    return Clip(tuple(units), fps)


@dataclass
class Channel:
    """One camera of the server: it plays ``clip`` over and over."""

    clip: Clip
    stalled: threading.Event = field(default_factory=threading.Event)
    sends_rubbish: bool = False
    connections: int = 0
    shown_at: list[float] = field(default_factory=list)
    _next: Clip | None = None

    def show(self, clip: Clip) -> None:
        """Play this clip once, beginning with the next frame; then go on with the usual one.

        When its first frame left is put into ``shown_at`` (epoch seconds).
        """
        self._next = clip

    def play(self) -> Iterable[tuple[AccessUnit, bool]]:
        """Yield coded frames for ever, each with whether it begins a clip that was to be shown."""
        while True:
            for unit in self.clip.units:
                if self._next is not None:
                    break
                yield unit, False
            if (shown := self._next) is not None:
                self._next = None
                for number, unit in enumerate(shown.units):
                    yield unit, number == 0


class RtspServer:
    """Serves channels by their path, ``rtsp://127.0.0.1:PORT/NAME``; a context manager.

    With a ``user`` it asks for Basic authentication. ``stop`` cuts every connection, ``start``
    brings it back on the same port.
    """

    def __init__(
        self, channels: dict[str, Channel], *, user: str = "", password: str = "", port: int = 0
    ) -> None:
        self.channels = channels
        self.port = port
        self._authorisation = (
            "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        )
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def url(self, name: str, userinfo: str = "") -> str:
        """Return a channel's address."""
        return f"rtsp://{userinfo + '@' if userinfo else ''}127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Listen; on a free port the first time, on the same one ever after."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Close everything at once, as a machine does that loses its power."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Break every connection, and go on listening."""
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._sockets.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Session(self, connection, self._authorisation).run()
        except (OSError, ValueError):
            pass  # the client went away, or we did
        finally:
            self._sockets.discard(connection)
            connection.close()


class _Session:
    """One client: answers its requests, and sends it a channel once it asked to play."""

    def __init__(self, server: RtspServer, connection: socket.socket, authorisation: str) -> None:
        self._server = server
        self._connection = connection
        self._authorisation = authorisation
        self._input = connection.makefile("rb")
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._id = secrets.token_hex(4)
        self._name = ""

    def run(self) -> None:
        try:
            while (first := self._input.read(1)) != b"":
                if first == b"$":  # RTCP of the client
                    _, length = struct.unpack(">BH", self._input.read(3))
                    self._input.read(length)
                    continue
                self._answer(first + self._input.readline())
        finally:
            self._over.set()

    def _answer(self, request: bytes) -> None:
        method, url, _ = request.decode().split(" ", 2)
        headers = {}
        while (line := self._input.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self._name = re.sub(r"rtsp://[^/]*/", "", url).split("/")[0]
        reply: dict[str, str] = {"CSeq": headers.get("cseq", "0")}
        status, body = "200 OK", ""
        channel = self._server.channels.get(self._name)
        if method == "OPTIONS":
            reply["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
        elif self._authorisation and headers.get("authorization") != self._authorisation:
            status, reply["WWW-Authenticate"] = "401 Unauthorized", 'Basic realm="camera"'
        elif channel is None:
            status = "404 Not Found"
        elif method == "DESCRIBE":
            body = _sdp(channel.clip)
            reply |= {"Content-Type": "application/sdp", "Content-Base": f"{url}/"}
        elif method == "SETUP":
            reply |= {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": self._id}
        elif method in ("PLAY", "GET_PARAMETER", "TEARDOWN"):
            reply["Session"] = self._id
        else:
            status = "501 Not Implemented"
        if body:
            reply["Content-Length"] = str(len(body.encode()))
        head = "".join(f"{name}: {value}\r\n" for name, value in reply.items())
        self._send(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())
        if method == "PLAY" and channel is not None and status == "200 OK":
            channel.connections += 1
            threading.Thread(target=self._play, args=(channel,), daemon=True).start()

    def _play(self, channel: Channel) -> None:
        sequence, source = secrets.randbits(16), secrets.randbits(32)
        began_s, stamp = time.monotonic(), secrets.randbits(30)
        with suppress(OSError):
            for number, (unit, is_shown) in enumerate(channel.play()):
                due_s = began_s + number / channel.clip.fps
                if self._over.wait(max(0.0, due_s - time.monotonic())):
                    return
                if channel.stalled.is_set():
                    continue
                if is_shown:
                    channel.shown_at.append(time.time())
                if channel.sends_rubbish:
                    unit = (b"\x65" + secrets.token_bytes(900),)
                at = stamp + number * _CLOCK_HZ // channel.clip.fps
                for payload, last in _payloads(unit):
                    sequence = (sequence + 1) & 0xFFFF
                    self._send_rtp(payload, sequence, at & 0xFFFFFFFF, source, last)

    def _send_rtp(self, payload: bytes, sequence: int, stamp: int, source: int, last: bool) -> None:
        head = struct.pack(
            ">BBHII", 0x80, _PAYLOAD | (0x80 if last else 0), sequence, stamp, source
        )
        packet = head + payload
        self._send(b"$\x00" + struct.pack(">H", len(packet)) + packet)

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._connection.sendall(data)


def _sdp(clip: Clip) -> str:
    sets = [nal for nal in clip.units[0] if nal[0] & 31 in (7, 8)]
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
    profile = sets[0][1:4].hex().upper()
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\na=control:*\r\n"
        f"m=video 0 RTP/AVP {_PAYLOAD}\r\na=rtpmap:{_PAYLOAD} H264/{_CLOCK_HZ}\r\n"
        f"a=fmtp:{_PAYLOAD} packetization-mode=1;profile-level-id={profile};"
        f"sprop-parameter-sets={sprop}\r\na=control:track0\r\n"
    )


def _payloads(unit: AccessUnit) -> Iterable[tuple[bytes, bool]]:
    """Yield RTP payloads of a coded frame, each with whether it is the frame's last."""
    for number, nal in enumerate(unit, start=1):
        is_last_nal = number == len(unit)
        if len(nal) <= _MTU:
            yield nal, is_last_nal
            continue
        indicator, kind = (nal[0] & 0xE0) | 28, nal[0] & 31  # FU-A
        for start in range(1, len(nal), _MTU - 2):
            part = nal[start : start + _MTU - 2]
            begins, ends = start == 1, start + len(part) >= len(nal)
            flags = (0x80 if begins else 0) | (0x40 if ends else 0) | kind
            yield bytes((indicator, flags)) + part, is_last_nal and ends


def _nal_units(annex_b: bytes) -> Iterable[bytes]:
    """Yield the NAL units of a packet with start codes."""
    for part in re.split(rb"\x00\x00\x00?\x01", annex_b):
        if part:
            yield part.rstrip(b"\x00") if part[0] & 31 in (6, 7, 8, 9) else part
