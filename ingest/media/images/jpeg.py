"""JPEGs within files: where one ends, how large it is, and what follows a picture in its file."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Literal

Follows = Literal["nothing", "frames", "video"]

SOI = b"\xff\xd8\xff"
#: In coded data a marker that neither belongs to the data nor fills it.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_EOI, _SOS = 0xD9, 0xDA
_SIZED = frozenset((0xC0, 0xC1, 0xC2))  # baseline, extended, progressive: what is decoded
_OTHER_SIZED = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: So many pictures of one size in a row are a recording; a photograph and its previews differ.
_LEAST_FRAMES = 3
_MOST_PADDING = 4096
_MOST_SEGMENTS = 1000


def what_follows(path: Path) -> Follows:
    """Return what comes after the first JPEG of a file: more frames (raw MJPEG), or a video.

    A video is what motion photos carry, HEIF ones too. Raises OSError.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[4:8] == b"ftyp":
            return "video" if _holds_box(data, b"mpvd") else "nothing"
        end = end_of(data, 0)
        if end is None or end >= len(data):
            return "nothing"
        if _is_recording(data, end):
            return "frames"
        at = data.find(b"ftyp", end)
        return "video" if at >= end + 4 and _box_bytes(data, at - 4) < 256 else "nothing"


def end_of(data: bytes | mmap.mmap, start: int) -> int | None:
    """Return the byte after the JPEG that begins at ``start``, None where it does not end."""
    at = start + 2
    for _ in range(_MOST_SEGMENTS):
        found = _NEXT_MARKER.match(data, at)
        if found is None:
            return None
        marker = data[at + 1]
        if marker == _EOI:
            return at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, at)
            if found is None:
                return None
            at = found.start()
    return None


def size_of(data: bytes | mmap.mmap, start: int) -> tuple[int, int] | None:
    """Return (width, height) of the JPEG that begins at ``start``, None where it is not decoded.

    Lossless JPEGs, which RAW photographs keep the sensor's values in, are among those.
    """
    at = start + 2
    for _ in range(_MOST_SEGMENTS):
        head = data[at : at + 9]
        if len(head) < 9 or head[0] != 0xFF or head[1] in (0x00, 0xFF, _SOS, _EOI):
            return None
        if head[1] in _SIZED:
            height, width = int.from_bytes(head[5:7], "big"), int.from_bytes(head[7:9], "big")
            return (width, height) if width and height else None
        length = int.from_bytes(head[2:4], "big")
        if head[1] in _OTHER_SIZED or length < 2:
            return None
        at += 2 + length
    return None


def _holds_box(data: mmap.mmap, name: bytes) -> bool:
    """Return whether a box of this name is among those that an ISO file consists of."""
    at = 0
    for _ in range(_MOST_SEGMENTS):
        if data[at + 4 : at + 8] == name:
            return True
        size = _box_bytes(data, at)
        size = int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
        if size < 8:
            return False
        at += size
    return False


def _box_bytes(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _is_recording(data: bytes | mmap.mmap, end: int | None) -> bool:
    """Return whether pictures of the first one's size follow it; ``end`` is where that ends."""
    size = size_of(data, 0)
    for _ in range(_LEAST_FRAMES - 1):
        start = _next_start(data, end)
        if size is None or start is None or size_of(data, start) != size:
            return False
        end = end_of(data, start)
    return b"MPF\x00" not in data[:65536]


def _next_start(data: bytes | mmap.mmap, end: int | None) -> int | None:
    """Return where the next JPEG begins, behind padding of zeros."""
    if end is None:
        return None
    padding = data[end : end + _MOST_PADDING]
    start = end + len(padding) - len(padding.lstrip(b"\x00"))
    return start if data[start : start + 3] == SOI else None
