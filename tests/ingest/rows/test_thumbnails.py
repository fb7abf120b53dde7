"""Thumbnails: where they lie, how large they are, and that none is ever half there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest.media.thumbnails import fitted, thumbnail_path, write_thumbnail
from search_core.schema.entity import FrameRef

REF = FrameRef("ab12", 1500)


def test_the_same_frame_has_the_same_path(tmp_path: Path) -> None:
    assert thumbnail_path(REF) == "thumbnails/ab/ab12/1500.jpg"
    assert write_thumbnail(Image.new("RGB", (9, 9)), REF, tmp_path, 5) == thumbnail_path(REF)
    with Image.open(tmp_path / thumbnail_path(REF)) as image:
        assert (image.format, image.size) == ("JPEG", (5, 5))


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(32, 512))
def test_the_longer_side_fits_and_nothing_grows(width: int, height: int, longest: int) -> None:
    size = fitted(Image.new("L", (width, height)), longest).size
    assert max(size) == min(longest, max(width, height)) and min(size) >= 1


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*arguments: object, **options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", disk_full)
    with pytest.raises(OSError, match="no space"):
        write_thumbnail(Image.new("RGB", (9, 9)), REF, tmp_path, 5)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
