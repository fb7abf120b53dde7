"""`sightline library retime` and `recamera`, on a real library."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from search_core.access.audit_log import AuditLog
from search_core.schema.entity import MediaEntity
from search_core.settings import load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.cli.conftest import Run, data_dir_of


@pytest.fixture
def own(run: Run, media: Path, encoder: list[str], tmp_path: Path) -> list[str]:
    """The options of a library of this test's own: a clip of a given time, and pictures."""
    options = [*encoder, "--data-dir", str(tmp_path / "data"), "--camera", "gate"]
    given = ["--started-at", "2026-03-01T06:00:00Z"]
    assert run("ingest", media / "gate.mp4", *options, *given).exit_code == 0
    assert run("ingest", media, *options).exit_code == 0
    return options[:-2]


def entities(options: list[str]) -> list[MediaEntity]:
    settings = load_settings(data_dir=data_dir_of(options))
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        return store.entities("main", limit=1000)


def test_shifts_what_the_filters_pass(run: Run, own: list[str], media: Path) -> None:
    clip = ["--source", media / "gate.mp4"]
    planned = run("library", "retime", *clip, "--shift", "-1h30m", "--dry-run", "--json", *own).json
    assert (planned["keyframes"], planned["changed"]) == (4, False)
    assert planned["recordings"][0]["starts"] == "2026-03-01T06:00:00.000Z"
    assert planned["recordings"][0]["will_start"] == "2026-03-01T04:30:00.000Z"

    pictures = [e for e in entities(own) if not e.in_video]
    unasked = run("library", "retime", *clip, "--shift", "-1h30m", *own)
    assert unasked.exit_code == 2
    assert "--yes" in unasked.err
    done = run("library", "retime", *clip, "--shift", "-1h30m", "--yes", *own)

    assert "Corrected 4 keyframes of the library main" in done.out
    found = {e.captured_at_iso for e in entities(own) if e.uri.endswith("gate.mp4")}
    assert min(found) == "2026-03-01T04:30:00.000Z"
    assert {e.id: e for e in pictures} == {e.id: e for e in entities(own) if not e.in_video}
    [event] = AuditLog(data_dir_of(own) / "audit.sqlite").events(action="retime")
    assert event.detail["shift"] == "-1h30m"
    assert event.detail["sources"] == [str(media / "gate.mp4")]
    assert event.detail["count"] == 4


def test_sets_one_start_and_refuses_it_for_photographs(
    run: Run, own: list[str], media: Path
) -> None:
    refused = run("library", "retime", "--set", "2026-03-02T08:00Z", "--yes", *own)
    assert refused.exit_code == 2
    assert "have no length" in refused.err

    photo = ["--source", media / "red.png"]
    assert run("library", "retime", *photo, "--set", "2026-03-02T08:00Z", "-y", *own).exit_code == 0
    [red] = [e for e in entities(own) if e.uri.endswith("red.png")]
    assert red.captured_at_iso == "2026-03-02T08:00:00.000Z"


def test_read_again_leaves_given_times_unless_asked(run: Run, own: list[str], media: Path) -> None:
    left = run("library", "retime", "--re-read", "--yes", *own)
    assert "has a time that somebody gave" in left.err

    read = run("library", "retime", "--re-read", "--given-too", "--yes", "--json", *own).json
    assert (read["keyframes"], read["unchanged"]) == (4, 6)
    written_s = (media / "gate.mp4").stat().st_mtime
    for entity in entities(own):
        assert entity.captured_from == "file"
        if entity.in_video:  # it was written while it was recorded, or at its end
            assert abs((entity.captured_at - entity.pts_ms) / 1000 - written_s) < 5


def test_gives_another_camera(run: Run, own: list[str]) -> None:
    none = run("library", "recamera", "--from", "yard", "--to", "gate-3", "--yes", *own)
    assert (none.exit_code, "Nothing in the library main" in none.out) == (0, True)

    done = run("library", "recamera", "--from", "gate", "--to", "gate-3", "--yes", "--json", *own)

    assert done.json["keyframes"] == 10
    assert {e.camera for e in entities(own)} == {"gate-3"}
    assert run("verify", *own).exit_code == 0
    [event] = AuditLog(data_dir_of(own) / "audit.sqlite").events(action="recamera")
    assert event.detail["camera"] == "gate-3"


@pytest.mark.parametrize(
    "arguments",
    [
        ("retime",),
        ("retime", "--shift", "+1h", "--re-read"),
        ("retime", "--shift", "soon"),
        ("retime", "--shift", "+1h", "--given-too"),
        ("retime", "--set", "yesterday"),
        ("recamera",),
        ("recamera", "--to", " "),
        ("recamera", "--to", "x", "--resume"),
        ("retime", "--resume"),
        ("retime", "--shift", "+1h", "--source", "/nowhere"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    run: Run, library: list[str], arguments: tuple[str, ...]
) -> None:
    refused = run("library", *arguments, "--yes", *library)
    assert refused.exit_code == 2
    assert "bug" not in refused.err


def test_the_same_command_goes_on_after_it_was_stopped(
    run: Run, own: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["library", "retime", "--shift", "+1h", "--yes", *own]
    before = {e.id: e.captured_at for e in entities(own)}
    with monkeypatch.context() as patch:
        patch.setattr("ingest.curation.corrections._CHUNK_ROWS", 4)
        patch.setattr(MilvusStore, "upsert", _stopping_after(2))
        stopped = run(*command)
    assert stopped.exit_code == 1
    assert "Stopped after 4 of 10 keyframes" in stopped.err

    other = run("library", "recamera", "--to", "x", "--yes", *own)
    assert other.exit_code == 2
    assert "--resume" in other.err
    assert "Corrected 10 keyframes" in run(*command).out

    assert {e.id: e.captured_at - 3_600_000 for e in entities(own)} == before


def _stopping_after(writes: int) -> object:
    upsert, seen = MilvusStore.upsert, []

    def stopping(self: MilvusStore, *arguments: object) -> None:
        upsert(self, *arguments)  # type: ignore[arg-type]
        seen.append(arguments)
        if len(seen) == writes:
            raise KeyboardInterrupt

    return stopping


def test_ingesting_again_gives_another_camera_and_time(
    run: Run, own: list[str], media: Path
) -> None:
    again = run(
        "ingest", media / "gate.mp4", *own,
        "--camera", "gate-3", "--started-at", "2026-03-05T06:00Z", "--tag", "night",
    )  # fmt: skip

    assert again.exit_code == 0
    assert "1 source in the library already: 4 keyframes now have" in again.out
    clip = [e for e in entities(own) if e.in_video]
    assert {(e.camera, e.tags) for e in clip} == {("gate-3", ("night",))}
    assert min(e.captured_at_iso for e in clip) == "2026-03-05T06:00:00.000Z"
    assert {e.camera for e in entities(own) if not e.in_video} == {"gate"}
    [event] = AuditLog(data_dir_of(own) / "audit.sqlite").events(action="ingest")
    assert event.detail["count"] == 4
    assert event.detail["corrected"]["camera"] == "gate-3"
    same = run("ingest", media / "gate.mp4", *own, "--camera", "gate-3", "--json").json
    assert same["corrected"] == {"sources": 0, "keyframes": 0}
