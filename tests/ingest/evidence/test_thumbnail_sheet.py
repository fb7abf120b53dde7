from __future__ import annotations

from typing import Any

import pytest
from PIL import ImageFont

from ingest.evidence import thumbnail_sheet as sheet_drawing
from ingest.evidence.thumbnail_sheet import font_for


def test_letters_that_pillows_own_font_lacks_are_looked_for_on_this_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_for: list[str] = []
    pillows = ImageFont.truetype

    def opened(font: Any, *options: Any, **named: Any) -> ImageFont.FreeTypeFont:
        if not isinstance(font, str):
            return pillows(font, *options, **named)  # its own
        looked_for.append(font)
        raise OSError("cannot open resource")

    monkeypatch.setattr(ImageFont, "truetype", opened)
    sheet_drawing._wide_font.cache_clear()
    own = font_for("a white car – “gate 3” …", 17)
    assert not looked_for
    assert font_for("白色汽车", 17).getbbox("a") == own.getbbox("a")  # drawn as boxes, not refused
    assert "NotoSansCJK-Regular.ttc" in looked_for
    sheet_drawing._wide_font.cache_clear()
