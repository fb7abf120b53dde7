"""Picture files by their bytes, as far as Pillow does not tell what is needed.

Of JPEGs: where one ends within a file, how large it is, and what follows it. PNGs with more text
than Pillow reads: the text is left out, the picture is good. Of TIFFs: their directories, those of
pages and those below them, whatever camera wrote it. For a RAW photograph stands the largest
preview that the camera put into it.
"""

from __future__ import annotations

import mmap
import re
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from search_core.errors import UnsupportedMedia
from search_core.messages import Message

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


_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
#: Pillow's own limits are these, of a chunk and of all chunks together, or more.
_MOST_TEXT_BYTES = 1024 * 1024
_MOST_ALL_TEXT_BYTES = 32 * _MOST_TEXT_BYTES


def without_long_text(file: BinaryIO) -> BinaryIO:
    """Return a picture's file, or a copy without text chunks that are too long to be read.

    Other files, and PNGs that are damaged, come back as they are, at their beginning. Raises
    OSError.
    """
    file.seek(0)
    long = list(_long_text(file)) if file.read(8) == _PNG else []
    file.seek(0)
    return _without_parts(file, long) if long else file


def _long_text(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where each text chunk that is too long begins and ends."""
    total = 0
    while len(head := file.read(8)) == 8:
        start, length = file.tell() - 8, int.from_bytes(head[:4], "big")
        if head[4:] in _TEXT_CHUNKS:
            text_bytes = _unpacked_bytes(file.read(length))
            total += text_bytes
            if text_bytes >= _MOST_TEXT_BYTES or total >= _MOST_ALL_TEXT_BYTES:
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
            longest = max(longest, len(unpacker.decompress(packed, _MOST_TEXT_BYTES)))
        except zlib.error:
            continue
    return longest


def _without_parts(file: BinaryIO, parts: list[tuple[int, int]]) -> BytesIO:
    whole = file.read()
    kept, at = BytesIO(), 0
    for start, end in parts:
        kept.write(whole[at:start])
        at = end
    kept.write(whole[at:])
    kept.seek(0)
    return kept


_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
#: A colour filter array, and linear sensor values.
_SENSOR = frozenset((32803, 34892))
#: A reduced copy of another page, and a mask.
_NO_PAGE = 1 | 4
_MOST_DIRECTORIES = 4096


def tiff_pages(file: BinaryIO) -> int:
    """Return how many pages a TIFF has, without reduced copies and masks."""
    return sum(
        not _number(directory, _SUBFILE_TYPE) & _NO_PAGE
        for directory in _directories(file, below=False)
    )


def holds_sensor_values(file: BinaryIO) -> bool:
    """Return whether a TIFF is a RAW photograph: a DNG, NEF, CR2, ARW …"""
    file.seek(8)
    return file.read(2) == b"CR" or any(
        _DNG_VERSION in directory or _number(directory, _PHOTOMETRIC) in _SENSOR
        for directory in _directories(file, below=True)
    )


def tiff_values(file: BinaryIO, tags: Collection[int], below: int | None = None) -> dict[int, Any]:
    """Return these tags of a file's first directory, or of the one ``below`` it in that tag.

    Empty where they cannot be read.
    """
    exif = Image.Exif()
    try:
        with warnings.catch_warnings(action="ignore"):
            file.seek(0)
            exif.load_from_fp(file)
            found = exif if below is None else exif.get_ifd(below)
            return {tag: found[tag] for tag in tags if tag in found}
    except Exception:  # EXIF of damaged files raises nearly anything
        return {}


def _directories(file: BinaryIO, *, below: bool) -> Iterator[ImageFileDirectory_v2]:
    """Yield the directories of a file's pages, and those ``below`` them; none twice.

    Where one is damaged, those behind it are left out.
    """
    file.seek(0)
    header = file.read(8)
    if header[2:4] in (b"+\x00", b"\x00+"):  # BigTIFF
        header += file.read(8)
    seen: set[int] = set()
    with suppress(Exception), warnings.catch_warnings(action="ignore"):  # nearly anything
        waiting = [ImageFileDirectory_v2(header).next]
        while waiting and len(seen) < _MOST_DIRECTORIES:
            offset = waiting.pop(0)
            if not offset or offset in seen:
                continue
            seen.add(offset)
            file.seek(offset)
            directory = ImageFileDirectory_v2(header)
            directory.load(file)
            if below:
                waiting.extend(_numbers(directory, _SUB_IFDS))
            waiting.append(directory.next)
            yield directory


def _numbers(directory: ImageFileDirectory_v2, tag: int) -> list[int]:
    found = directory.get(tag, ())
    return [n for n in (found if isinstance(found, tuple) else (found,)) if isinstance(n, int)]


def _number(directory: ImageFileDirectory_v2, tag: int) -> int:
    return next(iter(_numbers(directory, tag)), 0)


#: What files of these cameras begin with; those that are TIFF are told by their directories.
_RAW_MAGIC = (
    b"FUJIFILMCCD-RAW",  # RAF
    b"FOVb",  # X3F
    b"II\x1a\x00\x00\x00HEAPCCDR",  # CRW
    b"\x00MRM",  # MRW
    b"IIRO",  # ORF
    b"IIRS",
    b"MMOR",
    b"IIU\x00",  # RW2, RWL
)
_TIFF = (b"II*\x00", b"MM\x00*")
_CR3 = b"ftypcrx "
_EXIF = b"Exif\x00\x00"
_BOX_BYTES = 65536
_ORIENTATION, _DATE, _EXIF_IFD = 0x0112, 0x0132, 0x8769
#: Dates, their offsets from UTC, fractions of a second.
_TIMES = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)
#: Smaller previews are worth a word.
_SMALL_PX = 1000


def is_raw(file: BinaryIO) -> bool:
    """Return whether a file is a RAW photograph. Raises OSError."""
    file.seek(0)
    head = file.read(32)
    if head.startswith(_RAW_MAGIC) or head[4:12] == _CR3:
        return True
    return head.startswith(_TIFF) and holds_sensor_values(file)


def preview_of(content: bytes) -> tuple[BytesIO, str]:
    """Return the largest preview in a RAW photograph as a JPEG, and a note where it is small.

    It has the photograph's orientation and times. Raises UnsupportedMedia where there is none.
    """
    start, (width, height) = _largest(content)
    jpeg = content[start : end_of(content, start) or len(content)]
    if _EXIF not in jpeg[:_BOX_BYTES]:
        jpeg = _with_exif(jpeg, _exif_of(content))
    note = ""
    if max(width, height) < _SMALL_PX:
        note = Message(
            "is a RAW photograph: only its preview of {width} x {height} pixels was read",
            width=width,
            height=height,
        )
    return BytesIO(jpeg), note


def _largest(content: bytes) -> tuple[int, tuple[int, int]]:
    """Return where the JPEG with the most pixels begins, and its (width, height)."""
    found: list[tuple[int, tuple[int, int]]] = []
    at = content.find(SOI)
    while at >= 0:
        size = size_of(content, at)
        if size is not None:
            found.append((at, size))
        at = content.find(SOI, at + 1)
    if not found:
        raise UnsupportedMedia(
            "is a RAW photograph that cannot be read: it holds no preview",
            "Export it as a JPEG or a TIFF.",
        )
    return max(found, key=lambda item: item[1][0] * item[1][1])


def _exif_of(content: bytes) -> Image.Exif:
    """Return a RAW photograph's orientation and times."""
    if content[4:12] == _CR3:
        # The boxes CMT1 and CMT2 hold TIFFs whose directories are the main and the EXIF one.
        main = tiff_values(_box(content, b"CMT1"), (_ORIENTATION, _DATE))
        times = tiff_values(_box(content, b"CMT2"), _TIMES)
    else:
        magic = _TIFF[0] if content[:2] == b"II" else _TIFF[1]
        file = BytesIO(magic + content[4:])
        main = tiff_values(file, (_ORIENTATION, _DATE))
        times = tiff_values(file, _TIMES, below=_EXIF_IFD)
    exif = Image.Exif()
    exif.update(main)
    if times:
        exif[_EXIF_IFD] = times
    return exif


def _box(content: bytes, name: bytes) -> BytesIO:
    _, _, behind = content.partition(name)
    return BytesIO(behind[:_BOX_BYTES])


def _with_exif(jpeg: bytes, exif: Image.Exif) -> bytes:
    """Return a JPEG with this EXIF as its first segment."""
    if not exif:
        return jpeg
    segment = exif.tobytes()
    return jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]
