"""Names of a zip's members: the code page of those that do not say theirs.

A zip marks names in UTF-8; others are bytes in the code page of the machine that made it, which
zipfile reads as cp437. All names of an archive are in one, so that they are judged together.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from zipfile import ZipInfo

_UTF8_FLAG = 0x800
#: Info-ZIP's extra field with the name in UTF-8: version 1, CRC-32 of the plain name, the name.
_UNICODE_PATH = 0x7075

#: A byte or a pair of bytes of a name, whether it is a letter that is common in a language.
_Common = Callable[[int, int], bool]


def _between(lead: tuple[int, int], trail: tuple[int, int] = (0xA1, 0xFE)) -> _Common:
    return lambda first, second: lead[0] <= first <= lead[1] and trail[0] <= second <= trail[1]


def _shift_jis(first: int, second: int) -> bool:
    kana = (first == 0x82 and 0x9F <= second <= 0xF1) or (first == 0x83 and 0x40 <= second <= 0x96)
    return kana or 0x88 <= first <= 0x97 or (first == 0x81 and second in (0x45, 0x5B))


#: Code pages with two bytes a character, and which of their characters are common. Korean comes
#: before Chinese, whose common characters include all of its bytes.
_DOUBLE: tuple[tuple[str, _Common], ...] = (
    ("cp949", _between((0xB0, 0xC8))),
    ("gb18030", _between((0xB0, 0xD7))),
    ("cp932", _shift_jis),
    ("big5", lambda first, second: 0xA4 <= first <= 0xC6),
)
#: Hangul's bytes are those of a Chinese character's in three of five cases: so many characters
#: that all are Hangul's are Korean.
_LEAST_HANGUL = 8
#: One accented letter, or two within a word, as in "Größe".
_WESTERN = re.compile(rb"(?:[\x00-\x7f]|(?<=[A-Za-z])[\x80-\xff]{1,2}(?=[A-Za-z]))*")
_LEAST_CYRILLIC = 4
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


def _is_cyrillic(names: Sequence[bytes]) -> bool:
    """Whether most letters are those of the Cyrillic code page: Western names have few such."""
    high = [byte for name in names for byte in name if byte >= 0x80]
    letters = sum(len(name.rpartition(b".")[0]) for name in names)
    all_cyrillic = all(0x80 <= byte <= 0xAF or 0xE0 <= byte <= 0xF1 for byte in high)
    return all_cyrillic and len(high) >= _LEAST_CYRILLIC and len(high) > letters / 3


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
