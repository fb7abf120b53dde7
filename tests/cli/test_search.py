from __future__ import annotations

from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from rich.table import Table

from search_core.search.engine import Hit
from sightline.cli.search import hits_table
from tests.cli.conftest import Run
from tests.conftest import make_entity


def test_json_is_what_other_programs_rely_on(run: Run, library: list[str]) -> None:
    hits = run("search", "a red circle", "-k", 4, "--json", *library).json
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4]
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)
    for hit in hits:
        assert hit["camera"] == "gate"
        assert datetime.fromisoformat(hit["captured_at"]).tzinfo is not None
        assert Path(hit["uri"]).is_file()
        assert isinstance(hit["pts_ms"], int)
        assert hit["id"]
        assert hit["thumbnail"].startswith("thumbnails/")


def test_a_picture_finds_itself_and_its_id_finds_the_others(
    run: Run, library: list[str], media: Path
) -> None:
    [hit] = run("search", "--image", media / "green.png", "-k", 1, "--json", *library).json
    assert Path(hit["uri"]).name == "green.png"
    assert hit["score"] > 0.99
    others = run("search", "--id", hit["id"], "--json", *library).json
    assert len(others) == 9
    assert hit["id"] not in [other["id"] for other in others]


def test_the_text_weight_leans_from_picture_to_sentence(
    run: Run, library: list[str], media: Path
) -> None:
    asked = ["search", "something", "--image", media / "blue.png", "--json", *library]
    picture_only = run("search", "--image", media / "blue.png", "--json", *library).json
    sentence_only = run("search", "something", "--json", *library).json
    order = [hit["id"] for hit in run(*asked, "--text-weight", 0).json]
    assert order == [hit["id"] for hit in picture_only]
    order = [hit["id"] for hit in run(*asked, "--text-weight", 1).json]
    assert order == [hit["id"] for hit in sentence_only]


def test_filters_narrow(run: Run, library: list[str]) -> None:
    def found(*options: str) -> int:
        return len(run("search", "x", "--json", *options, *library).json)

    assert found() == 10
    assert found("--camera", "gate", "--tag", "made") == 10
    assert found("--camera", "elsewhere") == 0
    assert found("--after", "2026-03-01T06:00:01.500Z", "--before", "2026-03-01T06:00:03Z") == 1
    assert found("--min-score", "1.5") == 0


def test_times_and_cameras_of_a_sentence_are_filtered_by_and_printed(
    run: Run, library: list[str]
) -> None:
    sentence = "a red circle at the gate on 2026-03-01"
    outcome = run("search", sentence, "--json", *library)
    assert len(outcome.json) == 10
    said = " ".join(outcome.err.split())
    assert '"at the gate" (camera gate), "on 2026-03-01" (2026-03-01, all day)' in said
    assert run("search", "a red circle yesterday", "--json", *library).json == []

    as_words = run("search", "a red circle yesterday", "--literal", "--json", *library)
    assert len(as_words.json) == 10 and "Filtered by" not in as_words.err

    nothing_left = run("search", "yesterday", *library)
    assert nothing_left.exit_code == 2 and "Nothing is left to look for" in nothing_left.err
    assert "gate" not in run("search", "x", *library).err


def test_one_thing_and_then_another_are_pairs(run: Run, library: list[str]) -> None:
    sentence = "a red circle, then a blue circle, within 1 minute, at the gate"
    outcome = run("search", sentence, "--json", *library)
    [pair, *_] = outcome.json
    assert 0 < pair["apart_ms"] <= 60_000
    assert pair["first"]["camera"] == pair["second"]["camera"] == "gate"
    assert "“a red circle”, then “a blue circle” within 1 min" in " ".join(outcome.err.split())
    assert "Apart" in run("search", sentence, *library).out
    none = run("search", "a red circle, then a blue one, within 1 minute", "--tag", "no", *library)
    assert "Nothing was followed by the other" in none.out
    whole = run("search", sentence, "--literal", "--json", *library).json
    assert {"rank", "id"} <= set(whole[0])


def test_the_table_shows_camera_position_and_file(run: Run, library: list[str]) -> None:
    outcome = run("search", "x", *library)
    assert outcome.exit_code == 0
    assert "gate.mp4" in outcome.out
    assert "0:03.000" in outcome.out
    nothing = run("search", "x", "--camera", "elsewhere", *library)
    assert nothing.exit_code == 0
    assert "Nothing in the library passes these filters." in nothing.out
    assert "is of the camera 'elsewhere'" in nothing.err


def test_templates_and_ensembles(run: Run, library: list[str]) -> None:
    assert (
        run("search", "x", "--ensemble", "--template", "a drawing of {}", *library).exit_code == 0
    )
    refused = run("search", "x", "--template", "no place", *library)
    assert refused.exit_code == 2
    assert "exactly one {}" in refused.err


def test_the_sheet_is_a_picture_of_the_hits(run: Run, library: list[str], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    outcome = run("search", "a red circle", "-k", 7, "--sheet", sheet, *library)
    assert outcome.exit_code == 0
    assert str(sheet) in outcome.out
    with Image.open(sheet) as picture:
        assert picture.format == "JPEG"
        width, height = picture.size
        colours = picture.convert("RGB").resize((width // 8, height // 8)).getcolors(100_000)
    assert width > 5 * 320
    assert height > 2 * 180
    assert len(colours or []) > 50


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 2, "nothing to search for"),
        (["x", "-k", "0"], 2, "k must be from 1"),
        (["x", "--ef", "0"], 2, "ef must be a whole number from 1"),
        (["x", "--after", "soon"], 2, "ISO 8601"),
        (["x", "--sheet", "sheet.gif"], 2, "Unsupported image extension"),
        (["--image", "nowhere.jpg"], 2, "There is no file"),
        (["--id", "unheard-of"], 1, "no entity unheard-of"),
        (["x", "--library", "other"], 1, "no library other"),
        (["x", "--camera", "bad\x01name"], 2, "control characters"),
    ],
)
def test_errors_are_sentences_with_exit_codes(
    run: Run, library: list[str], options: list[str], code: int, said: str
) -> None:
    outcome = run("search", *options, *library, "--json")
    assert outcome.exit_code == code
    assert said in outcome.err.replace("\n", " ")
    assert outcome.out == ""


def test_another_encoder_is_refused_with_both_names(
    run: Run, library: list[str], tiny_model_dir: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    other = tmp_path / "other_model"
    other.mkdir()
    (other / "open_clip_config.json").write_bytes(
        (tiny_model_dir / "open_clip_config.json").read_bytes()
    )
    weights = load_file(tiny_model_dir / "open_clip_model.safetensors")
    save_file({k: v + torch.ones_like(v) for k, v in weights.items()},
              other / "open_clip_model.safetensors")  # fmt: skip
    outcome = run("search", "x", *library, "--model", f"local-dir:{other}")
    assert outcome.exit_code == 1
    assert str(other) in outcome.err
    assert str(tiny_model_dir) in outcome.err


def test_an_empty_data_dir_is_not_littered(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    outcome = run("search", "x", "--data-dir", data)
    assert outcome.exit_code == 1
    assert "Nothing has been ingested" in outcome.err
    assert not data.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--camera", "nosuch"], "No keyframe in the library main is of the camera 'nosuch'."),
        (["--tag", "nosuch"], "No keyframe in the library main has the tag 'nosuch'."),
        (
            ["--camera", "gate", "--camera", "nosuch"],
            "No keyframe in the library main is of the camera 'nosuch'.",
        ),
        (["--after", "2027-01-01"], "was captured from 2027-01-01 00:00:00."),
        (["--before", "2001-01-01"], "was captured before 2001-01-01 00:00:00."),
    ],
)
def test_filters_that_nothing_passes_are_named(
    run: Run, library: list[str], options: list[str], said: str
) -> None:
    outcome = run("search", "x", *options, *library)
    assert outcome.exit_code == 0
    assert said in outcome.out + outcome.err
    deleted = run("delete", "--yes", *options[-2:], *library)
    assert said in deleted.out + deleted.err


def test_a_period_that_ends_before_it_begins_is_refused(run: Run, library: list[str]) -> None:
    period = ["--after", "2026-05-02", "--before", "2026-05-01"]
    for command in (["search", "x"], ["delete", "--yes"], ["audit"]):
        outcome = run(*command, *period, *library)
        assert outcome.exit_code == 2
        assert "--after 2026-05-02 00:00:00 is later than --before 2026-05-01" in outcome.err
    compared = run("index", "compare", "--filter", "after=2026-05-02,before=2026-05-01", *library)
    assert compared.exit_code == 2 and "is later than" in compared.err


def test_a_video_is_not_a_picture_to_search_by(run: Run, library: list[str], media: Path) -> None:
    outcome = run("search", "--image", media / "gate.mp4", *library)
    assert outcome.exit_code == 1
    assert "gate.mp4 is a video, not a picture." in outcome.err


def test_what_was_read_of_a_long_sentence_is_said(run: Run, library: list[str]) -> None:
    sentence = "a red car and " * 20
    outcome = run("search", sentence.strip(), "--json", *library)
    assert 'so long a sentence: "a red car and a red car' in outcome.err
    assert len(outcome.json) == 10
    assert "so long" not in run("search", "a red car", *library).err


def test_control_characters_in_names_do_not_reach_the_terminal(
    run: Run, media: Path, encoder: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    name = "a\x1b[31m\x9b1m\n✓ 9 sources taken\u202e.png"
    (folder / name).write_bytes((media / "red.png").read_bytes())
    (folder / f"b{name}").write_bytes(b"\x89PNG\r\n\x1a\n and nothing")
    options = [*encoder, "--data-dir", tmp_path / "data"]
    camera = "gate\x1b]0;title\x07"
    ingested = run("ingest", folder, "--camera", camera, *options)
    searched = run("search", "x", *options)
    failures = run("failures", *options)
    for outcome in (ingested, searched, failures):
        assert not set("\x1b\x9b\x07\u202e") & set(outcome.out + outcome.err)
        assert "\n✓ 9" not in outcome.out + outcome.err
    assert r"a\x1b[31m\x9b1m\n✓ 9 sources taken\u202e.png" in searched.out
    asked = run("search", "x", "--json", *options)
    assert not set("\x1b\x9b\u202e") & set(asked.out)
    assert [Path(hit["uri"]).name for hit in asked.json] == [name]
    assert [hit["camera"] for hit in asked.json] == [camera]


def test_the_table_says_which_part_of_a_picture_a_hit_was_found_by() -> None:
    whole = Hit(1, 0.5, make_entity(1))
    part = Hit(2, 0.4, make_entity(2), box=(0.5, 1 / 3, 1.0, 2 / 3))
    lines = _printed(hits_table([whole, part]))
    assert "Region" in lines[0]
    assert "50–100 × 33–67 %" in lines[-1]
    assert "Region" not in _printed(hits_table([whole]))[0]


def _printed(table: Table) -> list[str]:
    console = Console(width=160, file=StringIO(), record=True)
    console.print(table)
    return [line for line in console.export_text().splitlines() if line.strip()]
