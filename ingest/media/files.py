"""A file by its bytes: what it is, whether all of it is there, and the hashes of its content.

Names lie: a JPEG called .mp4 is still a JPEG. Whether something is still writing a file is told by
three kinds of evidence, strongest first:

1. the end mark of the file's format (:func:`end_mark`): a whole MP4, AVI or JPEG shows that it is;
2. whether a process has the file open for writing, where the kernel can tell
   (:func:`open_for_writing`): Linux, local file systems;
3. how long the file has not changed: ``QUIET_S`` for formats without an end mark (MPEG-TS, raw
   streams), ``ABANDONED_S`` where the mark is missing and the recorder may have crashed.

The BLAKE2b of its content names a source, the SHA-256 is what evidence states.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import signal
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from search_core.errors import CorruptMedia, MediaError, UnsupportedMedia, in_words
from search_core.messages import Message

Kind = Literal["image", "video", "audio", "archive", "drawing", "unreadable", "unknown"]

#: How many bytes :func:`kind_of` wants to see.
HEAD_BYTES = 512

_PREFIXES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "image"),  # JPEG
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"II*\x00", "image"),  # TIFF
    (b"MM\x00*", "image"),
    (b"II+\x00", "image"),  # BigTIFF
    (b"MM\x00+", "image"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image"),  # JPEG 2000
    (b"\xff\x4f\xff\x51", "image"),
    (b"\x00\x00\x01\x00", "image"),  # ICO
    (b"qoif", "image"),
    (b"8BPS", "image"),  # Photoshop
    (b"DDS ", "image"),
    (b"FUJIFILMCCD-RAW", "image"),  # RAW photographs: see media.raw_photo
    (b"FOVb", "image"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "image"),
    (b"\x00MRM", "image"),
    (b"IIRO", "image"),
    (b"IIRS", "image"),
    (b"MMOR", "image"),
    (b"IIU\x00", "image"),
    (b"\x1aE\xdf\xa3", "video"),  # Matroska, WebM
    (b"FLV\x01", "video"),
    (b"\x00\x00\x01\xba", "video"),  # MPEG program stream
    (b"\x00\x00\x01\xb3", "video"),  # MPEG-1/2 video
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),  # ASF, WMV
    (b"OggS", "video"),
    (b"YUV4MPEG2", "video"),
    (b"DKIF", "video"),  # IVF
    (b"DHAV", "video"),  # Dahua
    (b"ID3", "audio"),
    (b"fLaC", "audio"),
    (b"#!AMR", "audio"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),  # an empty zip
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),  # Zstandard
)
#: Pictures and videos that are known and cannot be read, and what they are called.
_UNREADABLE: tuple[tuple[bytes, str], ...] = (
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"II\xbc", "a JPEG XR picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"gimp xcf", "a GIMP picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"FLIF", "a FLIF picture"),
    (b".RMF", "a RealMedia video"),
    (b"nut/multimedia container", "a NUT video"),
    (b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d", "a WTV video"),
)
_RIFF: dict[bytes, Kind] = {b"WEBP": "image", b"AVI ": "video", b"WAVE": "audio"}
_IMAGE_BRANDS = frozenset(
    b"heic heix heim heis hevc hevx mif1 msf1 avif avis".split()  # HEIF and AVIF
) | {b"crx "}  # Canon's CR3
_AUDIO_BRANDS = frozenset((b"M4A ", b"M4B "))
_QUICKTIME_ATOMS = frozenset((b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot"))

_MEDIA_SUFFIXES = frozenset(
    (  # noqa: SIM905 - a list of these would be seventy lines
        ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .bmp .dib .tif .tiff .jp2 .j2k .jpx .ico"
        " .jxl .jxr .wdp .hdp .exr .xcf .bpg .flif .dng .gpr .nef .nrw .cr2 .cr3 .crw .arw .srf"
        " .sr2 .raf .rw2 .rwl .orf .pef .srw .x3f .mrw .3fr .iiq .erf .mef .kdc .dcr"
        " .mjpeg .mjpg .dav .rm .rmvb .nut .wtv .insv .lrv"
        " .qoi .ppm .pgm .pbm .pnm .tga .dds .pcx .sgi .psd .avif .avifs .heic .heif .hif .svg"
        " .svgz .mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .mpe .m1v .m2v .vob .ts .mts .m2ts"
        " .flv .f4v .wmv .asf .ogv .ogg .3gp .3g2 .mxf .y4m .dv .h264 .264 .h265 .265"
        " .hevc .av1 .ivf .mp3 .m4a .wav .flac .aac .wma .opus"
    ).split()
)


def kind_of(head: bytes) -> Kind:
    """Return what a file that begins with ``head`` (up to HEAD_BYTES bytes) holds."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "unknown")
    if head[4:8] == b"ftyp":
        if head[8:12] in _IMAGE_BRANDS:
            return "image"
        return "audio" if head[8:12] in _AUDIO_BRANDS else "video"
    if head[4:8] in _QUICKTIME_ATOMS:
        return "video"
    if unreadable_format(head):
        return "unreadable"
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:1] == b"\x47" and head[188:189] == b"\x47":  # MPEG transport stream
        return "video"
    if head[4:5] == b"\x47" and head[196:197] == b"\x47":  # the same with Blu-ray's timestamps
        return "video"
    if _looks_like_svg(head):
        return "drawing"
    if head[:2] == b"--" and b"content-type: image/jpeg" in head.lower():  # MJPEG over HTTP
        return "video"
    return "unknown"


def kind_of_file(path: Path) -> Kind:
    """Return what a file holds by its beginning.

    Raises MediaError when it cannot be read, CorruptMedia when it is empty, UnsupportedMedia for
    archives and drawings.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise MediaError("does not exist") from error
    except OSError as error:
        raise MediaError("cannot be read: {error}", error=in_words(error)) from error
    kind = kind_of(head)
    refuse_unreadable(head)
    return kind


def unreadable_format(head: bytes) -> str:
    """Return what a picture or video that cannot be read is called, "" for all others."""
    return next((name for prefix, name in _UNREADABLE if head.startswith(prefix)), "")


def refuse_unreadable(head: bytes) -> None:
    """Raise MediaError for what cannot be read: nothing at all, drawings, archives, formats.

    ``head`` is up to HEAD_BYTES of the beginning.
    """
    kind = kind_of(head)
    if not head:
        raise CorruptMedia("is empty")
    if kind == "unreadable":
        raise UnsupportedMedia(
            "is {name}, a format that cannot be read",
            "Convert it, a picture to PNG or JPEG, a video to MP4.",
            name=unreadable_format(head),
        )
    if kind == "drawing":
        raise UnsupportedMedia("is an SVG drawing, which has no pixels", "Export it as a PNG.")
    if kind == "archive":
        raise UnsupportedMedia("is an archive, not an image or a video")


def named_like_media(name: str) -> bool:
    """Whether a file's name says that it is an image, a video or audio."""
    return PurePath(name).suffix.lower() in _MEDIA_SUFFIXES


def is_zip(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a zip archive."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _looks_like_svg(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!doc")) and b"<svg" in text)


def ebml_length(file: BinaryIO) -> int | None:
    """Read an EBML length (of Matroska and WebM); None for one that is unknown, or cut off."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) < width - 1:
        return None
    value = int.from_bytes(first + rest, "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value


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
#: The record that ends an archive, without the comment whose length its last two bytes say.
_ZIP_END_BYTES = 22
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
    tail = _tail(file, size, _ZIP_TAIL_BYTES)
    record = tail[max(0, tail.rfind(b"PK\x05\x06")) :]
    if not record.startswith(b"PK\x05\x06") or len(record) < _ZIP_END_BYTES:
        return "cut"
    comment = int.from_bytes(record[_ZIP_END_BYTES - 2 : _ZIP_END_BYTES], "little")
    return "whole" if len(record) >= _ZIP_END_BYTES + comment else "cut"


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


DIGEST_BYTES = 16
#: Why a file is refused whose content is not what was hashed when its ingest began.
CHANGED_WHILE_READ = Message("was changed while it was read; run again when it is complete")
_CHUNK_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Content:
    """The hashes of a file's content, in hex: ``source_id`` is its BLAKE2b-128."""

    source_id: str
    sha256: str


NO_CONTENT = Content("", "")


class ContentDigest:
    """Computes both hashes in one pass over the bytes."""

    def __init__(self) -> None:
        self._blake2b = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Add the next bytes of the content."""
        self._blake2b.update(data)
        self._sha256.update(data)

    def content(self) -> Content:
        """Return the hashes of all bytes so far."""
        return Content(self._blake2b.hexdigest(), self._sha256.hexdigest())


def content_of(path: Path) -> Content:
    """Return the hashes of a file's content; raises OSError."""
    digest = ContentDigest()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.content()
