"""A sheet to print of what is exported as evidence: a PDF whose text can be searched."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from ingest.evidence.thumbnail_sheet import INK, MISSING, QUIET, WIDE_FONTS

_MM = 72 / 25.4
_MARGIN, _GAP = 12 * _MM, 5 * _MM
_COLUMNS, _ROWS = 3, 4
PER_PAGE = _COLUMNS * _ROWS
_HEAD = 38 * _MM
_FOOT = 8 * _MM
_CELL = (
    (A4[0] - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS,
    (A4[1] - 2 * _MARGIN - _HEAD - _FOOT - (_ROWS - 1) * _GAP) / _ROWS,
)
_PICTURE_HEIGHT = 31 * _MM
_TITLE_PT, _TEXT_PT, _SMALL_PT = 15, 8, 6.5
#: Pixels of a picture's longer side that are printed: some 250 dots an inch.
PICTURE_PX = 560
_LATIN = "Helvetica"
#: Chinese, where this system has no font to embed: PDF readers bring their own of it.
_CHINESE = "STSong-Light"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture with the lines below it, the first ``strong`` ones in ink, the others in grey."""

    picture: Image.Image | None
    lines: Sequence[str]
    strong: int = 2


def sheet_pdf(title: str, lines: Sequence[str], exhibits: Sequence[Exhibit]) -> bytes:
    """Return a PDF of A4 pages of twelve exhibits, with ``title`` and ``lines`` on each."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, pageCompression=1)
    canvas.setTitle(title)
    canvas.setCreator("Sightline")
    pages = max(1, -(-len(exhibits) // PER_PAGE))
    for page in range(pages):
        _draw_head(canvas, title, lines)
        for place, exhibit in enumerate(exhibits[page * PER_PAGE : (page + 1) * PER_PAGE]):
            row, column = divmod(place, _COLUMNS)
            left = _MARGIN + column * (_CELL[0] + _GAP)
            top = A4[1] - _MARGIN - _HEAD - row * (_CELL[1] + _GAP)
            _draw(canvas, exhibit, left, top)
        canvas.setFillColor(QUIET)
        canvas.setFont(_LATIN, _TEXT_PT)
        foot = f"Sightline · page {page + 1} of {pages}"
        canvas.drawCentredString(A4[0] / 2, _MARGIN - 2 * _MM, foot)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _draw_head(canvas: Canvas, title: str, lines: Sequence[str]) -> None:
    top = A4[1] - _MARGIN - _TITLE_PT
    room = A4[0] - 2 * _MARGIN
    canvas.setFillColor(INK)
    _write(canvas, " ".join(title.split()), (_MARGIN, top), _TITLE_PT, room)
    canvas.setFillColor(QUIET)
    for number, line in enumerate(lines[:6], start=1):
        _write(canvas, line, (_MARGIN, top - 4 - number * (_TEXT_PT + 3.5)), _TEXT_PT, room)
    canvas.setStrokeColor(QUIET)
    rule = A4[1] - _MARGIN - _HEAD + 3 * _MM
    canvas.line(_MARGIN, rule, A4[0] - _MARGIN, rule)


def _draw(canvas: Canvas, exhibit: Exhibit, left: float, top: float) -> None:
    box = (_CELL[0], _PICTURE_HEIGHT)
    if exhibit.picture is None:
        canvas.setFillColor(MISSING)
        canvas.rect(left, top - box[1], *box, stroke=0, fill=1)
    else:
        image = exhibit.picture
        scale = min(box[0] / image.width, box[1] / image.height)
        width, height = image.width * scale, image.height * scale
        place = left + (box[0] - width) / 2, top - box[1] + (box[1] - height) / 2
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=85)
        canvas.drawImage(ImageReader(packed), *place, width, height)
    for number, line in enumerate(exhibit.lines, start=1):
        canvas.setFillColor(INK if number <= exhibit.strong else QUIET)
        size = _TEXT_PT if number <= exhibit.strong else _SMALL_PT
        place = left, top - box[1] - number * (_TEXT_PT + 1.2)
        _write(canvas, line, place, size, _CELL[0])


def _write(canvas: Canvas, text: str, place: tuple[float, float], size: float, room: float) -> None:
    """Write one line, ending in … where it would be wider than there is room."""
    font = _font_for(text)
    canvas.setFont(font, size)
    shown = text
    while shown and pdfmetrics.stringWidth(shown, font, size) > room:
        shown = shown[:-2].rstrip() + "…" if len(shown) > 2 else ""
    canvas.drawString(*place, shown)


def _font_for(text: str) -> str:
    """Return the name of a font that has the letters of a text."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return _wide_font()
    return _LATIN


@cache
def _wide_font() -> str:
    for folder in (Path("/usr/share/fonts"), Path("/Library/Fonts"), Path("C:/Windows/Fonts")):
        for name in WIDE_FONTS:
            for path in folder.rglob(name):
                try:
                    pdfmetrics.registerFont(TTFont("wide", path))
                except (TTFError, OSError):  # its outlines are not TrueType's
                    continue
                return "wide"
    pdfmetrics.registerFont(UnicodeCIDFont(_CHINESE))
    return _CHINESE
