"""Video containers: opening them, the tracks they hold, and what is wrong with a file as a whole.

Notes are predicates, to be put after a file's name. MP4 recordings may be joined byte by byte:
which of them libav reads is told by their boxes. libav reads the first ``moov`` box (the header)
and skips later ones, but goes on with the fragments (``moof`` boxes) that follow a skipped one.
Those decode if the two headers describe their tracks alike and the fragments count offsets from
themselves.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from ingest.media.damage import open_error
from ingest.media.files import ebml_length
from search_core.errors import UnsupportedMedia

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


VideoPacket: TypeAlias = "Packet[VideoStream]"

#: Containers of footage. Playlists and the like, which can name other files and addresses, are not
#: among them, and no protocol but the local file is open to what a file refers to.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": (
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,h264,hevc,"
        "ivf,av1,obu,dv,yuv4mpegpipe,dhav,mjpeg,mpjpeg,mp3,wav,aac,flac,amr"
    ),
}
#: Tracks that are no footage: covers, previews for a scrubber, enhancements of another track.
_NO_FOOTAGE = (
    Disposition.attached_pic
    | Disposition.still_image
    | Disposition.timed_thumbnails
    | Disposition.dependent
)
_HEAD_BYTES = 1024 * 1024
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_TS_PACKET_BYTES = 188


def open_container(
    path: Path, *, known: bool = True, format_name: str | None = None
) -> InputContainer:
    """Open a video file; ``known`` says that it begins as one, ``format_name`` is its demuxer.

    Raises MediaError.
    """
    try:
        # The prefix keeps a name like "http:x" or "concat:x" from being taken for an address.
        return av.open(
            f"file:{path}",
            format=format_name,
            options=dict(_OPEN_OPTIONS),
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError) as error:
        raise open_error(error, known) from error


def video_tracks(container: InputContainer) -> list[VideoStream]:
    """Return the video tracks to decode, the main one first: libav's choice, or else the largest.

    Covers and previews are not among them. Raises UnsupportedMedia when there is none.
    """
    footage = [stream for stream in container.streams.video if not stream.disposition & _NO_FOOTAGE]
    if not footage:
        raise UnsupportedMedia(
            "has no video stream, only audio" if container.streams.audio else "has no video stream"
        )
    readable = [stream for stream in footage if _is_decodable(stream)]
    if not readable:
        raise UnsupportedMedia("has video in a coding that cannot be decoded")
    best = container.streams.best("video")
    main = max(readable, key=lambda stream: (stream == best, stream.width * stream.height))
    others = [stream for stream in readable if stream != main and stream.frames != 1]
    return [main, *others]


def number_of(container: InputContainer, stream: VideoStream) -> int:
    """Return a video track's number in its file, counted from 1."""
    return 1 + container.streams.video.index(stream)


def undecodable_tracks(container: InputContainer) -> list[int]:
    """Return the numbers of the video tracks whose coding cannot be decoded."""
    return [
        number_of(container, stream)
        for stream in container.streams.video
        if not (_is_decodable(stream) or stream.disposition & _NO_FOOTAGE)
    ]


def _is_decodable(stream: VideoStream) -> bool:
    context: object = stream.codec_context  # None where there is no decoder
    return context is not None


def is_encrypted(path: Path, container: InputContainer) -> bool:
    """Return whether the video at a file's beginning is encrypted (MP4, Matroska) or scrambled."""
    name = container.format.name
    if name == "mpegts":
        return _is_scrambled(_head(path))
    if name.startswith("matroska"):
        return any("enc_key_id" in stream.metadata for stream in container.streams.video)
    return False


def has_encrypted_frame(packet: VideoPacket) -> bool:
    """Return whether a packet can be decoded only with a key."""
    return bool(packet.has_sidedata("encryption_info"))


def is_cut_short(path: Path, container: InputContainer) -> bool:
    """Return whether a file lacks its end, by what its header or its last page says."""
    name, size = container.format.name, container.size
    if name == "avi":
        return _little(_head(path), 4, 4) + 8 > size
    if name == "asf":
        head = _head(path)
        at = head.find(_ASF_PROPERTIES)
        return at >= 0 and _little(head, at + 40, 8) > size
    if name == "ogg":
        with path.open("rb") as file:
            file.seek(max(0, size - _HEAD_BYTES // 8))
            tail = file.read()
        at = tail.rfind(b"OggS")
        return at >= 0 and not tail[at + 5 : at + 6] > b"\x03"  # bit 2: the last page
    return False


def is_mp4(container: InputContainer) -> bool:
    """Return whether libav reads a file as MP4, QuickTime or one of their kind."""
    return container.format.name.startswith("mov,")


def is_joined(path: Path, container: InputContainer) -> bool:
    """Return whether a second file follows the first within this one, and is read after it."""
    name = container.format.name
    if is_mp4(container):
        return bool(joined_mp4(path).read)
    with path.open("rb") as file:
        if name == "avi":
            file.seek(4)
            riff_bytes = _little(file.read(4), 0, 4)
            file.seek(8 + riff_bytes + riff_bytes % 2)
            chunk = file.read(12)
            return chunk[:4] == b"RIFF" and chunk[8:] == b"AVI "
        if name.startswith("matroska"):
            for _ in range(2):  # the EBML header, then the Segment: an id, which is coded as a
                ebml_length(file)  # length is, and the length
                size = ebml_length(file)
                if size is None:
                    return False
                file.seek(size, 1)
            return file.read(4) == b"\x1a\x45\xdf\xa3"
    return False


def unread_recording(path: Path, after: int) -> int | None:
    """Return where a second recording begins that was joined to the first and is never read.

    ``after`` is where the last packet ends. Only for containers that are read to their first end.
    """
    with path.open("rb") as file:
        signature, behind = _signature(file.read(16))
        if signature is None or path.stat().st_size <= after:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(signature, after)
    return at - behind if at >= 0 else None


def _signature(head: bytes) -> tuple[bytes | None, int]:
    """Return what files like this one have at their beginning, and how many bytes behind it."""
    if head[4:8] == b"ftyp":
        return head[4:12], 4
    if head.startswith(b"FLV\x01"):
        return head[:9], 0
    if head.startswith(b"DKIF"):
        return head[:12], 0
    return (head, 0) if head.startswith(b"\x30\x26\xb2\x75") else (None, 0)  # ASF


def _is_scrambled(head: bytes) -> bool:
    """Return whether a transport stream's packets say that their content is scrambled."""
    start = next(
        (at for at in range(_TS_PACKET_BYTES) if head[at::_TS_PACKET_BYTES][:5] == b"G" * 5), None
    )
    if start is None:
        return False
    flags = head[start + 3 :: _TS_PACKET_BYTES]
    return 4 * sum(flag >= 0x80 for flag in flags) > len(flags)  # tables are never scrambled


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _little(data: bytes, at: int, count: int) -> int:
    return int.from_bytes(data[at : at + count], "little")
