"""Zip archives, every one of them hostile: names, sizes and contents are checked before use."""

from __future__ import annotations

import lzma
import os
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ingest.provenance.contents import Content, ContentDigest
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia, in_words

MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 64 * 1024**3
#: Media hardly compresses; what is this much larger than its packed size, and large, is a bomb.
MAX_RATIO = 200
RATIO_MATTERS_BYTES = 32 * 1024**2

_NAME_BYTES = 255
_MOST_PARTS = 64
_CHUNK_BYTES = 1024**2
_ENCRYPTED = 0x1
_UNREADABLE = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError)
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
    """A file in a zip that will not be unpacked, and why; ``failed`` when that is no choice."""

    name: str
    reason: str
    failed: bool


class Archive:
    """A zip file, opened, by its path or from what is open already; a context manager.

    Raises CorruptMedia when it is no zip that can be read.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        with _zip_errors():
            self._zip = zipfile.ZipFile(file)
        self._infos = self._zip.infolist()

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
            raise MediaTooLarge(f"holds {count} files, more than the limit of {MAX_MEMBERS:,}")
        total_bytes = 0
        seen: set[str] = set()
        for index, info in enumerate(self._infos):
            if info.is_dir() or _is_hidden(info.filename):
                continue
            try:
                name = safe_name(info.filename)
                total_bytes += info.file_size
                _check(info, total_bytes)
                if name.casefold() in seen:
                    raise UnsupportedMedia("has the same name as another file in the archive")
            except MediaError as error:
                failed = not isinstance(error, _Passed)
                yield RefusedMember(_shown(info.filename), error.message, failed)
                continue
            seen.add(name.casefold())
            yield Member(index, name, info.file_size, info.CRC)

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
            raise MediaError(f"cannot be unpacked: {error.strerror or error}") from error
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
        raise MediaTooLarge(f"would unpack to {ratio:,.0f} times its size, as zip bombs do")
    if total_bytes > MAX_TOTAL_BYTES:
        limit = MAX_TOTAL_BYTES // 1024**3
        raise MediaTooLarge(f"is past the {limit} GiB that may be unpacked from one archive")


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turn what reading a zip raises into MediaErrors."""
    try:
        yield
    except MemoryError:
        raise MediaTooLarge("needs more memory to unpack than there is") from None
    except NotImplementedError as error:
        raise UnsupportedMedia(f"cannot be unpacked: {error}") from error
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
    ) as error:
        raise CorruptMedia(f"is damaged: {_spoken(error)}") from error
    except RuntimeError as error:  # how zipfile says that a password is needed
        raise UnsupportedMedia("is encrypted") from error


def _spoken(error: Exception) -> str:
    said = str(error).strip().rstrip(".")
    if "not a zip file" in said:
        return "it is no complete zip archive"
    if "CRC" in said:
        return "its checksum does not match"
    return f"unpacking stopped with: {in_words(error)}"


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
