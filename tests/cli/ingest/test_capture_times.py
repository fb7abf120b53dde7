"""Times on the command line: zones and wrong clocks, what is said of times, impossible moments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import CLIP_S, STARTED_S, Run, invoke, write_clip


def photograph(path: Path, taken: str | None, colour: int = 0) -> Path:
    """Write a photograph with EXIF's DateTimeOriginal, last written at STARTED_S."""
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken
    Image.new("RGB", (64, 48), (colour, 90, 90)).save(path, exif=exif)
    os.utime(path, (STARTED_S, STARTED_S))
    return path


def captured(options: list[str]) -> dict[str, str]:
    """The time of each hit's picture by its file's name."""
    hits = invoke("search", "anything", "--json", "-k", 20, *options).json
    return {Path(hit["uri"]).name: hit["captured_at"] for hit in hits}


@pytest.fixture
def options(encoder: list[str], tmp_path: Path) -> list[str]:
    return [*encoder, "--data-dir", str(tmp_path / "data")]


def test_zones_and_offsets_are_for_every_camera_or_one(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    for number, camera in enumerate(("gate", "yard")):
        (tmp_path / "in" / camera).mkdir(parents=True)
        photograph(tmp_path / "in" / camera / f"{camera}.jpg", "2024:07:01 12:00:00", 90 * number)
    report = run(
        "ingest", tmp_path / "in", *options, "--json",
        "--timezone", "America/New_York", "--timezone", "yard=Asia/Tokyo",
        "--clock-offset", "gate=+1h",
    )  # fmt: skip
    assert report.json["captured_from"] == {"exif": 2}
    assert captured(options) == {
        "gate.jpg": "2024-07-01T17:00:00.000Z",
        "yard.jpg": "2024-07-01T03:00:00.000Z",
    }


def test_the_setting_is_the_zone_where_none_is_given(
    tmp_path: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_TIMEZONE", "+05:30")
    path = photograph(tmp_path / "a.jpg", "2024:07:01 12:00:00")
    assert invoke("ingest", path, *options).exit_code == 0
    assert captured(options) == {"a.jpg": "2024-07-01T06:30:00.000Z"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--timezone", "Europe/Berln", "Did you mean Europe/Berlin?"),
        ("--clock-offset", "soon", "is not a clock offset"),
        ("--clock-offset", "gate=", "is not a clock offset"),
    ],
)
def test_zones_and_offsets_that_cannot_be_are_refused(
    run: Run, tmp_path: Path, options: list[str], option: str, value: str, message: str
) -> None:
    outcome = run("ingest", tmp_path, *options, option, value)
    assert outcome.exit_code == 2
    assert message in outcome.err
    assert not (tmp_path / "data").exists()


def test_the_summary_says_where_times_come_from_and_which_are_the_files(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photograph(folder / "dated.jpg", "2024:07:01 12:00:00", 200)
    photograph(folder / "bare.jpg", None)
    write_clip(folder / "gate.mp4")
    os.utime(folder / "gate.mp4", (STARTED_S + CLIP_S, STARTED_S + CLIP_S))
    planned = run("plan", folder, *options)
    assert "2 of 3 sources have no time of capture" in planned.err
    assert run("plan", folder, *options, "--json").json["file_times"] == 2
    outcome = run("ingest", folder, *options)
    assert "Capture times: 1 from EXIF, 2 from the file's modification time." in outcome.out
    assert "2 of 3 sources have no time of capture" in outcome.err
    assert captured(options)["gate.mp4"].startswith("2026-03-01T06:00:0")


def test_times_that_disagree_are_reported(run: Run, tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2024:07:01 12:00:00", 0x9011: "+00:00"})
    exif.get_ifd(0x8825).update({29: "2024:07:01", 7: (10.0, 0.0, 0.0)})
    Image.new("RGB", (64, 48)).save(path, exif=exif)
    outcome = run("ingest", path, *options)
    text = " ".join(outcome.err.split())
    assert "a.jpg: has times that disagree: 2024-07-01 12:00:00 UTC by its EXIF" in text
    assert "2024-07-01 10:00:00 UTC by its GPS" in text
    assert "--timezone" in text


@pytest.mark.parametrize(
    "command",
    [
        ["ingest", "{media}", "--started-at"],
        ["search", "a circle", "--after"],
        ["search", "a circle", "--before"],
        ["delete", "--yes", "--before"],
        ["delete", "--yes", "--after"],
        ["audit", "--after"],
        ["audit", "--before"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00+14:00", "1825-12-31"])
def test_impossible_years_are_refused_like_any_value(
    run: Run, media: Path, library: list[str], command: list[str], moment: str
) -> None:
    asked = [part.format(media=media) for part in command]
    outcome = run(*asked, moment, *library)
    assert outcome.exit_code == 2
    assert "before 1826, the year of the first photograph" in " ".join(outcome.err.split())


@pytest.mark.parametrize("option", ["--after", "--before"])
def test_the_last_moment_there_is_may_be_asked_for(
    run: Run, library: list[str], option: str
) -> None:
    for moment in ("9999-12-31T23:59:59-14:00", "9999-12-31", "1826-01-01T00:00+14:00"):
        outcome = run("search", "a circle", option, moment, "--json", *library)
        assert outcome.exit_code == 0
