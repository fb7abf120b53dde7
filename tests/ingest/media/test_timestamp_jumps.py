"""Recordings whose timestamps start again or jump: nothing is lost, and positions count on."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.media.decoding import frame_at
from ingest.media.video.timestamps import LONGEST_GAP_S, Timeline
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.ingest.media.reading import grey_of, join, read, shifted
from tests.support.made_media import make_clip

pytestmark = pytest.mark.usefixtures("like_a_decoding_process")

DARK, LIGHT = 40, 200


def clip(path: Path, level: int, seconds: float = 6, b_frames: int = 0) -> Path:
    """Write a clip of one grey level with a codec keyframe every second."""
    codec = {".avi": "mpeg4", ".webm": "libvpx-vp9"}.get(path.suffix, "libx264")
    x264 = {"bf": str(b_frames), "x264-params": "scenecut=0:b-adapt=0"}
    return make_clip(path, seconds=seconds, codec=codec, x264=x264, level=lambda second: level)


@pytest.mark.parametrize("suffix", ["ts", "mts", "mkv", "webm", "avi"])
def test_recordings_joined_with_cat_follow_each_other(tmp_path: Path, suffix: str) -> None:
    first, second = clip(tmp_path / f"a.{suffix}", DARK), clip(tmp_path / f"b.{suffix}", LIGHT, 4)
    found = read(join(tmp_path / f"ab.{suffix}", first, second))
    assert found.positions_ms == list(range(0, 10_000, 1000))
    assert found.greys == [DARK] * 6 + [LIGHT] * 4
    assert found.info.duration_ms == pytest.approx(10_000, abs=250)
    if suffix != "avi":  # whose frames are counted, so that nothing jumps
        said = "has timestamps that jump at 0:06.000: positions count on from there"
        assert found.warning == said


def fragmented(whole: Path, path: Path, flags: str) -> Path:
    """Write a clip again with a fragment for every codec keyframe, its packets as they are."""
    options = {"movflags": f"frag_keyframe+{flags}"}
    with av.open(str(whole)) as source, av.open(str(path), "w", options=options) as out:
        copy = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    return path


def joined_fragments(folder: Path, flags: str, second: Path) -> Path:
    first = fragmented(clip(folder / "a.mp4", DARK, b_frames=2), folder / "a2.mp4", flags)
    return join(folder / "ab.mp4", first, fragmented(second, folder / "b2.mp4", flags))


def test_fragments_that_follow_a_second_header_are_all_read(tmp_path: Path) -> None:
    second = clip(tmp_path / "b.mp4", LIGHT, 4, b_frames=2)
    path = joined_fragments(tmp_path, "empty_moov+default_base_moof", second)
    found = read(path)
    assert found.positions_ms == list(range(0, 10_000, 1000))
    assert found.greys == [DARK] * 6 + [LIGHT] * 4
    assert found.info.duration_ms == pytest.approx(10_000, abs=250)
    assert found.warning == ("has timestamps that jump at 0:06.000: positions count on from there")
    assert grey_of(frame_at(path, 5_999)) == DARK and grey_of(frame_at(path, 6_001)) == LIGHT


def test_what_a_second_header_lists_itself_is_said_to_be_lost(tmp_path: Path) -> None:
    second = clip(tmp_path / "b.mp4", LIGHT, 4, b_frames=2)
    found = read(joined_fragments(tmp_path, "default_base_moof", second))
    assert found.greys == [DARK] * 6 + [LIGHT] * 3
    assert "; the first 1.0 s of the recording at byte " in found.warning
    assert found.warning.endswith(" could not be read")


@pytest.mark.parametrize(
    ("flags", "codec", "size"),
    [
        ("empty_moov", "libx264", (64, 48)),  # whose offsets lead into the first recording
        ("empty_moov+default_base_moof", "libx264", (160, 96)),
        ("empty_moov+default_base_moof", "mpeg4", (64, 48)),
    ],
)
def test_a_second_recording_that_the_first_header_does_not_describe_is_said_to_be_unread(
    tmp_path: Path, flags: str, codec: str, size: tuple[int, int]
) -> None:
    second = make_clip(tmp_path / "b.mp4", seconds=4, codec=codec, size=size)
    path = joined_fragments(tmp_path, flags, second)
    found = read(path)
    assert found.greys == [DARK] * 6
    assert found.info.duration_ms == pytest.approx(6_000, abs=250)
    at = (tmp_path / "a2.mp4").stat().st_size
    assert found.warning == (
        f"is followed by another recording in the same file, at byte {at:,}, which is not read"
    )


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("jump_s", [-20_000, -5, 3600, 93_600])
def test_a_clock_that_jumps_leaves_positions_continuous(
    tmp_path: Path, jump_s: int, b_frames: int
) -> None:
    base_s = 20_000 if jump_s < 0 else 10
    first = shifted(clip(tmp_path / "a.ts", DARK, 6, b_frames), tmp_path / "a2.ts", base_s)
    later = shifted(
        clip(tmp_path / "b.ts", LIGHT, 4, b_frames), tmp_path / "b2.ts", base_s + 6 + jump_s
    )
    found = read(join(tmp_path / "ab.ts", first, later))
    assert found.positions_ms == pytest.approx(list(range(0, 10_000, 1000)), abs=450)
    assert found.greys == [DARK] * 6 + [LIGHT] * 4
    assert found.info.duration_ms == pytest.approx(10_000, abs=450)
    assert "jump at 0:06" in found.warning


def test_a_gap_in_a_recording_stays_one(tmp_path: Path) -> None:
    """The camera was away for a minute, and its clock went on: the times after it are right."""
    later = shifted(clip(tmp_path / "b.ts", LIGHT, 4), tmp_path / "b2.ts", 66)
    found = read(join(tmp_path / "ab.ts", clip(tmp_path / "a.ts", DARK), later))
    assert found.positions_ms[6:] == pytest.approx(list(range(66_000, 70_000, 1000)), abs=250)
    assert found.warning == ""


@pytest.mark.parametrize("suffix", ["ts", "mkv"])
def test_a_position_shows_the_frame_that_was_taken_in(tmp_path: Path, suffix: str) -> None:
    first, second = clip(tmp_path / f"a.{suffix}", DARK), clip(tmp_path / f"b.{suffix}", LIGHT)
    path = join(tmp_path / f"ab.{suffix}", first, second)
    for frame in read(path).frames:
        assert frame_at(path, frame.pts_ms).tobytes() == frame.image.tobytes()
    assert grey_of(frame_at(path, 5_999)) == DARK and grey_of(frame_at(path, 6_001)) == LIGHT


def test_many_recordings_are_counted_in_one_note(tmp_path: Path) -> None:
    parts = [clip(tmp_path / f"{n}.ts", 20 + 30 * n, 2) for n in range(5)]
    found = read(join(tmp_path / "all.ts", *parts))
    assert found.positions_ms == list(range(0, 10_000, 1000))
    assert found.warning.startswith("has timestamps that jump 4 times, first at 0:02.000")


def test_a_library_holds_both_recordings_and_the_report_says_so(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    first, second = clip(media / "a.ts", DARK), clip(media / "b.ts", LIGHT)
    join(media / "joined.ts", first, second)
    first.unlink()
    second.unlink()
    (outcome,) = take_in(media, keyframes="iframe").outcomes
    assert (outcome.status, outcome.keyframes) == ("done", 12) and "jump at" in outcome.warning
    entities = store.entities("main", limit=100)
    assert sorted(entity.pts_ms for entity in entities) == list(range(0, 12_000, 1000))
    assert {entity.duration_ms for entity in entities} == {12_000}


class _Packet:
    def __init__(self, dts: int, duration: int = 40) -> None:
        self.pts: int | None = dts
        self.dts: int | None = dts
        self.duration = duration


recordings = st.lists(
    st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 50)), min_size=1, max_size=6
)


@given(recordings)
def test_positions_never_go_back_and_leave_no_long_gap(parts: list[tuple[int, int]]) -> None:
    """Wherever each part's clock starts; ticks are milliseconds."""
    timeline = Timeline(Fraction(1, 1000), may_jump_ahead=True)
    placed = []
    for start, count in parts:
        for number in range(count):
            packet = _Packet(start + 40 * number)
            timeline.place(packet)
            assert packet.pts is not None and packet.dts == packet.pts
            placed.append(packet.pts)
    steps = [after - before for before, after in pairwise(placed)]
    assert all(-100 <= step <= LONGEST_GAP_S * 1000 for step in steps)
    assert len(timeline.jumps) <= len(parts) - 1


@given(st.lists(st.integers(1, LONGEST_GAP_S * 1000), max_size=50))
def test_timestamps_that_only_go_on_stay_as_they_are(steps: list[int]) -> None:
    timeline = Timeline(Fraction(1, 1000), may_jump_ahead=True)
    at = 12_345
    for step in steps:
        at += step
        packet = _Packet(at)
        timeline.place(packet)
        assert packet.pts == packet.dts == at
    assert timeline.jumps == []
