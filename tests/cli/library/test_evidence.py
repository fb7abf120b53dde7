from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import CLIP_S, Run


@pytest.fixture
def moment(library: list[str], run: Run) -> str:
    """The id of the clip's third keyframe."""
    found = run("search", "blue", *library, "--json").json
    [wanted] = [
        hit["id"] for hit in found if hit["uri"].endswith("gate.mp4") and hit["pts_ms"] == 2000
    ]
    return str(wanted)


@pytest.fixture
def case(library: list[str], run: Run, request: pytest.FixtureRequest) -> str:
    name = f"Case of {request.node.name}"
    assert run("case", "new", name, *library).exit_code == 0
    return name


def test_a_clip_is_cut_and_its_real_beginning_told(
    library: list[str], run: Run, moment: str, tmp_path: Path
) -> None:
    wanted = ["clip", moment, "--lead", 0.5, "--tail", 1, "--out", tmp_path, *library]
    made = run(*wanted)
    assert made.exit_code == 0, made.err
    [path] = tmp_path.glob("*.mp4")
    assert path.name.startswith("gate-2026-03-01T") and path.name.endswith("-clip.mp4")
    assert "0:01.000 to 0:03.000 of gate.mp4" in made.out and "as recorded" in made.out
    exact = run(
        "clip", moment, "--lead", 0.5, "--tail", 1, "--exact", "--out", tmp_path, *library, "--json"
    )
    [row] = exact.json
    assert (row["cut"], row["shown_ms"]) == ("exact", [1500, 3000])


def test_a_span_of_time_is_cut(library: list[str], run: Run, tmp_path: Path) -> None:
    options = ["--after", "2026-03-01T06:00:01Z", "--before", "2026-03-01T06:00:03Z"]
    [row] = run("clip", *options, "--out", tmp_path, *library, "--json").json
    assert row["asked_ms"] == [1000, 3000]
    nothing = run("clip", *options, "--camera", "yard", "--out", tmp_path, *library)
    assert nothing.exit_code == 2 and "No video of the library main" in nothing.err


@pytest.mark.parametrize("wrong", [[], ["nothing-like-it"], ["--after", "2026-03-01"]])
def test_a_clip_of_nothing_is_refused(
    library: list[str], run: Run, wrong: list[str], tmp_path: Path
) -> None:
    made = run("clip", *wrong, "--out", tmp_path / "clips", *library)
    assert made.exit_code in (1, 2) and made.err.startswith("✗ ")
    assert not (tmp_path / "clips").exists()


def test_a_photograph_has_no_clip(library: list[str], run: Run, tmp_path: Path) -> None:
    found = run("search", "red", *library, "--json").json
    photo = next(hit["id"] for hit in found if hit["uri"].endswith(".png"))
    made = run("clip", photo, "--out", tmp_path, *library)
    assert made.exit_code == 2 and "no moment of a video file" in made.err


def test_a_case_goes_from_its_beginning_to_a_zip_that_proves_itself(
    library: list[str], run: Run, moment: str, case: str, tmp_path: Path
) -> None:
    assert run("case", "add", case, moment, "--note", "the van", *library).exit_code == 0
    assert run("case", "add", case, moment, "--clip", "--tail", 1, *library).exit_code == 0
    assert run("case", "note", case, "Seen at nine", *library).exit_code == 0
    assert run("case", "blur", case, 1, "--region", "0,0,50,50", *library).exit_code == 0
    assert run("case", "move", case, 3, 1, *library).exit_code == 0
    shown = run("case", "show", case, *library, "--json").json
    assert [(item["item"], item["kind"]) for item in shown] == [
        (3, "note"),
        (1, "picture"),
        (2, "clip"),
    ]
    assert shown[1]["note"] == "the van" and shown[1]["boxes"] == [[0, 0, 0.5, 0.5]]

    target = tmp_path / "case.zip"
    sealed = run("case", "export", case, "--out", target, *library, "--json").json
    assert sealed["items"] == 3 and sealed["remarks"] == []
    verified = run("case", "verify", target, "--json").json
    assert verified["problems"] == [] and verified["fingerprint"] == sealed["fingerprint"]
    logged = run("audit", *library, "--json").json
    assert any(event["detail"].get("fingerprint") == sealed["fingerprint"] for event in logged)

    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("more.txt", "x")
    changed = run("case", "verify", target)
    assert changed.exit_code == 1 and "more.txt: was added." in changed.out


def test_cases_are_listed_shown_and_deleted(library: list[str], run: Run, case: str) -> None:
    listed = run("case", "list", *library).out
    assert case in listed
    assert "Nothing is in the case" in run("case", "show", case, *library).err
    empty = run("case", "export", case, *library)
    assert empty.exit_code == 2 and "Nothing is in the case" in empty.err
    assert run("case", "delete", case, "--yes", *library).exit_code == 0
    gone = run("case", "show", case, *library)
    assert gone.exit_code == 1 and f"There is no case {case}." in gone.err


@pytest.mark.parametrize("region", ["1,2,3", "a,b,c,d", "50,0,20,100", "0,0,nan,1", "0,0,101,50"])
def test_a_region_that_is_none_is_refused(
    library: list[str], run: Run, moment: str, case: str, region: str
) -> None:
    run("case", "add", case, moment, *library)
    refused = run("case", "blur", case, 1, "--region", region, *library)
    assert refused.exit_code == 2 and "is no region" in refused.err


def test_what_is_no_zip_is_told_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("no zip")
    for path in (tmp_path / "no.zip", tmp_path / "missing.zip", tmp_path):
        told = run("case", "verify", path)
        assert told.exit_code != 0 and str(path) in told.err


def test_the_clip_is_as_long_as_the_recording_at_most(
    library: list[str], run: Run, moment: str, tmp_path: Path
) -> None:
    made = run("clip", moment, "--lead", 99, "--tail", 99, "--out", tmp_path, *library, "--json")
    assert json.loads(made.out)[0]["asked_ms"] == [0, CLIP_S * 1000]
