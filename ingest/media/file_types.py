"""What a file is by its first bytes, since names lie: a JPEG called .mp4 is still a JPEG."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import BinaryIO, Literal

from search_core.errors import CorruptMedia, MediaError, UnsupportedMedia, in_words

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
    (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"msf1",
        b"avif",
        b"avis",
        b"crx ",
    )
)
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
