"""Reading lettering from the command, and searching by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ingest.media.lettering import process, reader
from tests.cli.conftest import Run
from tests.ingest.rows.test_lettering import ENTRY


@pytest.fixture
def made_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ENTRY", ENTRY)
    monkeypatch.setenv("SIGHTLINE_MEDIA_READ", "auto")
    for module in ("ingest.media.lettering.reader", "ingest.rows.lettering", "ingest.pipeline"):
        monkeypatch.setattr(f"{module}.what_is_missing", lambda: "")


@pytest.mark.usefixtures("made_reader")
def test_a_backlog_is_read_and_found_by_its_words(
    run: Run, encoder: list[str], tmp_path: Path
) -> None:
    for name, colour in (("a", (0, 0, 255)), ("b", (255, 0, 0))):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{name}.png")
    where = ["--data-dir", str(tmp_path / "data"), *encoder]
    taken = run("ingest", tmp_path, "--read", "off", "--json", *where).json
    assert taken["read"] is None
    unread = run("search", "--text", "0000ff", *where)
    assert "These words were read on no picture that passes." in unread.out
    assert "2 pictures have not been read yet: `sightline library read`" in unread.err

    read = run("library", "read", "--json", *where).json
    assert (read["keyframes"], read["lettered"], read["failed"]) == (2, 2, 0)
    assert "Every keyframe was read before." in run("library", "read", *where).out

    [hit] = run("search", "--text", "0000FF", "--json", *where).json
    assert Path(hit["uri"]).name == "a.png"
    assert hit["found_by"] == "read"
    [line] = hit["lettering"]
    assert line["text"] == "COLOUR 0000ff"
    assert line["box"] == [0.1, 0.4, 0.6, 0.6]
    [again] = run("search", 'anything "0000ff"', "--json", *where).json
    assert again["id"] == hit["id"]
    assert again["found_by"] == "seen and read"
    table = run("search", "--text", "colour", *where).out
    assert "COLOUR ff0000" in table


def test_what_is_missing_is_named(
    run: Run, library: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "is_installed", lambda: False)
    outcome = run("library", "read", *library)
    assert outcome.exit_code == 2
    assert "pip install 'sightline[reading]'" in " ".join(outcome.err.split())
