"""PNGs with more text than Pillow reads: the text is left out, the picture is good."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT = frozenset((b"tEXt", b"zTXt", b"iTXt"))
#: Pillow's own limits are these, of a chunk and of all chunks together, or more.
_MOST_BYTES = 1024 * 1024
_MOST_ALL_BYTES = 32 * _MOST_BYTES


def without_long_text(file: BinaryIO) -> BinaryIO:
    """Return a picture's file, or a copy without text chunks that are too long to be read.

    Other files, and PNGs that are damaged, come back as they are, at their beginning. Raises
    OSError.
    """
    file.seek(0)
    long = list(_long_text(file)) if file.read(8) == _SIGNATURE else []
    file.seek(0)
    return _without(file, long) if long else file


def _long_text(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each text chunk that is too long begins and ends."""
    total = 0
    while len(head := file.read(8)) == 8:
        start, length = file.tell() - 8, int.from_bytes(head[:4], "big")
        if head[4:] in _TEXT:
            text_bytes = _unpacked_bytes(file.read(length))
            total += text_bytes
            if text_bytes >= _MOST_BYTES or total >= _MOST_ALL_BYTES:
                yield start, start + 12 + length
        file.seek(start + 12 + length)


def _unpacked_bytes(text: bytes) -> int:
    """Return how long a text chunk is, unpacked where it is packed, or the limit if longer."""
    _, _, behind = text.partition(b"\x00")
    longest = len(text)
    # A compressed text follows the keyword at once, or flags, a language and a translation.
    for packed in (behind[1:], behind[2:].split(b"\x00", 2)[-1]):
        unpacker = zlib.decompressobj()
        try:
            longest = max(longest, len(unpacker.decompress(packed, _MOST_BYTES)))
        except zlib.error:
            continue
    return longest


def _without(file: BinaryIO, parts: list[tuple[int, int]]) -> BytesIO:
    whole = file.read()
    kept, at = BytesIO(), 0
    for start, end in parts:
        kept.write(whole[at:start])
        at = end
    kept.write(whole[at:])
    kept.seek(0)
    return kept
