"""Paths whose content changes: rows and thumbnails follow; a refused attempt leaves none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from ingest.curation.repair import repair
from ingest.curation.verification import Finding, verify
from ingest.engines.base import DecodeTask, LocalEngine, Prepared, Told
from ingest.ledger import Ledger
from ingest.media.files import content_of
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo


class ChangingEngine(LocalEngine):
    """Decodes as usual, but ``change`` is called with each file after it was hashed."""

    def __init__(self, change: Callable[[Path], None]) -> None:
        super().__init__(1)
        self._change = change

    def decode(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        return super().decode(self._changed(prepared))

    def _changed(self, prepared: Iterator[Prepared]) -> Iterator[Prepared]:
        for item in prepared:
            if isinstance(item, DecodeTask):
                self._change(item.path)
            yield item


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0" * 16)


def places(store: MemoryStore) -> list[tuple[str, str]]:
    return sorted((Path(e.uri).name, e.source_id) for e in store.entities("main", limit=1000))


def thumbnails(settings: Settings) -> set[str]:
    root = settings.data_dir
    return {str(path.relative_to(root)) for path in settings.thumbnails_dir.rglob("*.jpg")}


def shown(store: MemoryStore) -> set[str]:
    return {entity.thumbnail for entity in store.entities("main", limit=1000)}


def findings(settings: Settings, store: MemoryStore) -> list[Finding]:
    return list(verify(settings, store, ["main"]))


def test_new_content_replaces_what_a_path_gave_before(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings, ledger: Ledger
) -> None:
    latest = media / "latest.jpg"
    make_photo(latest, colour=(200, 0, 0))
    take_in(media)
    make_photo(latest, colour=(0, 200, 0))
    report = take_in(media)
    assert (report.done, report.replaced) == (1, 1)
    assert places(store) == [("latest.jpg", content_of(latest).source_id)]
    assert thumbnails(settings) == shown(store)
    assert ledger.counts("main") == {"done": 1, "skipped": 0, "failed": 0}
    assert findings(settings, store) == []


def test_a_recording_taken_in_half_is_replaced_when_it_is_whole(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    whole, cam = media.parent / "whole.ts", media / "cam.ts"
    make_clip(whole, seconds=8)
    data = whole.read_bytes()
    cam.write_bytes(data[: len(data) // 2])
    assert take_in(media, keyframes="interval:1").done == 1
    cam.write_bytes(data)
    take_in(media, keyframes="interval:1")
    assert {source for _, source in places(store)} == {content_of(cam).source_id}
    times = sorted(entity.pts_ms for entity in store.entities("main", limit=100))
    assert len(times) == len(set(times)) == 8
    assert findings(settings, store) == []


def test_content_that_another_path_still_has_stays_and_points_there(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    first, second = media / "a.jpg", media / "b.jpg"
    make_photo(first, colour=(200, 0, 0))
    shutil.copy(first, second)
    take_in(media)
    kept = content_of(second).source_id
    make_photo(first, colour=(0, 200, 0))
    report = take_in(media)
    assert (report.done, report.replaced) == (1, 0)
    assert places(store) == [("a.jpg", content_of(first).source_id), ("b.jpg", kept)]
    assert findings(settings, store) == []


def test_files_that_swap_names_keep_their_rows(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    first, second = media / "a.jpg", media / "b.jpg"
    make_photo(first, colour=(200, 0, 0))
    make_photo(second, colour=(0, 200, 0))
    take_in(media)
    before = dict(places(store))
    first.rename(media / "c")
    second.rename(first)
    (media / "c").rename(second)
    report = take_in(media)
    assert (report.done, report.replaced) == (0, 0)
    assert dict(places(store)) == {"a.jpg": before["b.jpg"], "b.jpg": before["a.jpg"]}
    assert findings(settings, store) == []


def test_another_library_keeps_its_rows(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    latest = media / "latest.jpg"
    make_photo(latest, colour=(200, 0, 0))
    take_in(media)
    take_in(media, library="other")
    make_photo(latest, colour=(0, 200, 0))
    take_in(media)
    [old] = store.entities("other")
    assert (settings.data_dir / old.thumbnail).is_file()
    kinds = [finding.kind for finding in verify(settings, store, ["other"])]
    assert kinds == ["media_changed"]


def test_new_content_that_cannot_be_read_leaves_the_old_rows_and_is_told(
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    settings: Settings,
    encoder: HistogramEncoder,
) -> None:
    latest = media / "latest.jpg"
    make_photo(latest)
    take_in(media)
    before = places(store)
    latest.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    assert take_in(media).failed == 1
    assert places(store) == before
    [finding] = findings(settings, store)
    assert (finding.kind, finding.repairable) == ("media_changed", True)
    [left] = repair(settings, store, [finding], lambda _: encoder)
    assert left.kind == "media_changed" and not left.repairable
    make_photo(latest, colour=(0, 200, 0))
    assert repair(settings, store, findings(settings, store), lambda _: encoder) == []
    assert places(store) == [("latest.jpg", content_of(latest).source_id)]
    assert findings(settings, store) == []


@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_file_that_changes_while_it_is_read_leaves_no_keyframes(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings, in_bulk: bool
) -> None:
    make_clip(media / "cam.mp4", seconds=4)
    bulk = store.upsert if in_bulk else None
    report = take_in(media, keyframes="interval:1", engine=ChangingEngine(grow), bulk=bulk)
    [outcome] = report.outcomes
    assert outcome.status == "failed" and "changed while it was read" in outcome.reason
    assert (store.count("main"), thumbnails(settings)) == (0, set())
    assert findings(settings, store) == []
    assert take_in(media, keyframes="interval:1").done == 1
    assert {source for _, source in places(store)} == {content_of(media / "cam.mp4").source_id}


def test_a_refused_attempt_with_other_keyframes_leaves_those_there_were(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_clip(media / "cam.mp4", seconds=4)
    take_in(media, keyframes="interval:2")
    before = {entity.id for entity in store.entities("main")}
    report = take_in(media, keyframes="interval:0.5", engine=ChangingEngine(grow))
    assert report.failed == 1
    assert {entity.id for entity in store.entities("main", limit=100)} == before


def test_rows_of_an_ingest_that_was_killed_go_when_the_file_is_another(
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    settings: Settings,
    encoder: HistogramEncoder,
    ledger: Ledger,
) -> None:
    cam = media / "cam.mp4"
    make_clip(cam, seconds=4)
    take_in(media)
    with ledger._database.writing() as connection:  # as it is before the last rows are written
        connection.execute("DELETE FROM sources")
    make_clip(cam, seconds=6)
    assert "unfinished" in [finding.kind for finding in findings(settings, store)]
    assert repair(settings, store, findings(settings, store), lambda _: encoder) == []
    assert {source for _, source in places(store)} == {content_of(cam).source_id}
    assert findings(settings, store) == []


def test_a_thumbnail_is_not_drawn_from_other_content(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    photo = media / "photo.jpg"
    make_photo(photo)
    take_in(media)
    [entity] = store.entities("main")
    (settings.data_dir / entity.thumbnail).unlink()
    make_photo(photo, colour=(0, 200, 0))
    repairable = {finding.kind: finding.repairable for finding in findings(settings, store)}
    assert repairable == {"media_changed": True, "thumbnail_missing": False}


def test_a_place_with_other_content_is_not_where_a_file_was_moved(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings
) -> None:
    first, second = media / "a.jpg", media / "b.jpg"
    make_photo(first)
    shutil.copy(first, second)
    os.utime(second, (1_000_000_000, 1_000_000_000))
    take_in(media)
    first.unlink()
    assert [finding.kind for finding in findings(settings, store)] == ["media_moved"]
    make_photo(second, colour=(0, 200, 0))
    assert [finding.kind for finding in findings(settings, store)] == ["media_missing"]


def test_a_member_of_a_zip_that_changed_is_replaced(
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")  # where one is while it is taken in does not matter
    photo = media.parent / "photo.jpg"
    packed = media / "photos.zip"
    for colour in ((200, 0, 0), (0, 200, 0)):
        make_photo(photo, colour=colour)
        packed.unlink(missing_ok=True)
        shutil.make_archive(str(packed.with_suffix("")), "zip", photo.parent, photo.name)
        take_in(packed)
    assert [source for _, source in places(store)] == [content_of(photo).source_id]
    assert findings(settings, store) == []


def test_the_sha256_of_what_was_taken_in_is_kept(
    take_in: TakeIn, media: Path, ledger: Ledger
) -> None:
    photo = media / "photo.jpg"
    make_photo(photo)
    content = content_of(photo)
    take_in(media)
    photo.unlink()
    assert ledger.sha256_of(content.source_id) == content.sha256
