from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from pypdf import PdfReader

from dashboard.query.request import SearchRequest
from dashboard.search.export import Export, filter_in_words
from ingest.evidence.sheet import PER_PAGE
from ingest.evidence.verification import verify_bundle
from ingest.media.files import content_of
from search_core.schema.filters import Filter, Hours
from search_core.search.engine import Hit
from search_core.settings import Settings
from tests.conftest import make_entity

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 36), (200, 30, 30)).save(path)
    return path


@pytest.fixture
def export(tmp_path: Path, photo: Path) -> Export:
    """Two hits: a photograph, and a keyframe whose video is gone, of a camera with a bad name."""
    thumbnail = tmp_path / "thumbnails" / "1.jpg"
    thumbnail.parent.mkdir()
    Image.new("RGB", (32, 18), (30, 30, 200)).save(thumbnail)
    taken = make_entity(
        0,
        media_type="image",
        uri=str(photo),
        captured_at=1_772_438_400_000,
        source_id=content_of(photo).source_id,
    )
    frame = make_entity(1, camera="=cmd()", thumbnail="thumbnails/1.jpg")
    hits = [Hit(1, 0.9, taken), Hit(2, 0.8, frame)]
    request = SearchRequest("main", text="a red car", without=("rain",))
    return Export(request, hits, BERLIN, "an encoder", Settings(data_dir=tmp_path), "anna")


def test_json_holds_what_was_asked_and_the_files_hashes(export: Export, photo: Path) -> None:
    record = json.loads(export.as_json())
    assert record["asked"] == "“a red car”, without rain"
    first, second = record["hits"]
    assert first["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert first["captured_local"] == "2026-03-02 09:00:00"
    assert second["sha256"] == ""


def test_a_hash_is_that_of_the_content_taken_in(export: Export, photo: Path) -> None:
    taken_in = json.loads(export.as_json())["hits"][0]
    assert taken_in["file"] == "as taken in"
    thumbnail = export.settings.data_dir / "thumbnails" / "0.jpg"
    Image.new("RGB", (32, 18), (200, 30, 30)).save(thumbnail)

    Image.new("RGB", (64, 36), (30, 200, 30)).save(photo)
    changed = json.loads(export.as_json())["hits"][0]
    assert (changed["sha256"], changed["file"]) == (taken_in["sha256"], "changed")
    with zipfile.ZipFile(io.BytesIO(export.as_zip())) as archive:
        first, *_ = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        assert archive.read(first) == thumbnail.read_bytes()

    photo.unlink()
    gone = json.loads(export.as_json())["hits"][0]
    assert (gone["sha256"], gone["file"]) == (taken_in["sha256"], "gone")


def text_of(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_a_sheet_shows_the_hash_taken_in_and_that_the_file_has_changed(
    export: Export, photo: Path
) -> None:
    digest = json.loads(export.as_json())["hits"][0]["sha256"]
    Image.new("RGB", (64, 36), (30, 200, 30)).save(photo)
    said = text_of(export.as_pdf())
    assert digest[:32] in said and digest[32:] in said
    assert "The file has changed since it was taken in." in said


def test_a_spreadsheet_takes_no_name_for_a_formula(export: Export) -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv().decode("utf-8-sig"))))
    assert [row["camera"] for row in rows] == ["cam-0", "'=cmd()"]


def test_a_zip_holds_the_originals_with_sums_over_all_of_it(
    export: Export, photo: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "hits.zip"
    bundle.write_bytes(export.as_zip())
    assert verify_bundle(bundle).problems == ()
    with zipfile.ZipFile(bundle) as archive:
        first, second = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        assert first == "001-cam-0-2026-03-02T09-00-00.jpg"
        assert archive.read(first) == photo.read_bytes()
        assert archive.read(second) == (tmp_path / "thumbnails" / "1.jpg").read_bytes()
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["hits"] == 2 and manifest["encoder"] == "an encoder"
    first_remark, second_remark = (item["remark"] for item in manifest["items"])
    assert first_remark == "" and second_remark.startswith("1.mp4 is gone")


def test_a_zip_has_room_for_so_many_originals(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.search.export._ORIGINAL_BYTES", 10)
    with zipfile.ZipFile(io.BytesIO(export.as_zip())) as archive:
        first, _ = json.loads(archive.read("manifest.json"))["items"]
    assert "larger than what is left for originals" in first["remark"]


def test_a_sheet_has_a_page_for_every_twelve_hits(export: Export) -> None:
    hits = [Hit(rank, 0.5, make_entity(rank)) for rank in range(1, PER_PAGE + 2)]
    one = PdfReader(io.BytesIO(replace(export, hits=hits[:PER_PAGE]).as_pdf()))
    assert len(one.pages) == 1
    assert len(PdfReader(io.BytesIO(replace(export, hits=hits).as_pdf())).pages) == 2


def test_a_filter_is_said_in_words() -> None:
    where = Filter(
        cameras=("gate", ""),
        after=datetime(2026, 3, 1, tzinfo=UTC),
        before=datetime(2026, 4, 1, tzinfo=UTC),
        hours=Hours(22 * 60, 5 * 60 + 15, "Europe/Berlin"),
        tags=("suspect",),
        media_type="frame",
    )
    assert filter_in_words(where, BERLIN) == (
        "cameras gate, no name; from 2026-03-01 01:00 CET; until 2026-04-01 02:00 CEST; "
        "daily 22:00–05:15 (Europe/Berlin); tags suspect; video only"
    )
    assert filter_in_words(Filter(), BERLIN) == "none"
