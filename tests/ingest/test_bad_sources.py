"""Bad and odd files cost themselves alone: what is told of each, and what is kept."""

import os
from pathlib import Path

from PIL import Image

from ingest.ledger import Ledger
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo, make_sound


def test_bad_files_fail_with_reasons_and_stop_nothing(
    take_in: TakeIn, media: Path, store: MemoryStore, ledger: Ledger
) -> None:
    make_photo(media / "good.jpg")
    make_sound(media / "sound.mp4")
    (media / "empty.jpg").touch()
    (media / "text.mp4").write_text("not a video at all")
    (media / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (media / "notes.txt").write_text("notes")
    (media / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    report = take_in(media, media / "missing.mp4")
    assert (report.done, report.skipped, report.failed) == (1, 1, 6)
    told = {Path(o.uri).name: o.reason for o in report.outcomes if o.status != "done"}
    assert told["notes.txt"] == "not media"
    assert told["empty.jpg"] == "is empty"
    assert told["sound.mp4"] == "has no video stream, only audio"
    assert told["missing.mp4"] == "does not exist"
    assert "SVG" in told["drawing.svg"]
    # Of a path that names no file nothing is kept.
    assert ledger.counts("main") == {"done": 1, "skipped": 1, "failed": 5}
    assert {row.reason for row in ledger.outcomes("main", "failed")} == {
        reason for name, reason in told.items() if name not in ("notes.txt", "missing.mp4")
    }
    json = report.to_json()
    assert (json["done"], json["skipped"], json["failed"]) == (1, 1, 6)
    assert len(json["failures"]) == 6 and len(json["skips"]) == 1


def test_a_file_that_is_no_media_fails_when_it_was_named(take_in: TakeIn, media: Path) -> None:
    (media / "notes.txt").write_text("notes")
    (outcome,) = take_in(media / "notes.txt").outcomes
    assert (outcome.status, outcome.reason) == ("failed", "is neither an image nor a video")


def test_a_file_that_was_repaired_is_no_failure_any_more(
    take_in: TakeIn, media: Path, ledger: Ledger
) -> None:
    (media / "a.png").touch()
    assert take_in(media).failed == 1
    make_photo(media / "a.png")
    assert take_in(media).done == 1
    assert ledger.counts("main") == {"done": 1, "skipped": 0, "failed": 0}


def test_a_truncated_video_is_done_with_a_warning(take_in: TakeIn, media: Path) -> None:
    path = make_clip(
        media / "a.mp4", seconds=20, size=(160, 120), container_options={"movflags": "faststart"}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    report = take_in(media)
    (outcome,) = report.outcomes
    assert outcome.status == "done" and outcome.warning.startswith("stopped at ")
    assert report.to_json()["warnings"][0]["warning"] == outcome.warning


def test_names_that_are_no_unicode_fail_with_a_reason(take_in: TakeIn, media: Path) -> None:
    make_photo(media / "a.png")
    (media / "a.png").rename(media / os.fsdecode(b"caf\xe9.png"))
    (outcome,) = take_in(media).outcomes
    assert (outcome.status, outcome.stage) == ("failed", "read") and "UTF-8" in outcome.reason


def test_a_thread_of_pixels_is_taken_in(take_in: TakeIn, media: Path) -> None:
    Image.new("RGB", (1, 60_000)).save(media / "thread.png")
    assert take_in(media).done == 1
