"""MP4 recordings joined byte by byte: which of them libav reads, by their boxes.

libav reads the first ``moov`` box (the header) and skips later ones, but goes on with the fragments
(``moof`` boxes) that follow a skipped one. Those decode if the two headers describe their tracks
alike and the fragments count offsets from themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: A header of a fragmented recording is a few kilobytes; of others, no more is looked at.
_MOST_BYTES = 16 * 1024 * 1024
#: Bit rates of a track are those of one recording: box size, name, three numbers.
_BIT_RATE = re.compile(rb"\x00\x00\x00\x14btrt.{12}", re.DOTALL)
_ABSOLUTE_OFFSET = 0x01


@dataclass(frozen=True, slots=True)
class JoinedMp4:
    """What libav makes of recordings that follow the first.

    ``read`` are the bytes at which recordings begin that are read; ``unread`` is where one begins
    that is not, and all after it; ``lost`` are recordings that are read but for what their own
    header lists: byte, seconds.
    """

    read: tuple[int, ...] = ()
    unread: int | None = None
    lost: tuple[tuple[int, float], ...] = ()


def joined_mp4(path: Path) -> JoinedMp4:
    """Return which recordings follow the first in an MP4 file; its top-level boxes are walked."""
    read: list[int] = []
    lost: list[tuple[int, float]] = []
    first: list[bytes] | None = None
    is_fragmented = pending = False
    start: int | None = None
    with path.open("rb") as file:
        for at, name, size in _boxes(file):
            if name == b"ftyp":
                start = at
            elif name == b"moov":
                header = _content(file, at, size)
                if first is None:
                    first, start = _descriptions(header), None
                else:
                    begins, start = at if start is None else start, None
                    if not is_fragmented or _descriptions(header) != first:
                        return JoinedMp4(tuple(read), begins, tuple(lost))
                    read.append(begins)
                    pending = True
                    if seconds := _listed_s(header):
                        lost.append((begins, seconds))
            elif name == b"moof":
                is_fragmented = True
                if pending and _has_absolute_offset(_content(file, at, size)):
                    begins = read.pop()
                    return JoinedMp4(
                        tuple(read), begins, tuple(of for of in lost if of[0] < begins)
                    )
                pending = False
    return JoinedMp4(tuple(read), None, tuple(lost))


def _boxes(file: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Yield where each top-level box begins, its name and its size in bytes."""
    end = file.seek(0, 2)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        elif size == 0:
            size = end - at
        if size < 8:
            return
        yield at, head[4:8], size
        at += size


def _content(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(min(size, _MOST_BYTES))


def _inner(content: bytes, name: bytes) -> Iterator[bytes]:
    """Yield the boxes of a name within another box, wherever they are."""
    for found in re.finditer(re.escape(name), content):
        at = found.start() - 4
        if at >= 0:
            yield content[at : at + int.from_bytes(content[at : at + 4], "big")]


def _descriptions(header: bytes) -> list[bytes]:
    """Return how each track is coded, in order."""
    return [_BIT_RATE.sub(b"", box) for box in _inner(header, b"stsd")]


def _listed_s(header: bytes) -> float:
    """Return how many seconds of video a header lists itself, not leaving them to fragments."""
    for track in _inner(header, b"trak"):
        clock = next(_inner(track, b"mdhd"), b"")
        at = 28 if clock[8:9] == b"\x01" else 20
        ticks = int.from_bytes(clock[at : at + 4], "big")
        table = next(_inner(track, b"stts"), b"")
        if b"vide" not in track or not ticks:
            continue
        entries = range(16, len(table) - 7, 8)
        length = sum(
            int.from_bytes(table[entry : entry + 4], "big")
            * int.from_bytes(table[entry + 4 : entry + 8], "big")
            for entry in entries
        )
        return length / ticks
    return 0.0


def _has_absolute_offset(fragment: bytes) -> bool:
    """Return whether a fragment says where its frames are from the beginning of the file."""
    return any(len(box) > 11 and box[11] & _ABSOLUTE_OFFSET for box in _inner(fragment, b"tfhd"))
