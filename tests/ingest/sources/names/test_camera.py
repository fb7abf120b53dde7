"""Which camera a file is from: what its name says, else its folder; never one a segment."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.names.reading import Naming
from search_core.settings import NamesSettings, Settings


@pytest.mark.parametrize(
    ("path", "camera"),
    [
        ("/srv/footage/gate/morning.mp4", "gate"),
        ("/srv/footage/loading-dock/clip-0001.mp4", "loading-dock"),
        ("/srv/yard/2026-03-01/08-15.mp4", "yard"),
        ("/srv/yard/2026/03/01/08/15.00.mp4", "yard"),
        ("/mnt/yard/record/2022Y04M12D18H/09M00S60.mp4", "yard"),
        ("/mnt/yard/Mp4Record/2026-03-01/RecM01_20260301_081500_082000_6D28808.mp4", "yard"),
        ("/media/GoPro 9/DCIM/100GOPRO/GX010042.MP4", "GoPro 9"),
        ("/mnt/axis-1/20260301/08/20260301_081500_A1B2/20260301_081500_0001.mkv", "axis-1"),
        ("/srv/gate/20260301AM/20260301-081500.mp4", "gate"),
        ("/srv/recordings/2026-03-01/08/gate/15.00.mp4", "gate"),
        ("/srv/footage/RLC-810A_01_20260301081500.mp4", "RLC-810A"),
        ("/srv/holiday/IMG_20260301_081500.jpg", "holiday"),
        ("/srv/nvr/1/part.mp4", "nvr 1"),
        ("/srv/nvr/12/2026-03-01/08/part.mp4", "nvr 12"),
        ("/srv/nvr/2026/03/01/08/part.mp4", "nvr"),
        ("https:/host/clips/b.jpg", "clips"),
        ("s3:/bucket/yard/2026-03-01/x.mp4", "yard"),
        ("clip.mp4", "unknown"),
        ("/2026-03-01/08-15.mp4", "2026-03-01"),
    ],
)  # fmt: skip
def test_camera_by_name_and_folder(path: str, camera: str) -> None:
    assert Naming().camera_of(PurePath(path)) == camera


@pytest.mark.parametrize(
    ("path", "camera"),
    [
        ("/srv/footage/loading-dock.mp4", "loading-dock"),
        ("/srv/footage/gate-3.mp4", "gate-3"),
        ("/srv/footage/clip-0001.mp4", "footage"),
        ("/srv/footage/GX010042.MP4", "footage"),
        ("/srv/footage/20260301_081500.mp4", "footage"),
        ("/srv/footage/03-02-2026 08-15-00.mp4", "footage"),
        ("/srv/footage/RLC-810A_01_20260301081500.mp4", "RLC-810A"),
    ],
)
def test_single_file_is_called_by_its_name_unless_it_is_a_segment(path: str, camera: str) -> None:
    assert Naming(alone=frozenset({PurePath(path)})).camera_of(PurePath(path)) == camera


def test_file_is_single_only_where_it_alone_was_asked_for(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    gate, yard = (str(tmp_path / "footage" / name) for name in ("gate.mp4", "yard.mp4"))
    assert Naming.of(settings, paths=[gate]).camera_of(PurePath(gate)) == "gate"
    assert Naming.of(settings, paths=[gate, yard]).camera_of(PurePath(gate)) == "footage"
    assert Naming.of(settings).camera_of(PurePath(gate)) == "footage"
    folder = Naming.of(settings, paths=[str(tmp_path / "footage")])
    assert folder.camera_of(PurePath(gate)) == "footage"


def test_upload_is_read_by_the_name_it_was_sent_with(tmp_path: Path) -> None:
    naming = Naming(uploads_dir=tmp_path / "uploads")
    sent = tmp_path / "uploads" / "20260520-101112-0a1b2c3d"
    reading = naming.reading_of(sent / "001-20150910070618-070619-M00_507.mov")
    assert reading is not None
    assert (reading.recorder, reading.utc) == ("Canon VB", True)
    assert naming.camera_of(sent / "002-yard" / "2026-03-01" / "08-15.mp4") == "yard"
    assert naming.camera_of(sent / "001-clip.mp4") == "unknown"


def test_patterns_given_come_before_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, names=NamesSettings(patterns=("%camera_%*",)))
    path = PurePath("/srv/site/gate_1.mp4")
    assert Naming.of(settings).camera_of(path) == "gate"
    assert Naming.of(settings, ["%camera/%*"]).camera_of(path) == "site"


@given(
    st.sampled_from(
        ["ch01_{:06}", "clip-{:04}", "{}", "20260301_{:06}", "IMG_{:04}", "08.15.{:02}"]
    ),
    st.lists(st.integers(0, 99), min_size=2, max_size=20, unique=True),
    st.sampled_from(["gate", "2026-03-01", "100CANON"]),
)
def test_segments_in_a_folder_are_never_a_camera_each(
    form: str, numbers: list[int], folder: str
) -> None:
    names = [f"{form.format(number)}.mp4" for number in numbers]
    cameras = {Naming().camera_of(PurePath("/srv/yard", folder, name)) for name in names}
    assert len(cameras) == 1
