"""Is a media file whole, or is something still writing it?

Three kinds of evidence, strongest first:

1. the end mark of the file's format (:func:`end_mark`): a whole MP4, AVI or JPEG shows that it is;
2. whether a process has the file open for writing, where the kernel can tell
   (:func:`open_for_writing`): Linux, local file systems;
3. how long the file has not changed: ``QUIET_S`` for formats without an end mark (MPEG-TS, raw
   streams), ``ABANDONED_S`` where the mark is missing and the recorder may have crashed.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from ingest.media.file_types import ebml_length, is_zip
from search_core.messages import Message

#: ``whole``: the end mark is there. ``cut``: the format has one, and it is missing. ``unmarked``:
#: the format has none, or it cannot tell here.
EndMark = Literal["whole", "cut", "unmarked"]

#: A file without an end mark is whole when it has not changed for this long.
QUIET_S = 30.0
#: A file that lacks its end mark will not get it when it has not changed for this long.
ABANDONED_S = 600.0

STILL_WRITTEN = Message("still being written; try again in a minute")
STILL_CUT = Message("still being written: its end is missing; try again when it is whole")
#: The stage of sources that were skipped because they are still being written.
WAIT_STAGE = "wait"

_TAIL_BYTES = 4096
_RESERVED_BYTES = 512
_ZIP_TAIL_BYTES = 65_557  # the longest comment, and the record before it
_MOST_BOXES = 10_000
_MOST_INDEX_BYTES = 8 * 1024**2
_MOST_JPEG_BYTES = 64 * 1024**2
#: Names that downloads and uploads carry until they are whole.
_PARTIAL_SUFFIXES = frozenset(
    (".part", ".partial", ".crdownload", ".download", ".filepart", ".tmp", ".temp", ".!ut")
)
#: Where a lease sees every writer there is. Network file systems see this machine's alone.
_LOCAL_FILE_SYSTEMS = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs", "overlay", "vfat", "exfat", "ntfs3", "zfs")
)
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def still_written(path: Path, quiet_s: float, *, watched: bool = False) -> str:
    """Return why a file must be taken for one that is still being written, "" when it need not.

    ``quiet_s`` is for how many seconds it has not changed. One that nobody has open may be opened
    again, by an NFS server say: ``watched`` files wait for ``QUIET_S`` then too. Raises OSError.
    """
    if quiet_s >= ABANDONED_S or (mark := end_mark(path)) == "whole":
        return ""
    writing = open_for_writing(path)
    if writing is None:
        writing = quiet_s < (ABANDONED_S if mark == "cut" else QUIET_S)
    elif not writing:
        writing = watched and quiet_s < QUIET_S
    if not writing:
        return ""
    return STILL_CUT if mark == "cut" else STILL_WRITTEN


def age_s(status: os.stat_result, now_s: float | None = None) -> float:
    """Return how long ago a file changed; where its clock is ahead, by how much it is."""
    return abs((time.time() if now_s is None else now_s) - status.st_mtime)


def end_mark(path: Path) -> EndMark:
    """Return whether a file's own format says that it is whole; reads little. Raises OSError."""
    if PurePath(path).suffix.lower() in _PARTIAL_SUFFIXES:
        return "cut"
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(64)
        check = _check_of(head)
        if check is None:
            return "unmarked"
        mark = check(file, size)
        if (
            mark == "whole"
            and size > _RESERVED_BYTES
            and not any(_tail(file, size, _RESERVED_BYTES))
        ):
            return "unmarked"  # space that is reserved before the data comes, as SMB copies do
        return mark


def open_for_writing(path: Path) -> bool | None:
    """Return whether a process has the file open for writing, None where that cannot be known.

    A read lease is refused by the kernel exactly then; it is given back at once. False is returned
    on local file systems alone: elsewhere another machine may be writing.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Whoever opens the file meanwhile makes the kernel send a signal: one that nobody minds.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False if _file_system(os.fstat(file).st_dev) in _LOCAL_FILE_SYSTEMS else None
    except BlockingIOError:
        return True
    except OSError:  # another user's file, or a file system without leases
        return None
    finally:
        os.close(file)


def _file_system(device: int) -> str:
    """Return the type of the file system with this device number, "" when it is not known."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError, ValueError), Path("/proc/self/mountinfo").open(encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if fields[2] == number:
                return fields[fields.index("-") + 1]
    return ""


def _check_of(head: bytes) -> Callable[[BinaryIO, int], EndMark] | None:
    """Return what finds the end mark of a format by the file's first bytes, None if it has none."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return _boxes
    for signature, check in _SIGNATURES.items():
        if head.startswith(signature):
            return check
    return _zip if is_zip(head) else None


def _boxes(file: BinaryIO, size: int) -> EndMark:
    """MP4, QuickTime, HEIF: boxes up to the end of the file, the index among them.

    Fragments may go on after any box; only ``mfra``, which recorders need not write, ends them.
    """
    at, index, fragments, kind = 0, False, False, b""
    for _ in range(_MOST_BOXES):
        if at >= size:
            break
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length == 0 and kind == b"mdat":
            return "unmarked" if index else "cut"  # recorders fill in the length at the end
        if length < 8 or len(head) < 8 or not kind.isascii():
            return "unmarked" if index else "cut"
        index = index or kind in (b"moov", b"meta")
        fragments = (
            fragments or kind == b"moof" or (kind == b"moov" and _promises_more(file, length))
        )
        at += length
    if at != size or not index:
        return "cut" if at >= size else "unmarked"
    return "unmarked" if fragments and kind != b"mfra" else "whole"


def _promises_more(file: BinaryIO, length: int) -> bool:
    """Whether a movie box, the file being just behind its head, says that fragments follow."""
    return b"mvex" in file.read(min(length, _MOST_INDEX_BYTES))


def _riff(file: BinaryIO, size: int) -> EndMark:
    """AVI and WebP: each RIFF chunk has its length, which is 0 while it is being written."""
    at = 0
    while at + 12 <= size:
        file.seek(at)
        head = file.read(8)
        if head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:8], "little")
        if length in (0, 0xFFFFFFFF) or at + 8 + length > size:
            return "cut"
        at += 8 + length + length % 2
    return "whole" if at else "cut"


def _matroska(file: BinaryIO, size: int) -> EndMark:
    """Matroska and WebM: the segment has a length once it is finished; live ones never have."""
    file.seek(4)
    header = ebml_length(file)
    if header is None:
        return "cut"
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != b"\x18S\x80g":
        return "cut" if file.tell() >= size else "unmarked"
    length = ebml_length(file)
    if length is None:
        return "unmarked"
    return "whole" if file.tell() + length <= size else "cut"


def _jpeg(file: BinaryIO, size: int) -> EndMark:
    """JPEG: the EOI marker, past those of thumbnails inside of segments.

    What comes after it (more pictures of an MJPEG stream, the video of a motion photo) has no mark.
    """
    if size > _MOST_JPEG_BYTES:
        return "unmarked"
    file.seek(0)
    data = file.read()
    at = 2
    while found := _JPEG_MARKER.search(data, at):
        at = found.end()
        marker = data[at - 1]
        if marker == 0xD9:
            return "unmarked" if data[at:].strip(b"\x00\xff\r\n ") else "whole"
        if marker not in (0x01, 0xD8):
            at += int.from_bytes(data[at : at + 2], "big")
    return "cut"


def _png(file: BinaryIO, size: int) -> EndMark:
    return "whole" if b"\x00\x00\x00\x00IEND\xaeB`\x82" in _tail(file, size, _TAIL_BYTES) else "cut"


def _gif(file: BinaryIO, size: int) -> EndMark:
    """GIF: the trailer, after the empty block that ends the last picture."""
    return "whole" if _tail(file, size, 2) == b"\x00;" else "cut"


def _bmp(file: BinaryIO, size: int) -> EndMark:
    file.seek(2)
    promised = struct.unpack("<I", file.read(4).ljust(4, b"\xff"))[0]
    return "whole" if promised <= size else "cut"


def _program_stream(file: BinaryIO, size: int) -> EndMark:
    """MPEG program streams: an end code, which recorders need not write."""
    return "whole" if _tail(file, size, 4) == b"\x00\x00\x01\xb9" else "unmarked"


def _zip(file: BinaryIO, size: int) -> EndMark:
    return "whole" if b"PK\x05\x06" in _tail(file, size, _ZIP_TAIL_BYTES) else "cut"


_SIGNATURES: dict[bytes, Callable[[BinaryIO, int], EndMark]] = {
    b"RIFF": _riff,
    b"\x1aE\xdf\xa3": _matroska,
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"\x00\x00\x01\xba": _program_stream,
}


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read(length)
