"""Files as recorders leave them: half written, open, cut short, whole."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.ledger import Ledger
from ingest.media.files import (
    ABANDONED_S,
    QUIET_S,
    STILL_CUT,
    STILL_WRITTEN,
    age_s,
    end_mark,
    open_for_writing,
    still_written,
)
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, shade

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
#: Formats whose files show that they are whole, with the options of their muxers.
MARKED: dict[str, dict[str, str]] = {
    "clip.mp4": {},
    "fast.mp4": {"movflags": "faststart"},
    "fragments.mp4": FRAGMENTS,
    "clip.mov": {},
    "clip.mkv": {},
    "clip.avi": {},
    "picture.jpg": {},
    "progressive.jpg": {},
    "thumbnail.jpg": {},
    "picture.png": {},
    "picture.gif": {},
    "picture.webp": {},
    "picture.bmp": {},
    "picture.heic": {},
    "clips.zip": {},
}
UNMARKED: dict[str, dict[str, str]] = {
    "clip.ts": {},
    "clip.flv": {},
    "live.mkv": {"live": "1"},
}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name, options in {**MARKED, **UNMARKED}.items():
        make(folder / name, options)
    return folder


def make(path: Path, options: dict[str, str]) -> None:
    if path.suffix in (".mp4", ".mov", ".mkv", ".avi", ".ts", ".flv"):
        make_clip(path, seconds=2.0, container_options=options)
        return
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", b"x" * 5000)
        return
    picture = Image.effect_noise((160, 120), 60).convert("RGB")
    exif = picture.getexif()
    if path.name == "thumbnail.jpg":  # holds a whole JPEG inside of a segment
        small = path.with_name("small.jpg")
        picture.resize((40, 30)).save(small)
        exif[0x010E] = small.read_bytes().decode("latin-1")
        picture.save(path, exif=exif)
    else:
        picture.save(path, progressive=path.name == "progressive.jpg")


@contextmanager
def recording(path: Path, pieces: int = 4) -> Iterator[Iterator[None]]:
    """Write a clip with PyAV a piece at a time: each step writes half a second to the disk."""
    options = {"flush_packets": "1", **(FRAGMENTS if path.name.startswith("fragments") else {})}
    out = av.open(str(path), "w", options=options)
    stream = out.add_stream("libx264", rate=10)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 5
    stream.options = {"preset": "ultrafast", "tune": "zerolatency"}

    def steps() -> Iterator[None]:
        for piece in range(pieces):
            for number in range(5):
                shown = np.full((48, 64, 3), shade(piece), np.uint8)
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                frame.pts, frame.time_base = piece * 5 + number, Fraction(1, 10)
                out.mux(stream.encode(frame))
            yield
        out.mux(stream.encode(None))

    try:
        yield steps()
    finally:
        out.close()


@pytest.mark.parametrize("name", MARKED)
def test_a_whole_file_shows_its_end_mark(made: Path, name: str) -> None:
    assert end_mark(made / name) == "whole"


@pytest.mark.parametrize("name", UNMARKED)
def test_formats_without_an_end_mark_cannot_tell(made: Path, name: str) -> None:
    assert end_mark(made / name) == "unmarked"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted({**MARKED, **UNMARKED})), share=st.floats(0, 1, exclude_max=True)
)
def test_no_beginning_of_a_file_passes_for_a_whole_one(
    made: Path, tmp_path: Path, name: str, share: float
) -> None:
    data = (made / name).read_bytes()
    # The file systems of recorders pad; what follows the end mark of a GIF is no loss.
    part = tmp_path / name
    part.write_bytes(data[: int(share * (len(data) - 2))])
    assert end_mark(part) != "whole"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(sorted(MARKED)), rest=st.binary(max_size=200))
def test_any_bytes_have_an_answer(made: Path, tmp_path: Path, head: str, rest: bytes) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes((made / head).read_bytes()[: len(rest) % 64] + rest)
    assert end_mark(odd) in ("whole", "cut", "unmarked")


@pytest.mark.parametrize("name", ["clip.mp4", "fast.mp4", "picture.png", "picture.jpg"])
def test_space_reserved_before_the_data_comes_is_no_end(
    made: Path, tmp_path: Path, name: str
) -> None:
    data = (made / name).read_bytes()
    copy = tmp_path / name
    copy.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert end_mark(copy) != "whole"


def test_a_name_may_say_that_a_download_goes_on(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "clip.mp4", tmp_path / "clip.mp4.part")
    assert end_mark(tmp_path / "clip.mp4.part") == "cut"


@on_linux
@pytest.mark.parametrize(
    "name", ["clip.mp4", "clip.mkv", "clip.avi", "clip.ts", "clip.flv", "fragments.mp4"]
)
def test_a_recording_is_still_written_until_its_recorder_closes_it(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    with recording(path) as pieces:
        for _ in pieces:
            assert open_for_writing(path) is True
            assert still_written(path, 0.0)
    assert open_for_writing(path) is False
    assert still_written(path, 0.0) == ""


@pytest.mark.parametrize(
    ("name", "old_s", "reason"),
    [
        ("clip.ts", 1.0, STILL_WRITTEN),
        ("clip.ts", QUIET_S + 1, ""),
        ("clip.mp4", 1.0, STILL_CUT),
        ("clip.mp4", QUIET_S + 1, STILL_CUT),
        ("clip.mp4", ABANDONED_S + 1, ""),
        ("picture.jpg", QUIET_S + 1, STILL_CUT),
        ("clip.ts", -1.0, STILL_WRITTEN),  # the clock of the file's machine is ahead
        ("clip.ts", -86_400.0, ""),
    ],
)
def test_where_nobody_can_tell_who_writes_the_age_decides(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    old_s: float,
    reason: str,
) -> None:
    monkeypatch.delattr("fcntl.F_SETLEASE", raising=False)  # as on macOS
    data = (made / name).read_bytes()
    part = tmp_path / name
    part.write_bytes(data[: len(data) * 2 // 3])
    now_s = 1_800_000_000.0
    os.utime(part, (now_s - old_s, now_s - old_s))
    assert still_written(part, age_s(part.stat(), now_s)) == reason


@on_linux
@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts", "clip.avi"])
def test_ingest_leaves_a_growing_file_and_takes_it_when_it_is_whole(
    media: Path, take_in: TakeIn, store: MemoryStore, settings: Settings, name: str
) -> None:
    path = media / name
    with recording(path) as pieces:
        for _ in pieces:
            report = take_in(media)
            [outcome] = report.outcomes
            assert (outcome.status, outcome.stage) == ("skipped", "wait")
            assert outcome.reason.startswith("still being written")
            assert report.done == 0 and store.count("main") == 0
    with Ledger(settings.ledger_path) as ledger:
        [row] = ledger.outcomes("main", "skipped")
    assert row.uri == str(path) and row.reason == outcome.reason

    assert take_in(media).done == 1
    with Ledger(settings.ledger_path) as ledger:
        assert [row.status for row in ledger.outcomes("main")] == ["done"]


@on_linux
def test_a_zip_is_opened_when_it_is_whole(media: Path, take_in: TakeIn) -> None:
    make_clip(media / "clip.mp4", seconds=1.0)
    whole = media.parent / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.write(media / "clip.mp4", "clip.mp4")
    (media / "clip.mp4").unlink()
    data = whole.read_bytes()
    with (media / "clips.zip").open("wb") as growing:
        growing.write(data[:-100])
        growing.flush()
        assert [outcome.stage for outcome in take_in(media).outcomes] == ["wait"]
        growing.write(data[-100:])
    assert take_in(media).done == 1
