"""RAW photographs: the largest preview that the camera put into the file stands for them."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from PIL import Image

from ingest.media.images import tiff
from ingest.media.images.jpeg import SOI, end_of, size_of
from search_core.errors import UnsupportedMedia
from search_core.messages import Message

#: What files of these cameras begin with; those that are TIFF are told by their directories.
_MAGIC = (
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
    if head.startswith(_MAGIC) or head[4:12] == _CR3:
        return True
    return head.startswith(_TIFF) and tiff.holds_sensor_values(file)


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
        main = tiff.values(_box(content, b"CMT1"), (_ORIENTATION, _DATE))
        times = tiff.values(_box(content, b"CMT2"), _TIMES)
    else:
        magic = _TIFF[0] if content[:2] == b"II" else _TIFF[1]
        file = BytesIO(magic + content[4:])
        main = tiff.values(file, (_ORIENTATION, _DATE))
        times = tiff.values(file, _TIMES, below=_EXIF_IFD)
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
