"""Pictures of every mode and kind become upright RGB; bad ones say what is wrong."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.media.base import DecodedFrame, LeastSize, OpenedMedia
from ingest.media.decoding import decode_image, frame_at, open_media
from ingest.media.keyframes.registry import parse_selector
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia
from tests.support.made_media import make_clip, make_photo

PIXELS = 10_000_000


def colour_of(image: Image.Image, at: tuple[int, int] = (40, 30)) -> tuple[int, int, int]:
    assert image.mode == "RGB"
    pixel = image.getpixel(at)
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return red, green, blue


def close(one: Sequence[int], other: Sequence[int], tolerance: int = 6) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def frames_of(
    path: Path,
    selector: str = "auto",
    *,
    max_animation_frames: int = 64,
    least: LeastSize | None = None,
    keep_partial: bool = False,
) -> tuple[list[DecodedFrame], OpenedMedia]:
    media = open_media(
        path,
        max_pixels=PIXELS,
        max_animation_frames=max_animation_frames,
        least=least,
        keep_partial=keep_partial,
    )
    try:
        return list(media.frames(parse_selector(selector), lambda: None)), media
    finally:
        media.close()


@pytest.mark.parametrize(
    ("mode", "suffix", "colour", "seen"),
    [
        ("RGB", "png", (10, 200, 30), (10, 200, 30)),
        ("L", "png", 77, (77, 77, 77)),
        ("1", "png", 1, (255, 255, 255)),
        ("P", "gif", 0, (0, 0, 0)),
        ("CMYK", "jpg", (0, 255, 255, 0), (254, 0, 0)),
        ("LAB", "tif", (136, 208, 195), (255, 0, 0)),
        ("RGBA", "png", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", "webp", (0, 0, 0, 128), (127, 127, 127)),
        ("LA", "png", (0, 0), (255, 255, 255)),
        ("I;16", "png", 32768, (128, 128, 128)),
        ("I;16", "tif", 65535, (255, 255, 255)),
        ("RGB", "bmp", (10, 200, 30), (10, 200, 30)),
        ("RGB", "jp2", (10, 200, 30), (10, 200, 30)),
        ("RGB", "avif", (10, 200, 30), (10, 200, 30)),
        ("RGB", "heic", (10, 200, 30), (10, 200, 30)),
        ("RGB", "ico", (10, 200, 30), (10, 200, 30)),
        ("RGB", "ppm", (10, 200, 30), (10, 200, 30)),
    ],
)
def test_modes_and_formats(
    tmp_path: Path,
    mode: str,
    suffix: str,
    colour: int | tuple[int, ...],
    seen: tuple[int, int, int],
) -> None:
    path = tmp_path / f"a.{suffix}"
    picture = Image.new(mode, (80, 60), colour)
    if suffix == "ico":
        picture.save(path, sizes=[picture.size])
    else:
        picture.save(path)
    assert close(colour_of(decode_image(path, max_pixels=PIXELS)), seen, 12)


def test_deep_greys_keep_their_whole_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    seen = np.asarray(decode_image(tmp_path / "a.png", max_pixels=PIXELS))[..., 0]
    assert seen.ravel().tolist() == list(range(256))


def test_twelve_bit_greys_are_scaled_by_their_own_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.tif")
    seen = np.asarray(decode_image(tmp_path / "a.tif", max_pixels=PIXELS))
    assert seen.min() == 0 and seen.max() == 255


def test_floats_are_scaled_by_what_they_hold_and_nan_is_dark(tmp_path: Path) -> None:
    values = np.array([[-1.0, 1.0], [np.nan, np.inf]], np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    seen = np.asarray(decode_image(tmp_path / "a.tif", max_pixels=PIXELS))[..., 0]
    assert seen.tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_shows_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.new("RGB", (80, 40), (20, 20, 20))
    upright.paste((250, 0, 0), (0, 0, 20, 20))  # red in the top left corner
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = upright.transpose(stored) if stored is not None else upright
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    (frame,), _ = frames_of(tmp_path / "a.jpg")
    assert (frame.width, frame.height) == frame.image.size == (80, 40)
    assert close(colour_of(frame.image, (8, 8)), (250, 0, 0), 20)


def test_large_jpegs_are_shrunk_while_decoding_but_never_below_twice_the_need(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (2000, 1500)).save(tmp_path / "a.jpg")
    (frame,), _ = frames_of(tmp_path / "a.jpg", least=LeastSize((64, 64), 200))
    assert (frame.width, frame.height) == (2000, 1500)
    assert 400 <= frame.image.width <= 800
    assert min(frame.image.size) >= 128


def animation(path: Path, frames: int, duration_ms: int) -> Path:
    pictures = [
        Image.new("RGB", (32, 32), (n * 5 % 256, 0, 255 - n * 3 % 256)) for n in range(frames)
    ]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0)
    return path


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_a_frame_a_second(tmp_path: Path, suffix: str) -> None:
    frames, media = frames_of(animation(tmp_path / f"a.{suffix}", 30, 100))
    assert media.info.kind == "animation" and media.info.duration_ms == pytest.approx(3000, abs=100)
    assert [frame.pts_ms for frame in frames] == [0, 1000, 2000]
    assert len({frame.image.tobytes() for frame in frames}) == 3


def test_an_animation_follows_the_interval_asked_for(tmp_path: Path) -> None:
    frames, _ = frames_of(animation(tmp_path / "a.gif", 30, 100), "interval:0.5")
    assert [frame.pts_ms for frame in frames] == [0, 500, 1000, 1500, 2000, 2500]


def test_a_long_animation_gives_no_more_than_the_limit(tmp_path: Path) -> None:
    frames, _ = frames_of(animation(tmp_path / "a.gif", 60, 1000), max_animation_frames=10)
    assert [frame.pts_ms for frame in frames] == list(range(0, 60_000, 6_000))


def test_a_few_frames_are_one_picture(tmp_path: Path) -> None:
    frames, media = frames_of(animation(tmp_path / "a.gif", 3, 1000))
    assert media.info.kind == "image" and len(frames) == 1


def test_a_moment_of_an_animation_can_be_seen_again(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.gif", 30, 100)
    frames, _ = frames_of(path)
    assert frame_at(path, 2000).tobytes() == frames[2].image.tobytes()


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("1", (4000, 4000)).save(tmp_path / "a.png")
    with pytest.raises(MediaTooLarge, match=r"a\.png has 4000 x 4000 pixels"):
        decode_image(tmp_path / "a.png", max_pixels=1_000_000)


def test_a_picture_that_was_cut_short_keeps_what_it_shows(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    (frame,), media = frames_of(tmp_path / "a.jpg", keep_partial=True)
    assert frame.image.size == (200, 200)
    assert media.warning == "is cut short: the end of the picture is missing"
    with pytest.raises(CorruptMedia, match="ends too early"):
        decode_image(tmp_path / "a.jpg", max_pixels=PIXELS)


def test_a_picture_that_shows_nothing_is_damaged(tmp_path: Path) -> None:
    make_photo(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: whole.index(b"IDAT") + 6])
    with pytest.raises(MediaError):
        frames_of(tmp_path / "a.png", keep_partial=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        (b"PK\x03\x04", "is an archive"),
        (b"\x89PNG\r\n\x1a\nbroken", "is not an image"),
        (b"plain words", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    ],
)
def test_a_query_image_that_is_none_says_so(content: bytes, reason: str) -> None:
    with pytest.raises(MediaError, match=f"^The image {reason}"):
        decode_image(content, max_pixels=PIXELS)


def test_a_query_image_is_bytes_or_a_path(tmp_path: Path) -> None:
    make_photo(tmp_path / "a.png")
    buffer = io.BytesIO()
    Image.open(tmp_path / "a.png").save(buffer, "PNG")
    assert colour_of(decode_image(buffer.getvalue(), max_pixels=PIXELS)) == (200, 40, 40)
    assert colour_of(decode_image(str(tmp_path / "a.png"), max_pixels=PIXELS)) == (200, 40, 40)
    with pytest.raises(MediaError, match=r"^missing\.png does not exist\.$"):
        decode_image(tmp_path / "missing.png", max_pixels=PIXELS)


def test_a_video_is_no_query_image(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match=r"a\.mp4 is a video, not a picture"):
        decode_image(make_clip(tmp_path / "a.mp4", seconds=1), max_pixels=PIXELS)
