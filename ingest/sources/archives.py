"""Zip archives, every one of them hostile: names, sizes and contents are checked before use."""

from __future__ import annotations

import lzma
import os
import re
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import ZipInfo

from ingest.media.capture_time.metadata import MAX_SIDECAR_BYTES, sidecar_of
from ingest.media.files import Content, ContentDigest
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia, in_words
from search_core.messages import Message

_UTF8_FLAG = 0x800
#: Info-ZIP's extra field with the name in UTF-8: version 1, CRC-32 of the plain name, the name.
_UNICODE_PATH = 0x7075

#: A byte or a pair of bytes of a name, whether it is a letter that is common in a language.
_Common = Callable[[int, int], bool]


def _led_by(least: int, most: int) -> _Common:
    return lambda first, second: least <= first <= most and 0xA1 <= second <= 0xFE


def _shift_jis(first: int, second: int) -> bool:
    kana = (first == 0x82 and 0x9F <= second <= 0xF1) or (first == 0x83 and 0x40 <= second <= 0x96)
    return kana or 0x88 <= first <= 0x97 or (first == 0x81 and second in (0x45, 0x5B))


#: Code pages with two bytes a character, and which of their characters are common. Korean comes
#: before Chinese, whose common characters include all of its bytes.
_DOUBLE: tuple[tuple[str, _Common], ...] = (
    ("cp949", _led_by(0xB0, 0xC8)),
    ("gb18030", _led_by(0xB0, 0xD7)),
    ("cp932", _shift_jis),
    ("big5", lambda first, second: 0xA4 <= first <= 0xC6),
)
#: Hangul's bytes are those of a Chinese character's in three of five cases: so many characters
#: that all are Hangul's are Korean.
_LEAST_HANGUL = 8
#: One accented letter, or two within a word, as in "Größe".
_WESTERN = re.compile(rb"(?:[\x00-\x7f]|(?<=[A-Za-z])[\x80-\xff]{1,2}(?=[A-Za-z]))*")
#: The share of common characters that makes a code page probable.
_COMMON_SHARE = 0.7


def decoded_names(infos: Sequence[ZipInfo]) -> list[str]:
    """Return the names of an archive's members, decoded."""
    raw = [None if info.flag_bits & _UTF8_FLAG else _raw(info) for info in infos]
    encoding = code_page([name for name in raw if name is not None])
    return [
        info.filename if name is None else _unicode_path(info, name) or name.decode(encoding)
        for info, name in zip(infos, raw, strict=True)
    ]


def code_page(names: Sequence[bytes]) -> str:
    """Return the encoding that a zip's names are most probably in; it decodes all of them."""
    odd = [name for name in names if not name.isascii()]
    if not odd or _decodes(odd, "utf-8"):
        return "utf-8"
    if all(_WESTERN.fullmatch(name) for name in odd):
        return "cp437"
    for encoding, common in _DOUBLE:
        pairs = [pair for name in odd for pair in _pairs(name)]
        share = sum(common(*pair) for pair in pairs) / max(1, len(pairs))
        enough = encoding != "cp949" or (share == 1 and len(pairs) >= _LEAST_HANGUL)
        if enough and share >= _COMMON_SHARE and _decodes(odd, encoding):
            return encoding
    cyrillic = [byte for name in odd for byte in name if byte >= 0x80]
    if len(cyrillic) >= 4 and all(
        0x80 <= byte <= 0xAF or 0xE0 <= byte <= 0xF1 for byte in cyrillic
    ):
        # Western names have a letter here and there; in Cyrillic ones most are.
        letters = sum(len(name.rpartition(b".")[0].replace(b"_", b"")) for name in odd)
        if len(cyrillic) > letters / 3:
            return "cp866"
    return "cp437"


def _raw(info: ZipInfo) -> bytes:
    return info.orig_filename.encode("cp437")


def _decodes(names: Sequence[bytes], encoding: str) -> bool:
    try:
        return all(name.decode(encoding).isprintable() for name in names)
    except UnicodeDecodeError:
        return False


def _pairs(name: bytes) -> Iterator[tuple[int, int]]:
    """Yield the pairs of bytes that begin with one that is not ASCII."""
    at = 0
    while at < len(name):
        if name[at] < 0x80:
            at += 1
            continue
        yield name[at], name[at + 1] if at + 1 < len(name) else 0
        at += 2


def _unicode_path(info: ZipInfo, raw: bytes) -> str:
    """Return the name in Info-ZIP's extra field; "" without one that belongs to this name."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        data, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(data) > 5 and data[0] == 1:
            [crc] = struct.unpack_from("<I", data, 1)
            if crc == zlib.crc32(raw):
                return data[5:].decode("utf-8", "replace")
    return ""


MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 64 * 1024**3
#: Media hardly compresses; what is this much larger than its packed size, and large, is a bomb.
MAX_RATIO = 200
RATIO_MATTERS_BYTES = 32 * 1024**2

_NAME_BYTES = 255
_MOST_PARTS = 64
_CHUNK_BYTES = 1024**2
_ENCRYPTED = 0x1
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    UnicodeDecodeError,
)
_ARCHIVE_SUFFIXES = frozenset(
    (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".cab", ".iso")
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip that may be unpacked; ``name`` is a relative path that stays inside."""

    index: int
    name: str
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class RefusedMember:
    """A file in a zip that will not be unpacked, and why; ``failed`` where that is a fault."""

    name: str
    reason: str
    failed: bool


class Archive:
    """A zip file, opened, by its path or from what is open already; a context manager.

    Raises CorruptMedia when it is not a zip that can be read.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        with _zip_errors():
            self._zip = zipfile.ZipFile(file)
        self._infos = self._zip.infolist()
        self._names = decoded_names(self._infos)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def members(self) -> Iterator[Member | RefusedMember]:
        """Yield what is in it, hidden files and folders left out.

        Raises MediaTooLarge when it holds too many files.
        """
        if len(self._infos) > MAX_MEMBERS:
            count = f"{len(self._infos):,}"
            raise MediaTooLarge(
                "holds {count} files, more than the limit of {most:,}",
                count=count,
                most=MAX_MEMBERS,
            )
        total_bytes = 0
        seen: set[str] = set()
        for index, (info, full_name) in enumerate(zip(self._infos, self._names, strict=True)):
            if info.is_dir() or _is_hidden(full_name):
                continue
            try:
                name = _another_name(safe_name(full_name), seen)
                total_bytes += info.file_size
                _check(info, total_bytes)
            except MediaError as error:
                failed = not isinstance(error, _Passed)
                yield RefusedMember(_shown(full_name), error.message, failed)
                continue
            seen.add(name.casefold())
            yield Member(index, name, info.file_size, info.CRC)

    def sidecar_of(self, member: Member) -> bytes:
        """Return the content of a member's Google Takeout sidecar, b"" without a readable one."""
        folder, _, name = self._names[member.index].rpartition("/")
        found = sidecar_of(name, self._sidecars.get(folder, ()))
        if found is None:
            return b""
        info = self._sidecars[folder][found]
        if info.file_size > MAX_SIDECAR_BYTES:
            return b""
        try:
            with _zip_errors(), self._zip.open(info) as file:
                return file.read(MAX_SIDECAR_BYTES)
        except MediaError:
            return b""

    @cached_property
    def _sidecars(self) -> dict[str, dict[str, zipfile.ZipInfo]]:
        """The JSON files in each folder, by name."""
        found: dict[str, dict[str, zipfile.ZipInfo]] = {}
        for info, full_name in zip(self._infos, self._names, strict=True):
            folder, _, name = full_name.rpartition("/")
            if name.endswith(".json"):
                found.setdefault(folder, {})[name] = info
        return found

    def head_of(self, member: Member, size: int) -> bytes:
        """Return a member's first bytes; raises MediaError when it cannot be unpacked."""
        with _zip_errors(), self._zip.open(self._infos[member.index]) as file:
            return file.read(size)

    def extract(
        self, member: Member, folder: Path, go_on: Callable[[], None]
    ) -> tuple[Path, Content]:
        """Unpack a member to its name under ``folder``; return the file and its content hashes.

        The file appears whole or not at all, with the time the archive gives it. ``go_on`` is
        called between chunks and may raise. Raises MediaError when it cannot be unpacked.
        """
        info = self._infos[member.index]
        target = folder / member.name
        part = target.with_name(f".{os.getpid()}.part")
        digest = ContentDigest()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _zip_errors(), self._zip.open(info) as packed, part.open("wb") as unpacked:
                while chunk := packed.read(_CHUNK_BYTES):
                    go_on()
                    digest.update(chunk)
                    unpacked.write(chunk)
            _set_time(part, info)
            part.replace(target)
        except OSError as error:
            raise MediaError("cannot be unpacked: {reason}", reason=in_words(error)) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return target, digest.content()


def safe_name(name: str) -> str:
    """Return a member's name as a relative path that cannot leave the folder it is unpacked to.

    Raises UnsupportedMedia for absolute names, drive letters, "..", and names no file can have.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise UnsupportedMedia("has a name that leads out of the archive")
    printable = all(character.isprintable() for character in name)
    too_long = len(parts) > _MOST_PARTS or any(len(part.encode()) > _NAME_BYTES for part in parts)
    if not parts or not printable or too_long:
        raise UnsupportedMedia("has a name no file can have")
    return "/".join(parts)


def _another_name(name: str, taken: set[str]) -> str:
    """Return a member's name, numbered where others of that name came before it."""
    path = PurePosixPath(name)
    number = 1
    while name.casefold() in taken:
        number += 1
        name = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    return name


class _Passed(UnsupportedMedia):
    """What is left out by choice rather than for a fault."""


def _check(info: zipfile.ZipInfo, total_bytes: int) -> None:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _Passed("is a symbolic link")
    if PurePosixPath(info.filename).suffix.lower() in _ARCHIVE_SUFFIXES:
        raise _Passed("is an archive inside an archive, which is not opened")
    if info.flag_bits & _ENCRYPTED:
        raise UnsupportedMedia("is encrypted")
    ratio = info.file_size / max(1, info.compress_size)
    if info.file_size > RATIO_MATTERS_BYTES and ratio > MAX_RATIO:
        raise MediaTooLarge(
            "would unpack to {count:,.0f} times its size, as zip bombs do", count=ratio
        )
    if total_bytes > MAX_TOTAL_BYTES:
        limit = MAX_TOTAL_BYTES // 1024**3
        raise MediaTooLarge(
            "is past the {limit} GiB that may be unpacked from one archive", limit=limit
        )


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turn what reading a zip raises into MediaErrors."""
    try:
        yield
    except MemoryError:
        raise MediaTooLarge("needs more memory to unpack than there is") from None
    except NotImplementedError as error:
        raise UnsupportedMedia("cannot be unpacked: {error}", error=str(error)) from error
    except _UNREADABLE as error:
        raise CorruptMedia("is damaged: {reason}", reason=_spoken(error)) from error
    except RuntimeError as error:  # how zipfile says that a password is needed
        raise UnsupportedMedia("is encrypted") from error


def _spoken(error: Exception) -> str:
    said = str(error).strip().rstrip(".")
    if isinstance(error, UnicodeDecodeError):
        return Message("a name in it is not valid UTF-8, as it says to be")
    if "not a zip file" in said:
        return Message("it is not a complete zip archive")
    if "CRC" in said:
        return Message("its checksum does not match")
    return Message("unpacking stopped with: {reason}", reason=in_words(error))


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return any(p == "__MACOSX" or (p.startswith(".") and p not in (".", "..")) for p in parts)


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in name)


def _set_time(path: Path, info: zipfile.ZipInfo) -> None:
    """Give a file the time its archive knows, which is local and may be nonsense."""
    try:
        moment = time.mktime((*info.date_time, 0, 0, -1))
        os.utime(path, (moment, moment))
    except (ValueError, OverflowError, OSError):
        return
