from __future__ import annotations

import io

import pytest
from PIL import Image

from dashboard.components.image_input import KEPT_PX, read_picture
from search_core.errors import CorruptMedia, MediaTooLarge, UnsupportedMedia

LIMIT = 10_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


RED = Image.new("RGB", (80, 40), "red")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_reads_pictures_as_rgb(kind: str) -> None:
    found = read_picture(encoded(RED, kind), LIMIT)

    assert found.image.mode == "RGB"
    assert found.image.size == (80, 40)
    assert found == read_picture(encoded(RED, kind), LIMIT)


def test_turns_pictures_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_picture(encoded(RED, "JPEG", exif=exif), LIMIT)

    assert found.image.size == (40, 80)


def test_what_is_transparent_becomes_white() -> None:
    found = read_picture(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG"), LIMIT)

    assert found.image.getpixel((4, 4)) == (255, 255, 255)


def test_keeps_large_pictures_small() -> None:
    found = read_picture(encoded(Image.new("RGB", (3000, 1000)), "JPEG"), LIMIT)

    assert found.image.size == (KEPT_PX, 341)


def test_refuses_what_is_no_picture() -> None:
    for data in (b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='x'/>"):
        with pytest.raises(UnsupportedMedia):
            read_picture(data, LIMIT)


def test_refuses_a_picture_that_ends_too_early() -> None:
    whole = encoded(Image.effect_noise((200, 200), 50).convert("RGB"), "PNG")

    with pytest.raises(CorruptMedia):
        read_picture(whole[: len(whole) // 2], LIMIT)


def test_refuses_more_pixels_than_the_limit_before_decoding_them() -> None:
    with pytest.raises(MediaTooLarge, match="million pixels"):
        read_picture(encoded(Image.new("1", (20_000, 20_000)), "PNG"), LIMIT)
