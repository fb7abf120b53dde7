"""Keeping uploaded files: under names of Sightline's own, whole or not at all."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Protocol

from dashboard.i18n.gettext import _
from search_core.errors import UsageError

MAX_FILES = 500
#: What stays free on the disk for vectors and thumbnails.
_KEPT_FREE_BYTES = 512 * 1024 * 1024
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
_NUMBER = re.compile(r"^\d{3}-")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


class Upload(Protocol):
    """What the browser sent: an untrusted name, and bytes."""

    name: str
    size: int

    def seek(self, offset: int, /) -> int:
        """Go to a byte."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Return the bytes from there."""
        ...


def save_uploads(files: Sequence[Upload], uploads_dir: Path) -> list[Path]:
    """Write uploaded files into a new folder of ``uploads_dir`` and return where they are.

    Raises UsageError when there are too many of them, or too little room.
    """
    if len(files) > MAX_FILES:
        raise UsageError(
            _("{count} files are too many at once; {most} may be uploaded.").format(
                count=len(files), most=MAX_FILES
            ),
            _("Put them into a zip archive, or use `sightline ingest` on their folder."),
        )
    uploads_dir.mkdir(parents=True, exist_ok=True)
    needed = sum(file.size for file in files)
    free = shutil.disk_usage(uploads_dir).free
    if needed + _KEPT_FREE_BYTES > free:
        raise UsageError(
            _("There is no room for {needed} MB: {free} MB are free.").format(
                needed=f"{needed / 1e6:.0f}", free=f"{free / 1e6:.0f}"
            ),
            _("Free some space, or ingest the files where they are with `sightline ingest`."),
        )
    folder = uploads_dir / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    folder.mkdir()
    return [_save(file, folder, number) for number, file in enumerate(files, start=1)]


def safe_name(name: str, number: int) -> str:
    """Return a file name made of what is harmless in ``name``; ``number`` makes it unique.

    The suffix is kept for people and players; nothing believes it.
    """
    last = PurePosixPath(PureWindowsPath(name).name)
    suffix = last.suffix.lower() if _SUFFIX.fullmatch(last.suffix.lower()) else ""
    stem = _UNSAFE.sub("-", last.name.removesuffix(last.suffix)).strip("-")[:60]
    return f"{number:03d}-{stem or 'file'}{suffix}"


def sent_name(path: PurePath, uploads_dir: Path) -> str:
    """Return a file's name without the number that :func:`safe_name` gave an upload."""
    uploaded = path.is_relative_to(uploads_dir)
    return _NUMBER.sub("", path.name) if uploaded else path.name or str(path)


def sent_path(path: PurePath, uploads_dir: Path) -> str:
    """Return the path of a file, of an upload and what is in it as its sender knows them."""
    if not path.is_relative_to(uploads_dir):
        return str(path)
    _folder, *parts = path.relative_to(uploads_dir).parts
    return "/".join([_NUMBER.sub("", part) if not at else part for at, part in enumerate(parts)])


def _save(file: Upload, folder: Path, number: int) -> Path:
    target = folder / safe_name(file.name, number)
    part = target.with_name(f".{target.name}.part")
    file.seek(0)
    with part.open("wb") as kept:
        _copy(file, kept)
    part.replace(target)
    return target


def _copy(file: Upload, kept: BinaryIO) -> None:
    while chunk := file.read(1024 * 1024):
        kept.write(chunk)
