"""Pictures that hold more than one picture, RAW photographs, and what cannot be read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard.components.image_input import read_file
from ingest.ledger import Ledger
from ingest.media.decoding import decode_image
from ingest.media.images.formats import end_of, is_raw, preview_of, size_of, without_long_text
from search_core.errors import MediaTooLarge, UnsupportedMedia
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.media.reading import MOST_PIXELS, grey_of, read
from tests.support.made_media import make_clip, make_photo

pytestmark = pytest.mark.usefixtures("like_a_decoding_process")

WIDE, TALL = (1200, 800), (800, 1200)


def coded(level: int, size: tuple[int, int] = WIDE, **save: object) -> bytes:
    """Return a JPEG of one grey level."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(buffer, "JPEG", **save)
    return buffer.getvalue()


def raw_tiff(
    preview: bytes | None, *, magic: bytes = b"II*\0", orientation: int = 1, sensor: int = 32803
) -> bytes:
    """Return a RAW photograph as cameras write it.

    Its first page is a small picture; the sensor's values and the preview are below it; its EXIF
    says 2021-03-04 05:06:07.
    """
    thumbnail, taken = bytes(16 * 16 * 3), b"2021:03:04 05:06:07\0"
    fixed = 8 + _directory_bytes(13) + 2 * _directory_bytes(7) + _directory_bytes(1)
    places, at = {}, fixed
    parts = {"thumb": thumbnail, "taken": taken, "raw": b"\x80" * 64, "preview": preview or b""}
    for name, part in parts.items():
        places[name] = at
        at += len(part)
    sub_1 = 8 + _directory_bytes(13)
    sub_2 = sub_1 + _directory_bytes(7)
    exif = sub_2 + _directory_bytes(7)
    subs = fixed + sum(map(len, parts.values()))
    main = [
        (254, 4, 1, 1), (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, places["thumb"]), (274, 3, 1, orientation), (277, 3, 1, 3),
        (278, 4, 1, 16), (279, 4, 1, len(thumbnail)), (330, 4, 2, subs), (34665, 4, 1, exif),
    ]  # fmt: skip
    raw = [
        (254, 4, 1, 0), (256, 4, 1, 8), (257, 4, 1, 8), (259, 3, 1, 1), (262, 3, 1, sensor),
        (273, 4, 1, places["raw"]), (279, 4, 1, 64),
    ]  # fmt: skip
    small = [
        (254, 4, 1, 1), (256, 4, 1, 1200), (257, 4, 1, 800), (259, 3, 1, 7), (262, 3, 1, 6),
        (273, 4, 1, places["preview"]), (279, 4, 1, len(parts["preview"])),
    ]  # fmt: skip
    times = [(0x9003, 2, len(taken), places["taken"])]
    body = magic + struct.pack("<I", 8) + b"".join(map(_directory, (main, raw, small, times)))
    assert len(body) == fixed
    return body + b"".join(parts.values()) + struct.pack("<II", sub_1, sub_2)


def _directory_bytes(entries: int) -> int:
    return 2 + 12 * entries + 4


def _directory(entries: list[tuple[int, int, int, int]]) -> bytes:
    fields = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + fields + struct.pack("<I", 0)


def cr3(preview: bytes, orientation: int) -> bytes:
    """Return what a Canon CR3 begins with, and its preview."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + name + content

    one = b"II*\0\x08\0\0\0" + _directory([(274, 3, 1, orientation)])
    two = b"II*\0\x08\0\0\0" + _directory([(0x9003, 2, 20, 8 + _directory_bytes(1))])
    two += b"2021:03:04 05:06:07\0"
    moov = box(b"moov", box(b"uuid", bytes(16) + box(b"CMT1", one) + box(b"CMT2", two)))
    return box(b"ftyp", b"crx \0\0\0\1crx isom") + moov + box(b"mdat", preview)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dng", raw_tiff(coded(90))),
        ("a.nef", raw_tiff(coded(90))),
        ("b.tif", raw_tiff(coded(90), sensor=34892)),
        ("a.orf", raw_tiff(coded(90), magic=b"IIRO")),
        ("a.rw2", raw_tiff(coded(90), magic=b"IIU\0")),
        ("a.raf", b"FUJIFILMCCD-RAW 0201" + bytes(100) + coded(30, (160, 120)) + coded(90)),
        ("a.x3f", b"FOVb" + bytes(64) + coded(90) + bytes(32)),
        ("a.crw", b"II\x1a\0\0\0HEAPCCDR" + bytes(64) + coded(90)),
        ("a.cr3", cr3(coded(90), 1)),
    ],
)
def test_a_raw_photographs_largest_preview_is_the_picture(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    found = read(tmp_path / name)
    (frame,) = found.frames
    assert (found.info.kind, frame.width, frame.height, found.warning) == ("image", *WIDE, "")
    assert grey_of(frame.image) == 90
    assert decode_image(tmp_path / name, max_pixels=MOST_PIXELS).size == WIDE
    assert read_file(tmp_path / name, MOST_PIXELS, 2000).size == WIDE


@pytest.mark.parametrize("content", [raw_tiff(coded(90), orientation=6), cr3(coded(90), 6)])
def test_a_preview_has_the_photographs_orientation_and_time(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.raw").write_bytes(content)
    found = read(tmp_path / "a.raw")
    assert (found.frames[0].width, found.frames[0].height) == TALL
    assert found.info.claims[0].source == "exif-original"


def test_a_small_preview_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.nef").write_bytes(raw_tiff(coded(90, (320, 240))))
    assert read(tmp_path / "a.nef").warning == (
        "is a RAW photograph: only its preview of 320 x 240 pixels was read"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.dng", raw_tiff(None), "is a RAW photograph that cannot be read: it holds no preview"),
        ("a.raf", b"FUJIFILMCCD-RAW " + bytes(500), "is a RAW photograph that cannot be read"),
        ("a.jxl", b"\xff\x0a" + bytes(60), "is a JPEG XL picture, a format that cannot be read"),
        ("b", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "is a JPEG XL picture"),
        ("a.exr", b"\x76\x2f\x31\x01" + bytes(60), "is an OpenEXR picture"),
        ("a.rm", b".RMF" + bytes(60), "is a RealMedia video"),
        ("a.rw2", b"nothing that is known", "is not an image or a video that can be read"),
    ],
)
def test_what_cannot_be_read_is_a_failure_that_is_listed(
    take_in: TakeIn, media: Path, ledger: Ledger, name: str, content: bytes, reason: str
) -> None:
    (media / name).write_bytes(content)
    (outcome,) = take_in(media).outcomes
    assert outcome.status == "failed" and outcome.reason.startswith(reason)
    assert [row.reason for row in ledger.outcomes("main", "failed")] == [outcome.reason]


def test_raw_mjpeg_is_a_video(take_in: TakeIn, media: Path, store: MemoryStore) -> None:
    make_clip(
        media / "camera.mjpeg", codec="mjpeg", pixels="yuvj420p", seconds=4,
        level=lambda second: 200 if second >= 2 else 40,
    )  # fmt: skip
    found = read(media / "camera.mjpeg", "interval:0.2")
    assert (found.info.kind, len(found.frames)) == ("video", 4)  # 20 frames, taken as 25 a second
    assert found.greys == [40, 40, 200, 200]
    assert found.warning == "has no timestamps: positions assume 25 frames a second"
    (outcome,) = take_in(media, keyframes="interval:0.2").outcomes
    assert outcome.keyframes == 4
    assert {entity.media_type for entity in store.entities("main", limit=9)} == {"frame"}


def test_mjpeg_as_cameras_send_it_over_http_is_a_video(tmp_path: Path) -> None:
    boundary = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    frames = [coded(level, (160, 120)) for level in (40, 90, 140, 200)]
    parts = [boundary % len(frame) + frame + b"\r\n" for frame in frames]
    (tmp_path / "stream.bin").write_bytes(b"".join(parts))
    found = read(tmp_path / "stream.bin")
    assert found.info.kind == "video" and found.greys == [40, 90, 140, 200]


def test_a_photograph_with_previews_behind_it_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(coded(90) + coded(90, (160, 120)) + coded(90, (320, 240)) + coded(90, (9, 9)))
    found = read(path)
    assert (found.info.kind, len(found.frames), found.warning) == ("image", 1, "")


def test_the_video_of_a_motion_photo_is_named(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=1).read_bytes()
    (tmp_path / "a.jpg").write_bytes(coded(90) + clip)
    make_photo(tmp_path / "b.heic")
    with (tmp_path / "b.heic").open("ab") as file:
        file.write(struct.pack(">I", 8 + len(clip)) + b"mpvd" + clip)
    for name in ("a.jpg", "b.heic"):
        found = read(tmp_path / name)
        assert found.info.kind == "image" and len(found.frames) == 1
        assert found.warning == "is a motion photo: its video is left out"


@pytest.mark.parametrize("big", [False, True])
def test_the_other_pages_of_a_tiff_are_named(tmp_path: Path, big: bool) -> None:
    pages = [Image.new("L", (40, 30), level) for level in (10, 20, 30)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], big_tiff=big)
    found = read(tmp_path / "a.tif")
    assert len(found.frames) == 1
    assert found.warning == "holds 3 pictures: only the first is taken"
    pages[0].save(tmp_path / "b.tif", big_tiff=big)
    assert read(tmp_path / "b.tif").warning == ""


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("kind", [b"iTXt", b"zTXt", b"tEXt"])
def test_a_png_with_much_text_is_a_good_picture(tmp_path: Path, kind: bytes, behind: bool) -> None:
    """Editors leave megabytes of XMP, which packs to nothing."""
    text = b" " * 3_000_000
    content = {
        b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(text),
        b"zTXt": b"Comment\0\0" + zlib.compress(text),
        b"tEXt": b"Comment\0" + text,
    }[kind]
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), (90, 90, 90)).save(buffer, "PNG", exif=exif)
    whole = buffer.getvalue()
    at = whole.index(b"IEND") - 4 if behind else 33
    (tmp_path / "a.png").write_bytes(whole[:at] + chunk + whole[at:])
    found = read(tmp_path / "a.png")
    assert found.warning == "" and grey_of(found.frames[0].image) == 90
    assert (found.frames[0].width, found.frames[0].height) == (40, 60)
    assert read_file(tmp_path / "a.png", MOST_PIXELS, 100).size == (40, 60)


def test_the_limit_of_pixels_is_the_only_one_and_named(tmp_path: Path) -> None:
    """Pillow has a limit of its own, of 178,956,970 pixels."""
    path = tmp_path / "a.png"
    Image.new("1", (20_000, 9_000)).save(path)
    assert decode_image(path, max_pixels=180_000_000).size == (20_000, 9_000)
    with pytest.raises(MediaTooLarge) as raised:
        decode_image(path, max_pixels=179_999_999)
    assert "has 20000 x 9000 pixels" in str(raised.value)
    assert "SIGHTLINE_MEDIA_MAX_PIXELS" in str(raised.value)


@given(st.binary(max_size=400), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_any_bytes_are_raw_or_not(content: bytes, head: bytes) -> None:
    file = io.BytesIO(head + content)
    if is_raw(file):
        with pytest.raises(UnsupportedMedia):
            preview_of(file.getvalue())


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_jpegs_start_end_somewhere_or_not(content: bytes) -> None:
    data = b"\xff\xd8\xff" + content
    end = end_of(data, 0)
    assert end is None or data[end - 2 : end] == b"\xff\xd9"
    size = size_of(data, 0)
    assert size is None or min(size) > 0


@given(st.lists(st.tuples(st.sampled_from([b"tEXt", b"zTXt", b"IDAT"]), st.binary(max_size=40))))
def test_short_text_stays(chunks: list[tuple[bytes, bytes]]) -> None:
    body = b"".join(struct.pack(">I", len(c)) + kind + c + b"crc!" for kind, c in chunks)
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n" + body)
    assert without_long_text(file) is file and file.tell() == 0
