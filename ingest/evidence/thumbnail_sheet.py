"""What every sheet of thumbnails draws: a thumbnail fitted into a tile, a text cut to its room."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from search_core.schema.entity import MediaEntity

INK, QUIET, PAPER, MISSING = "#1b1f24", "#5b6570", "#ffffff", "#d8dde3"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
#: The last letter that Pillow's own font has, and the punctuation it has beyond.
_LAST_LATIN, _PUNCTUATION = 0x24F, range(0x2000, 0x2070)
#: Fonts that systems have for Chinese, Japanese and Korean, then for other scripts.
WIDE_FONTS = (
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
    for name in WIDE_FONTS:
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
