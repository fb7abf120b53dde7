from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.media.decoding import frame_at
from ingest.media.video.clips import Box, Clip, Span, copied_from, cut_clip
from search_core.errors import MediaError
from search_core.system.cancellation import Interrupted
from tests.support.made_media import GIVEN_DATA, make_clip, shade


def cut(source: Path, start_ms: int, end_ms: int, **options: object) -> Clip:
    folder = source.parent / "clips"
    return cut_clip(source, folder, lambda span: "clip", Span(start_ms, end_ms), **options)  # type: ignore[arg-type]


def times_ms(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return sorted(round(1000 * float(frame.time or 0)) for frame in container.decode(video=0))


def greys(path: Path) -> list[int]:
    """The grey level of each frame's right half."""
    with av.open(str(path)) as container:
        return [
            round(float(np.median(frame.to_ndarray(format="gray")[:, -20:])))
            for frame in container.decode(video=0)
        ]


def test_a_copied_clip_begins_at_the_codec_keyframe_before_and_says_so(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "gate.mp4", seconds=6, fps=5, gop=10)
    clip = cut(source, 2700, 4100)
    assert (clip.cut, clip.span.start_ms, clip.path.suffix) == ("copied", 2000, ".mp4")
    assert times_ms(clip.path)[0] == 0
    assert times_ms(clip.path)[-1] == pytest.approx(clip.span.end_ms - clip.span.start_ms - 200)
    assert greys(clip.path)[0] == pytest.approx(shade(2), abs=3)


def test_nothing_is_encoded_anew_in_a_copied_clip(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "gate.mp4", seconds=4, gop=5)
    clip = cut(source, 1000, 3000)
    with av.open(str(source)) as whole, av.open(str(clip.path)) as part:
        recorded = {bytes(packet) for packet in whole.demux(video=0) if packet.size}
        copied = [bytes(packet) for packet in part.demux(video=0) if packet.size]
    assert copied and all(packet in recorded for packet in copied)


def test_an_exact_clip_begins_and_ends_where_it_was_asked_to(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "gate.mp4", seconds=6, fps=10, gop=30)
    clip = cut(source, 2300, 4100, exact=True)
    assert (clip.cut, clip.span) == ("exact", Span(2300, 4100))
    assert len(times_ms(clip.path)) == 18
    assert greys(clip.path)[0] == pytest.approx(shade(2), abs=4)
    assert greys(clip.path)[-1] == pytest.approx(shade(4), abs=4)


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 5700), length=st.integers(100, 3000), bf=st.integers(0, 3))
def test_every_asked_moment_is_in_the_clip(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, bf: int
) -> None:
    source = tmp_path_factory.getbasetemp() / f"b-frames-{bf}" / "gate.mp4"
    if not source.exists():
        source.parent.mkdir()
        make_clip(source, seconds=6, fps=10, gop=12, x264={"bf": str(bf)})
    end = min(start + length, 6000)
    clip = cut(source, start, end)
    assert copied_from(source, start) == (clip.span.start_ms, clip.path.suffix)
    assert clip.span.start_ms <= start and clip.span.end_ms >= end - 100
    shown = times_ms(clip.path)
    assert len(shown) == round((clip.span.end_ms - clip.span.start_ms) / 100)  # none is missing
    assert shown == [100 * number for number in range(len(shown))]


def test_rotation_is_kept_or_done(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "phone.mp4", seconds=2, rotation=90)
    upright = frame_at(source, 500)
    for exact in (False, True):
        clip = cut(source, 0, 1500, exact=exact)
        assert frame_at(clip.path, 500).size == upright.size


def test_the_clip_says_when_it_was_captured(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "gate.mp4", seconds=4, gop=5)
    clip = cut(source, 2000, 3000, taken_at_ms=1_772_344_800_000)
    with av.open(str(clip.path)) as container:
        assert container.metadata["creation_time"].startswith("2026-03-01T06:00:02")


def test_regions_are_blurred_in_every_frame_and_nothing_else_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 255, (48, 64, 1), np.uint8).repeat(3, axis=2)
    source = make_clip(tmp_path / "gate.mp4", seconds=1, picture=lambda at: noise)
    clip = cut(source, 0, 900, boxes=(Box(0, 0, 0.5, 1),))
    assert clip.cut == "exact"
    with av.open(str(clip.path)) as container:
        for frame in container.decode(video=0):
            shown = frame.to_ndarray(format="gray").astype(float)
            assert shown[:, :28].std() < 25 < 50 < shown[:, 36:].std()


def test_sound_comes_along(tmp_path: Path) -> None:
    source = tmp_path / "with-sound.mp4"
    with av.open(str(source), "w") as out:
        video = out.add_stream("libx264", rate=5)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, "yuv420p", 5
        heard = out.add_stream("aac", rate=8000, layout="mono")
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(video.encode(frame))
        for start in range(0, 32000, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 8000 * 2 * np.pi * 440)
            sound = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 8000, start
            out.mux(heard.encode(sound))
        out.mux(video.encode(None))
        out.mux(heard.encode(None))
    for exact in (False, True):
        clip = cut(source, 1000, 3000, exact=exact)
        with av.open(str(clip.path)) as container:
            sounds = [frame.to_ndarray() for frame in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
        seconds = sum(sound.shape[1] for sound in sounds) / rate
        assert seconds == pytest.approx(2.0, abs=0.3)
        assert np.abs(np.concatenate(sounds, axis=1)).max() > 0.3


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [
        ("libx264", "yuv420p", ".mp4"),
        ("libvpx-vp9", "yuv420p", ".webm"),
        ("mjpeg", "yuvj420p", ".mkv"),
    ],
)
def test_the_container_can_hold_what_was_recorded(
    tmp_path: Path, codec: str, pixels: str, suffix: str
) -> None:
    source = make_clip(tmp_path / "gate.mkv", seconds=2, codec=codec, pixels=pixels)
    clip = cut(source, 0, 1000)
    assert (clip.cut, clip.path.suffix) == ("copied", suffix)
    assert len(times_ms(clip.path)) >= 5


def test_where_timestamps_jump_a_clip_is_encoded_and_says_so(tmp_path: Path) -> None:
    parts = [make_clip(tmp_path / f"{n}.ts", seconds=3) for n in range(2)]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    clip = cut(source, 3500, 5000)
    assert clip.cut == "exact" and "jump" in clip.note
    assert greys(clip.path)[0] == pytest.approx(shade(0), abs=6)


def test_what_is_no_video_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "text.mp4"
    source.write_text("no video at all")
    with pytest.raises(MediaError):
        cut(source, 0, 1000)
    assert not list(tmp_path.glob("clips/*"))


@pytest.mark.parametrize("exact", [False, True])
def test_an_interrupted_cut_leaves_nothing(tmp_path: Path, exact: bool) -> None:
    source = make_clip(tmp_path / "gate.mp4", seconds=4)
    with pytest.raises(Interrupted):
        cut(source, 0, 3000, exact=exact, should_stop=lambda: True)
    assert not list(tmp_path.glob("clips/*"))


@pytest.mark.parametrize("start, end", [(-1, 10), (10, 10), (20, 10)])
def test_a_span_has_a_length(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="span"):
        Span(start, end)


@pytest.mark.skipif(not GIVEN_DATA.is_dir(), reason="the given footage is absent")
@pytest.mark.parametrize("path", sorted(GIVEN_DATA.glob("*/*.mp4")), ids=lambda path: path.name)
def test_real_footage_is_cut_or_refused_in_words(path: Path, tmp_path: Path) -> None:
    for exact in (False, True):
        try:
            clip = cut_clip(path, tmp_path, lambda span: "clip", Span(500, 1500), exact=exact)
        except MediaError as error:
            assert error.message
            continue
        assert clip.path.stat().st_size > 0
