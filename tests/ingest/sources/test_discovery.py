"""Paths, folders, globs and zips become sources; what cannot be is told, nothing hangs."""

import os
import zipfile
from pathlib import Path

import pytest

from ingest.report import SourceOutcome
from ingest.sources.discovery import Source, find_sources
from ingest.sources.remote.files import RemoteFiles
from search_core.settings import RemoteSettings
from tests.support.permissions import permissions_hold

ADDRESSES = RemoteFiles(RemoteSettings())


def found(
    *paths: Path | str, data_dir: Path = Path("/nowhere")
) -> dict[str, Source | SourceOutcome]:
    """Sources by the last part of their uri."""
    sources = list(find_sources([str(path) for path in paths], data_dir, ADDRESSES))
    return {Path(source.uri).name: source for source in sources}


def told(*paths: Path | str) -> dict[str, SourceOutcome]:
    """What is told of paths that become no sources, by the last part of their uri."""
    outcomes = {}
    for name, outcome in found(*paths).items():
        assert isinstance(outcome, SourceOutcome)
        outcomes[name] = outcome
    return outcomes


def test_a_folder_is_taken_with_all_below_it_in_order(media: Path) -> None:
    for name in ("b.jpg", "a.mp4", "sub/deep/c.png", ".hidden.jpg", ".git/x.jpg"):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(b"x")
    assert list(found(media)) == ["a.mp4", "b.jpg", "c.png"]


def test_a_glob_takes_what_matches(media: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.mp4", "sub/d.jpg"):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes(b"x")
    assert list(found(media / "*.jpg")) == ["a.jpg", "b.jpg"]
    assert set(found(media / "**" / "*.jpg")) == {"a.jpg", "b.jpg", "d.jpg"}


def test_a_name_with_brackets_that_exists_is_no_pattern(media: Path) -> None:
    (media / "clip[1].mp4").write_bytes(b"x")
    assert list(found(media / "clip[1].mp4")) == ["clip[1].mp4"]


def test_folders_may_be_nested_very_deep(media: Path) -> None:
    folders = [media]
    for _ in range(1050):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    (folders[-1] / "a.jpg").write_bytes(b"x")
    try:
        assert list(found(media)) == ["a.jpg"]
    finally:  # not left to pytest, which removes folders recursively
        (folders[-1] / "a.jpg").unlink()
        for folder in reversed(folders):
            folder.rmdir()


def test_no_path_is_not_the_current_folder() -> None:
    outcomes = find_sources(["", " "], Path("/x"), ADDRESSES)
    assert [o.reason for o in outcomes if isinstance(o, SourceOutcome)] == ["is not a path"] * 2


def test_what_does_not_exist_fails(media: Path) -> None:
    outcomes = told(media / "missing.mp4", media / "*.nothing")
    assert [(o.status, o.reason) for o in outcomes.values()] == [
        ("failed", "does not exist"),
        ("failed", "matches no file"),
    ]


def test_a_file_named_twice_is_taken_once(media: Path) -> None:
    (media / "a.jpg").write_bytes(b"x")
    paths = [str(media), str(media / "a.jpg")]
    assert len(list(find_sources(paths, Path("/nowhere"), ADDRESSES))) == 1


def test_links_are_not_followed_out_of_the_folder(media: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    (media / "a.jpg").write_bytes(b"x")
    (media / "out").symlink_to(outside)
    (media / "secret-link.jpg").symlink_to(outside / "secret.jpg")
    (media / "again.jpg").symlink_to(media / "a.jpg")
    (media / "loop").symlink_to(media)
    sources = found(media)
    assert isinstance(sources["a.jpg"], Source)
    outcomes = {name: s for name, s in sources.items() if isinstance(s, SourceOutcome)}
    assert set(outcomes) == {"out", "secret-link.jpg"}
    assert outcomes["out"].status == "skipped" and "out of the folder" in outcomes["out"].reason


def link_loops(folder: Path) -> None:
    """Links to themselves, to each other, to nothing, and beside them one good file."""
    (folder / "good.jpg").write_bytes(b"x")
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (folder / "dangling.jpg").symlink_to("nothing.jpg")


LOOPS = {
    "self.jpg": "is a symbolic link that leads to itself",
    "a": "is a symbolic link that leads to itself",
    "b": "is a symbolic link that leads to itself",
    "dangling.jpg": "is a symbolic link to a file that does not exist",
}


@pytest.mark.parametrize("pattern", ["", "*", "**"])
def test_links_that_lead_nowhere_are_listed_and_the_rest_is_taken(
    media: Path, pattern: str
) -> None:
    link_loops(media)
    sources = found(media / pattern)
    assert isinstance(sources.pop("good.jpg"), Source)
    assert {n: s.reason for n, s in sources.items() if isinstance(s, SourceOutcome)} == LOOPS
    assert {s.status for s in sources.values() if isinstance(s, SourceOutcome)} == {"skipped"}


def test_a_link_to_itself_fails_when_it_is_named(media: Path) -> None:
    link_loops(media)
    outcomes = told(media / "self.jpg", media / "a" / "below.jpg")
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "self.jpg": "failed",
        "below.jpg": "failed",
    }
    assert outcomes["self.jpg"].reason == LOOPS["self.jpg"]


def test_patterns_follow_no_links_to_parent_folders(media: Path) -> None:
    """With glob.glob, this pattern has 2**40 matches."""
    (media / "sub").mkdir()
    (media / "sub" / "a.jpg").write_bytes(b"x")
    (media / "sub" / "up").symlink_to("..")
    (media / "sub" / "top").symlink_to("..")
    assert list(found(media / "**" / "*.jpg")) == ["a.jpg"]


def test_patterns_leave_out_the_data_directory(media: Path) -> None:
    (media / "data" / "thumbnails").mkdir(parents=True)
    (media / "data" / "thumbnails" / "1.jpg").write_bytes(b"x")
    (media / "a.jpg").write_bytes(b"x")
    for pattern in ("*", "**", "**/*.jpg", "**/**/*.jpg", "*/*"):
        assert "1.jpg" not in found(media / pattern, data_dir=media / "data")


def test_a_folder_with_brackets_may_stand_in_a_pattern(media: Path) -> None:
    (media / "trip [2026]").mkdir()
    (media / "trip [2026]" / "a.jpg").write_bytes(b"x")
    assert list(found(media / "trip [2026]" / "*.jpg")) == ["a.jpg"]


def test_folders_that_cannot_be_listed_are_reported(media: Path) -> None:
    for name in ("closed", "no-entry", "open"):
        (media / name).mkdir()
        (media / name / "a.jpg").write_bytes(b"x")
    (media / "closed").chmod(0)
    (media / "no-entry").chmod(0o444)
    listed = f"{media}/closed"
    inside = f"{media}/no-entry/a.jpg"
    try:
        with permissions_hold():
            for pattern, refused in (
                (media, {listed: "cannot be listed", inside: "cannot be read"}),
                (media / "**", {listed: "cannot be listed", inside: "cannot be read"}),
                (media / "*" / "*", {listed: "cannot be listed", inside: "cannot be read"}),
                (media / "closed" / "a.jpg", {f"{listed}/a.jpg": "cannot be read"}),
                (media / "closed" / "*.jpg", {listed: "cannot be listed"}),
            ):
                sources = list(find_sources([str(pattern)], Path("/nowhere"), ADDRESSES))
                outcomes = [source for source in sources if isinstance(source, SourceOutcome)]
                assert {outcome.uri: outcome.reason for outcome in outcomes} == {
                    uri: f"{reason}: Permission denied" for uri, reason in refused.items()
                }
                assert {outcome.status for outcome in outcomes} == {"failed"}
                assert len(sources) - len(outcomes) == (0 if "closed" in str(pattern) else 1)
    finally:
        (media / "closed").chmod(0o755)
        (media / "no-entry").chmod(0o755)


def test_a_link_that_is_named_itself_is_followed(media: Path, tmp_path: Path) -> None:
    (tmp_path / "real.jpg").write_bytes(b"x")
    (media / "link.jpg").symlink_to(tmp_path / "real.jpg")
    assert isinstance(found(media / "link.jpg")["link.jpg"], Source)


def test_pipes_are_left_alone(media: Path) -> None:
    os.mkfifo(media / "pipe.mp4")
    assert told(media)["pipe.mp4"].status == "skipped"
    assert told(media / "pipe.mp4")["pipe.mp4"].status == "failed"


def test_the_data_directory_is_left_out(media: Path) -> None:
    (media / "data" / "thumbnails").mkdir(parents=True)
    (media / "data" / "thumbnails" / "1.jpg").write_bytes(b"x")
    (media / "a.jpg").write_bytes(b"x")
    assert list(found(media, data_dir=media / "data")) == ["a.jpg"]


def test_a_zip_is_opened_and_its_members_are_told_by_path(media: Path) -> None:
    with zipfile.ZipFile(media / "trip.zip", "w") as out:
        out.writestr("day1/a.jpg", b"x")
        out.writestr("../evil.jpg", b"x")
    uris = {
        source.uri: source for source in find_sources([str(media)], Path("/nowhere"), ADDRESSES)
    }
    assert isinstance(uris[f"{media}/trip.zip/day1/a.jpg"], Source)
    evil = uris[f"{media}/trip.zip/../evil.jpg"]
    assert isinstance(evil, SourceOutcome) and evil.status == "failed"


def test_a_damaged_zip_fails(media: Path) -> None:
    (media / "trip.zip").write_bytes(b"PK\x03\x04 and nothing")
    outcome = told(media)["trip.zip"]
    assert (outcome.status, outcome.stage) == ("failed", "archive")
    assert "not a complete zip" in outcome.reason


def test_a_file_address_is_a_path(media: Path) -> None:
    (media / "two words.jpg").write_bytes(b"x")
    assert list(found((media / "two words.jpg").as_uri())) == ["two words.jpg"]


def test_addresses_that_are_not_read_fail_with_the_reason() -> None:
    outcomes = told("ftp://host/a.mp4", "s3://", "https://me:word@host/b.mp4?sig=1")
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "a.mp4": "failed",
        "s3:": "failed",
        "b.mp4": "failed",
    }
    assert "ftp://" in outcomes["a.mp4"].reason
    assert "SIGHTLINE_REMOTE_ALLOW_URLS" in outcomes["b.mp4"].reason
    assert outcomes["b.mp4"].uri == "https://host/b.mp4"
