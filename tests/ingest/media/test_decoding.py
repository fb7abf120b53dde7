"""Videos that were really encoded: which frames come, when, which way up; and damaged ones."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.media.base import DecodedFrame, OpenedMedia
from ingest.media.capture_time.claims import TimeClaim
from ingest.media.decoding import frame_at, open_media
from ingest.media.keyframes.registry import parse_selector
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia
from tests.support.made_media import cut_off, make_clip, make_photo, make_sound, shade

pytestmark = pytest.mark.usefixtures("like_a_decoding_process")


def frames_of(
    path: Path, selector: str = "auto", max_pixels: int = 10_000_000
) -> tuple[list[DecodedFrame], OpenedMedia]:
    media = open_media(path, max_pixels=max_pixels)
    try:
        return list(media.frames(parse_selector(selector), lambda: None)), media
    finally:
        media.close()


def moments(path: Path, selector: str = "auto") -> list[int]:
    return [frame.pts_ms for frame in frames_of(path, selector)[0]]


def right_grey(image: Image.Image) -> float:
    """The grey level of the right half, which follows the clip's time."""
    pixels = np.asarray(image, np.float32)
    return float(pixels[:, pixels.shape[1] // 2 + 4 :].mean())


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        ("mp4", "libx264"),
        ("mkv", "libx264"),
        ("mov", "libx264"),
        ("ts", "libx264"),
        ("avi", "mpeg4"),
        ("webm", "libvpx-vp9"),
        ("mkv", "libx265"),
    ],
)
def test_keyframes_come_with_their_times_and_pictures(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    path = make_clip(tmp_path / f"a.{suffix}", seconds=4, gop=5, codec=codec)
    frames, media = frames_of(path)
    assert [frame.pts_ms for frame in frames] == [0, 1000, 2000, 3000]
    assert media.info.kind == "video" and media.warning == ""
    assert media.info.duration_ms == pytest.approx(4000, abs=250)
    for second, frame in enumerate(frames):
        assert right_grey(frame.image) == pytest.approx(shade(second), abs=4)


def test_a_raw_stream_without_times_gets_those_of_a_steady_rate(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264", seconds=4, gop=5)
    assert moments(path) == [0, 200, 400, 600]  # at 25 frames/s, since it names no rate


def test_keyframes_of_a_long_stretch_are_filled_in(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=40, fps=2, gop=60)
    assert moments(path, "iframe") == [0, 30_000]
    # The last stretch, of ten seconds, is as short as encoders usually make them.
    assert moments(path, "auto") == [*range(0, 30_000, 4000), 30_000]
    for frame in frames_of(path)[0]:
        assert right_grey(frame.image) == pytest.approx(shade(frame.pts_ms / 1000), abs=4)


def test_a_video_with_one_keyframe_is_filled_in(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=10, gop=500)
    assert moments(path, "iframe") == [0]
    assert moments(path, "auto") == [0, 4000, 8000]


def test_an_interval_is_served_between_keyframes(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=6, gop=500)
    assert moments(path, "interval:2") == [0, 2000, 4000]


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 1.5, 1.54, 6.25, 6.5, 9.0]
    path = make_clip(tmp_path / "a.mp4", times=times, gop=1)
    assert moments(path, "iframe") == [round(1000 * time) for time in times]


@pytest.mark.parametrize(("rotation", "dark_side"), [(90, "bottom"), (-90, "top"), (180, "right")])
def test_rotation_is_honoured(tmp_path: Path, rotation: int, dark_side: str) -> None:
    """The left half is dark; libav's angle is anticlockwise."""
    path = make_clip(tmp_path / "a.mp4", seconds=1, size=(64, 32), rotation=rotation)
    (frame, *_), _ = frames_of(path)
    assert (frame.width, frame.height) == ((64, 32) if rotation == 180 else (32, 64))
    grey = np.asarray(frame.image.convert("L"), np.float32)
    halves = {
        "top": grey[: frame.height // 2 - 4],
        "bottom": grey[frame.height // 2 + 4 :],
        "left": grey[:, : frame.width // 2 - 4],
        "right": grey[:, frame.width // 2 + 4 :],
    }
    means = {side: float(part.mean()) for side, part in halves.items()}
    assert min(means, key=lambda side: means[side]) == dark_side


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=1, size=(64, 48), pixel_shape=Fraction(4, 3))
    (frame, *_), _ = frames_of(path)
    assert (frame.width, frame.height) == frame.image.size == (85, 48)


def test_the_time_of_recording_is_read_from_the_container(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", seconds=1, metadata={"creation_time": "2021-03-04T05:06:07.000000Z"}
    )
    [claim] = frames_of(path)[1].info.claims
    assert claim == TimeClaim("container", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC))


def test_a_truncated_video_keeps_what_was_good(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", seconds=20, size=(160, 120), container_options={"movflags": "faststart"}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    frames, media = frames_of(path)
    assert 0 < len(frames) < 20
    assert media.warning.startswith("stopped at ") and "the file ends early" in media.warning


def test_a_video_without_its_index_says_so(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=2)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    with pytest.raises(CorruptMedia, match="moov atom"):
        frames_of(path)


def test_damage_in_the_middle_is_left_out_and_told(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=10, gop=5, size=(160, 120))
    whole = bytearray(path.read_bytes())
    start = whole.index(b"mdat") + 4
    middle = start + (whole.index(b"moov") - start) // 2
    whole[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(whole)
    frames, media = frames_of(path, "interval:1")
    assert 5 <= len(frames) <= 10
    assert "damaged part" in media.warning


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="has no video stream, only audio"):
        frames_of(make_sound(tmp_path / "a.mp4"))


@pytest.mark.parametrize("name", ["photo.mp4", "photo.txt", "photo"])
def test_a_photograph_is_one_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    make_photo(tmp_path / "a.jpg").rename(tmp_path / name)
    _, media = frames_of(tmp_path / name)
    assert media.info.kind == "image"


@pytest.mark.parametrize("name", ["b.mp4", "b.m3u8"])
def test_a_playlist_opens_nothing_else(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / "a.ts", seconds=1)
    playlist = tmp_path / name
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{clip}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(MediaError, match="is not an image or a video"):
        frames_of(playlist)


def test_a_name_that_looks_like_an_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("concat:a.mp4").write_bytes(make_clip(tmp_path / "a.mp4", seconds=1).read_bytes())
    assert moments(Path("concat:a.mp4"))


def test_frames_that_are_too_large_are_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=1, size=(640, 480))
    with pytest.raises(MediaTooLarge, match="640 x 480"):
        frames_of(path, max_pixels=100_000)


@pytest.mark.parametrize("gop", [5, 500])
def test_a_keyframe_can_be_seen_again_by_its_time(tmp_path: Path, gop: int) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=9, gop=gop)
    for frame in frames_of(path)[0]:
        assert frame_at(path, frame.pts_ms).tobytes() == frame.image.tobytes()


def test_between_two_frames_the_earlier_one_is_shown(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", times=[0.0, 1.0, 2.0, 3.0], gop=2)
    assert right_grey(frame_at(path, 1999)) == pytest.approx(shade(1), abs=4)
    assert right_grey(frame_at(path, 99_999)) == pytest.approx(shade(3), abs=4)


@pytest.mark.parametrize("open_gop", [0, 1])
def test_pictures_that_are_decoded_in_another_order_keep_their_times(
    tmp_path: Path, open_gop: int
) -> None:
    """B-frames: every way gives the frame that is shown then, also where it skips others."""
    options = {"bf": "3", "x264-params": f"open-gop={open_gop}:b-adapt=0:scenecut=0"}
    path = make_clip(tmp_path / "a.mp4", seconds=12, gop=10, x264=options)
    for selector, expected in (
        ("interval:0.2", list(range(0, 12_000, 200))),
        ("interval:3", [0, 3000, 6000, 9000]),
        ("iframe", list(range(0, 12_000, 2000))),
    ):
        frames, media = frames_of(path, selector)
        assert [frame.pts_ms for frame in frames] == expected
        assert media.warning == ""
        for frame in frames:
            assert right_grey(frame.image) == pytest.approx(shade(frame.pts_ms / 1000), abs=4)


def test_what_an_edit_list_cuts_off_is_not_there(tmp_path: Path) -> None:
    """The video begins in the middle of a group of pictures, as when it was cut without coding."""
    whole = make_clip(tmp_path / "whole.mp4", seconds=8, gop=10)
    path = cut_off(whole, tmp_path / "a.mp4", 1.0)
    assert moments(path, "interval:1") == list(range(0, 7000, 1000))
    for frame in frames_of(path, "interval:1")[0]:
        assert right_grey(frame.image) == pytest.approx(shade(1 + frame.pts_ms / 1000), abs=4)
    assert moments(path, "iframe") == [1000, 3000, 5000]
    only = make_clip(tmp_path / "only.mp4", seconds=8, gop=100)
    path = cut_off(only, tmp_path / "b.mp4", 1.0)
    assert moments(path, "iframe")[0] == moments(path, "auto")[0] == 0


def test_ten_bits_are_shown_as_eight(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", seconds=3, codec="libx265", pixels="yuv420p10le")
    for frame in frames_of(path)[0]:
        assert right_grey(frame.image) == pytest.approx(shade(frame.pts_ms / 1000), abs=4)


@pytest.mark.parametrize(
    ("transfer", "grey", "shown"),
    [
        ("smpte2084", 0, 0),
        ("smpte2084", 148, 244),  # diffuse white, 203 cd/m2
        ("smpte2084", 255, 255),
        ("arib-std-b67", 191, 244),  # the same white, at 75 %
        ("arib-std-b67", 0, 0),
    ],
)
def test_high_dynamic_range_is_shown_as_people_see_it(
    tmp_path: Path, transfer: str, grey: int, shown: int
) -> None:
    colours = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    path = make_clip(
        tmp_path / "a.mp4", seconds=1, x264={"x264-params": colours}, level=lambda second: grey
    )
    assert right_grey(frames_of(path)[0][0].image) == pytest.approx(shown, abs=8)


def test_two_fields_are_shown_as_one_picture(tmp_path: Path) -> None:
    """A white column moved between the fields; as it is every second line shows it elsewhere."""
    pixels = np.full((96, 128, 3), 20, np.uint8)
    pixels[0::2, 20:50], pixels[1::2, 70:100] = 230, 230
    path = make_clip(
        tmp_path / "a.mp4", seconds=1, x264={"flags": "+ildct+ilme"}, picture=lambda second: pixels
    )
    grey = np.asarray(frames_of(path)[0][0].image.convert("L"), np.float32)
    lines = np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2)[8:-8]
    assert lines.max() < 40


def test_a_keyframe_knows_how_long_it_stands_for_what_is_shown(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=6)
    assert [frame.span_ms for frame in frames_of(path, "interval:2")[0]] == [2000, 2000, 2000]
    assert [frame.span_ms for frame in frames_of(path, "iframe")[0]] == [1000] * 6


def test_what_did_not_change_is_left_out_and_counted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", seconds=20, level=lambda second: 90 + 60 * (second >= 12))
    frames, media = frames_of(path, "auto")
    assert [(frame.pts_ms, frame.span_ms) for frame in frames] == [(0, 12_000), (12_000, 8_000)]
    assert media.left_out == 18
