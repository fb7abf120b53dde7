"""Contact sheets: hits' thumbnails on one picture, each with its caption, and the box it was found
by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from ingest.evidence.thumbnail_sheet import INK, PAPER, QUIET, cut, font_for, tile
from search_core.schema.entity import Box, MediaEntity, clock_from_ms
from search_core.search.engine import Hit
from sightline.cli.terminal import local_time

COLUMNS = 5
TILE_PX = (320, 180)
MARGIN_PX = 16
CAPTION_PX = 42
TITLE_PX = 52
#: Milvus takes 16,384 hits; a JPEG is at most 65,535 pixels high.
MOST_HITS = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """One query's hits under their title; ``marked`` ranks get a tick in their caption."""

    title: str
    hits: Sequence[Hit]
    marked: frozenset[int] = frozenset()


def write_contact_sheet(path: Path, sections: Sequence[Section], data_dir: Path) -> None:
    """Write a sheet to ``path`` (.jpg or .png); at most the first 1,000 hits of a section."""
    sheet = draw_contact_sheet(sections, data_dir)
    if path.suffix.lower() == ".png":
        sheet.save(path)
    else:
        sheet.save(path, "JPEG", quality=88)


def draw_contact_sheet(sections: Sequence[Section], data_dir: Path) -> Image.Image:
    """Return an RGB picture of the sections below one another."""
    widest = max((len(section.hits) for section in sections), default=1)
    columns = max(1, min(COLUMNS, widest))
    width = MARGIN_PX + columns * (TILE_PX[0] + MARGIN_PX)
    heights = [_section_height(len(section.hits[:MOST_HITS]), columns) for section in sections]
    sheet = Image.new("RGB", (width, sum(heights) + MARGIN_PX), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = 0
    for section, height in zip(sections, heights, strict=True):
        _draw_section(sheet, pen, section, data_dir, top, columns)
        top += height
    return sheet


def _section_height(hits: int, columns: int) -> int:
    rows = -(-hits // columns)
    return TITLE_PX + rows * (TILE_PX[1] + CAPTION_PX + MARGIN_PX)


def _draw_section(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    section: Section,
    data_dir: Path,
    top: int,
    columns: int,
) -> None:
    room = sheet.width - 2 * MARGIN_PX
    title_font = font_for(section.title, 22)
    title = cut(pen, " ".join(section.title.split()), title_font, room)
    pen.text((MARGIN_PX, top + MARGIN_PX), title, fill=INK, font=title_font)
    for place, hit in enumerate(section.hits[:MOST_HITS]):
        row, column = divmod(place, columns)
        left = MARGIN_PX + column * (TILE_PX[0] + MARGIN_PX)
        above = top + TITLE_PX + row * (TILE_PX[1] + CAPTION_PX + MARGIN_PX)
        sheet.paste(tile(hit.entity, data_dir, TILE_PX), (left, above))
        if hit.box is not None:
            _draw_box(pen, hit.entity, hit.box, (left, above))
        _draw_caption(pen, hit, hit.rank in section.marked, (left, above + TILE_PX[1] + 4))


def _draw_box(
    pen: ImageDraw.ImageDraw, entity: MediaEntity, box: Box, corner: tuple[int, int]
) -> None:
    """Outline a region on the tile whose upper left corner this is, light on dark."""
    width, height = max(1, entity.width), max(1, entity.height)
    scale = min(TILE_PX[0] / width, TILE_PX[1] / height)
    shown = (width * scale, height * scale)
    left, top = (at + (TILE_PX[axis] - shown[axis]) / 2 for axis, at in enumerate(corner))
    place = [round(edge * shown[i % 2] + (left, top)[i % 2]) for i, edge in enumerate(box)]
    for colour, line_px in ((INK, 4), ("#ffd166", 2)):
        pen.rectangle(place, outline=colour, width=line_px)


def _draw_caption(
    pen: ImageDraw.ImageDraw, hit: Hit, marked: bool, corner: tuple[int, int]
) -> None:
    left, above = corner
    entity = hit.entity
    first = f"{hit.rank}  ·  {hit.score:.3f}  ·  {entity.camera or Path(entity.uri).name}"
    font = font_for(first, 14)
    second = local_time(entity.captured_at)
    if entity.in_video:
        second += f"  ·  at {clock_from_ms(entity.pts_ms)}"
    room = TILE_PX[0]
    if marked:
        _draw_tick(pen, (left + room - 16, above + 3))
        room -= 22
    pen.text((left, above), cut(pen, first, font, room), fill=INK, font=font)
    pen.text((left, above + 18), cut(pen, second, font, TILE_PX[0]), fill=QUIET, font=font)


def _draw_tick(pen: ImageDraw.ImageDraw, corner: tuple[int, int]) -> None:
    left, above = corner
    pen.line(
        [(left, above + 6), (left + 4, above + 11), (left + 13, above)], fill="#1a7f37", width=3
    )
