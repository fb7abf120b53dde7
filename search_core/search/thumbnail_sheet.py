"""Sheets of thumbnails: what each of them draws, and the printable one of hits as evidence, which
says what was asked, when, and the hashes of the files.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from search_core.schema.entity import CapturedFrom, MediaEntity, clock_from_ms, iso_from_ms
from search_core.search.engine import Hit

INK, QUIET, PAPER, MISSING = "#1b1f24", "#5b6570", "#ffffff", "#d8dde3"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
#: The last letter that Pillow's own font has, and the punctuation it has beyond.
_LAST_LATIN, _PUNCTUATION = 0x24F, range(0x2000, 0x2070)
#: Fonts that systems have for Chinese, Japanese and Korean, then for other scripts.
_WIDE_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "SourceHanSansSC-Regular.otf"),
    *("wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc"),
    *("Hiragino Sans GB.ttc", "msyh.ttc", "simhei.ttf", "DejaVuSans.ttf"),
)


def tile(entity: MediaEntity, data_dir: Path, size: tuple[int, int]) -> Image.Image:
    """Return an entity's thumbnail fitted into (width, height), or an empty tile without one."""
    try:
        with Image.open(data_dir / entity.thumbnail) as opened:
            return ImageOps.pad(opened.convert("RGB"), size, color=MISSING)
    except OSError:
        made = Image.new("RGB", size, MISSING)
        pen = ImageDraw.Draw(made)
        middle = (size[0] / 2, size[1] / 2)
        pen.text(middle, "no thumbnail", fill=QUIET, font=ImageFont.load_default(14), anchor="mm")
        return made


def font_for(text: str, size_px: int) -> Font:
    """Return a font that has the letters of a text: Pillow's own, else one of this system.

    Where the system has none, letters that are not Latin are drawn as boxes.
    """
    if all(ord(letter) <= _LAST_LATIN or ord(letter) in _PUNCTUATION for letter in text):
        return ImageFont.load_default(size_px)
    return _wide_font(size_px)


@cache
def _wide_font(size_px: int) -> Font:
    for name in _WIDE_FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


def cut(pen: ImageDraw.ImageDraw, text: str, font: Font, room_px: int) -> str:
    """Return ``text`` on one line, ending in … where it would be wider than ``room_px``."""
    if pen.textlength(text, font=font) <= room_px:
        return text
    while text and pen.textlength(text + "…", font=font) > room_px:
        text = text[:-1]
    return text.rstrip() + "…"


#: A4 upright at 150 dots an inch.
_DPI = 150
_PAGE_PX = (1240, 1754)
_MARGIN_PX = 62
_GAP_PX = 22
_COLUMNS, _ROWS = 3, 4
_HEAD_PX = 272
_CAPTION_PX = 138
_LINE_PX = 19
_TILE_PX = ((_PAGE_PX[0] - 2 * _MARGIN_PX - (_COLUMNS - 1) * _GAP_PX) // _COLUMNS, 196)
A_PAGE = _COLUMNS * _ROWS
#: What is said of times that do not come from the moment of capture.
_DOUBTED: Mapping[CapturedFrom, str] = {
    "modified": " (last change)",
    "day": " (day only)",
    "file": " (file's time)",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sheet says of a search: what was asked, lines about how, and when it was made.

    ``sha256`` holds in hex, by entity id, the hashes of the files as they were taken in, "" where
    one is not known; ``notes`` what else is to be said of a file. Times are shown in ``zone`` and
    in UTC.
    """

    asked: str
    lines: Sequence[str]
    hits: Sequence[Hit]
    sha256: Mapping[str, str]
    made_at: datetime
    zone: tzinfo
    notes: Mapping[str, str] = field(default_factory=dict)


def evidence_pdf(evidence: Evidence, data_dir: Path) -> bytes:
    """Return the sheet as a PDF of A4 pages, twelve hits each."""
    count = max(1, -(-len(evidence.hits) // A_PAGE))
    pages = [_page(evidence, data_dir, number, count) for number in range(count)]
    file = io.BytesIO()
    pages[0].save(
        file,
        "PDF",
        save_all=True,
        append_images=pages[1:],
        resolution=_DPI,
        title=evidence.asked,
        producer="Sightline",
    )
    return file.getvalue()


def _page(evidence: Evidence, data_dir: Path, number: int, count: int) -> Image.Image:
    page = Image.new("RGB", _PAGE_PX, PAPER)
    pen = ImageDraw.Draw(page)
    _draw_head(pen, evidence)
    for place, hit in enumerate(evidence.hits[number * A_PAGE : (number + 1) * A_PAGE]):
        row, column = divmod(place, _COLUMNS)
        left = _MARGIN_PX + column * (_TILE_PX[0] + _GAP_PX)
        top = _HEAD_PX + row * (_TILE_PX[1] + _CAPTION_PX + _GAP_PX)
        page.paste(tile(hit.entity, data_dir, _TILE_PX), (left, top))
        _draw_caption(pen, hit, evidence, (left, top + _TILE_PX[1] + 5))
    foot = f"Sightline · page {number + 1} of {count}"
    font = ImageFont.load_default(15)
    pen.text((_PAGE_PX[0] / 2, _PAGE_PX[1] - 30), foot, fill=QUIET, font=font, anchor="mm")
    return page


def _draw_head(pen: ImageDraw.ImageDraw, evidence: Evidence) -> None:
    room = _PAGE_PX[0] - 2 * _MARGIN_PX
    top = 44.0
    title = font_for(evidence.asked, 28)
    for line in textwrap.wrap(" ".join(evidence.asked.split()), 76)[:2]:
        pen.text((_MARGIN_PX, top), cut(pen, line, title, room), fill=INK, font=title)
        top += 36
    made = evidence.made_at.astimezone(evidence.zone).strftime("%Y-%m-%d %H:%M:%S %Z")
    utc = evidence.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [*evidence.lines, f"Made {made} ({utc})"]
    for line in lines[:6]:
        font = font_for(line, 16)
        pen.text((_MARGIN_PX, top + 6), cut(pen, line, font, room), fill=QUIET, font=font)
        top += 24
    pen.line([(_MARGIN_PX, _HEAD_PX - 14), (_PAGE_PX[0] - _MARGIN_PX, _HEAD_PX - 14)], QUIET, 1)


def _draw_caption(
    pen: ImageDraw.ImageDraw, hit: Hit, evidence: Evidence, corner: tuple[int, int]
) -> None:
    left, top = corner
    digest = evidence.sha256.get(hit.entity.id, "")
    hashed = (digest[:32], digest[32:]) if digest else ("SHA-256: not known",)
    note = evidence.notes.get(hit.entity.id, "")
    lines = [
        (f"{hit.rank}  ·  {hit.score:.4f}  ·  {hit.entity.camera or 'no camera'}", INK),
        (_local(hit.entity, evidence.zone) + _DOUBTED.get(hit.entity.captured_from, ""), INK),
        (iso_from_ms(hit.entity.captured_at), QUIET),
        (_place(hit.entity), QUIET),
        *((text, QUIET) for text in hashed),
        *(((note, INK),) if note else ()),
    ]
    for number, (text, colour) in enumerate(lines):
        font = font_for(text, 15 if number < 4 else 14)
        room = _TILE_PX[0]
        place = (left, top + number * _LINE_PX)
        pen.text(place, cut(pen, text, font, room), fill=colour, font=font)


def _local(entity: MediaEntity, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(entity.captured_at / 1000, zone)
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def _place(entity: MediaEntity) -> str:
    name = Path(entity.uri).name
    return f"{name}, at {clock_from_ms(entity.pts_ms)}" if entity.in_video else name
