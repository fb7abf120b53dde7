from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from search_core.search.engine import Hit
from sightline.cli.contact_sheet import MARGIN_PX, TILE_PX, TITLE_PX, Section, draw_contact_sheet
from tests.conftest import make_entity


def _hits(count: int, folder: Path) -> list[Hit]:
    (folder / "thumbnails").mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (40, 80), (200, 30, 30)).save(folder / f"thumbnails/{number}.jpg")
    return [Hit(number + 1, 0.5, make_entity(number)) for number in range(count)]


def test_rows_grow_with_the_hits(tmp_path: Path) -> None:
    hits = _hits(7, tmp_path)
    one_row = draw_contact_sheet([Section("five", hits[:5])], tmp_path)
    two_rows = draw_contact_sheet([Section("seven", hits)], tmp_path)
    assert one_row.width == two_rows.width == MARGIN_PX + 5 * (TILE_PX[0] + MARGIN_PX)
    assert two_rows.height > one_row.height + TILE_PX[1]


def test_thumbnails_keep_their_shape(tmp_path: Path) -> None:
    sheet = draw_contact_sheet([Section("one", _hits(1, tmp_path))], tmp_path)
    middle = (MARGIN_PX + TILE_PX[0] // 2, TITLE_PX + TILE_PX[1] // 2)
    beside = (MARGIN_PX + 10, TITLE_PX + TILE_PX[1] // 2)
    red = sheet.getpixel(middle)
    assert isinstance(red, tuple)
    assert red[0] > 150
    assert red[1] < 80
    assert sheet.getpixel(beside) != red


def test_a_missing_thumbnail_and_a_long_title_do_not_stop_it(tmp_path: Path) -> None:
    hits = [Hit(1, 0.1, make_entity(5))]
    sheet = draw_contact_sheet([Section("word " * 200, hits), Section("nothing", [])], tmp_path)
    assert sheet.width == 2 * MARGIN_PX + TILE_PX[0]


def test_the_box_that_a_hit_was_found_by_is_outlined(tmp_path: Path) -> None:
    hits = _hits(2, tmp_path)
    box = (0.25, 0.5, 0.5, 0.75)
    found = [hits[0], replace(hits[1], box=box)]
    sheet = draw_contact_sheet([Section("two", found)], tmp_path)
    whole, part = (
        sheet.crop((left, TITLE_PX, left + TILE_PX[0], TITLE_PX + TILE_PX[1]))
        for left in (MARGIN_PX, 2 * MARGIN_PX + TILE_PX[0])
    )
    changed = ImageChops.difference(whole, part).getbbox()
    entity = hits[1].entity
    shown = entity.width / entity.height * TILE_PX[1]
    left = (TILE_PX[0] - shown) / 2
    assert changed is not None
    expected = (left + box[0] * shown, box[1] * TILE_PX[1], left + box[2] * shown, 0.75 * 180)
    assert changed == pytest.approx(expected, abs=2)
