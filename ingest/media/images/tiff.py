"""TIFF directories: the pages of a file, and those below them, whatever camera wrote it."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
#: A colour filter array, and linear sensor values.
_SENSOR = frozenset((32803, 34892))
#: A reduced copy of another page, and a mask.
_NO_PAGE = 1 | 4
_MOST_DIRECTORIES = 4096


def pages(file: BinaryIO) -> int:
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


def values(file: BinaryIO, tags: Collection[int], below: int | None = None) -> dict[int, Any]:
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
