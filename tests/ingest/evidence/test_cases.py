from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from ingest.evidence.bundle import BundleWriter, Written, case_bundle
from ingest.evidence.cases import Cases, Item, clip_item, note_item, picture_item
from ingest.evidence.originals import shortest_frame_s, span_around, spans_between
from ingest.evidence.verification import verify_bundle
from ingest.ledger import Ledger
from ingest.media.video.clips import Box, Span
from search_core.access.audit_log import AuditLog
from search_core.errors import CaseNotFound, CorruptMedia, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from search_core.system.cancellation import Interrupted
from tests.conftest import make_entity
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo

BERLIN = ZoneInfo("Europe/Berlin")
#: 2026-03-01 07:15:00 in Berlin.
STARTED_MS = 1_772_345_700_000


@pytest.fixture
def cases(settings: Settings) -> Iterator[Cases]:
    with Cases(settings.cases_path) as cases:
        yield cases


@pytest.fixture
def footage(take_in: TakeIn, store: MemoryStore, media: Path) -> list[MediaEntity]:
    """What a clip (640 x 360, six seconds) and a photograph gave, of the camera "gate"."""
    make_clip(media / "gate.mp4", size=(640, 360), gop=5)
    make_photo(media / "photo.png")
    started = datetime.fromtimestamp(STARTED_MS / 1000, UTC)
    take_in(media / "gate.mp4", camera="gate", started_at=started)
    take_in(media / "photo.png", camera="hand held", started_at=started)
    return sorted(store.entities("main"), key=lambda entity: (entity.media_type, entity.pts_ms))


def exported(settings: Settings, cases: Cases, name: str, target: Path) -> Written:
    with Ledger(settings.ledger_path) as ledger, closing(AuditLog(settings.audit_path)) as log:
        bundle = case_bundle(cases.get(name), BERLIN, "anna", log)
        return BundleWriter(settings, ledger).save(bundle, target)


def full_case(cases: Cases, footage: list[MediaEntity]) -> None:
    frame, photo = footage[0], footage[-1]
    cases.create("Gate", "anna")
    cases.add(
        "Gate",
        [
            picture_item("main", frame, "anna", asked="a van", score=0.5),
            clip_item("main", frame, Span(1500, 3000), "anna"),
            picture_item("main", photo, "anna"),
            note_item("seen by the neighbour 邻居", "anna"),
        ],
    )


# Cases


def test_items_keep_their_numbers_and_take_the_order_given(
    cases: Cases, footage: list[MediaEntity]
) -> None:
    full_case(cases, footage)
    cases.move("Gate", 4, 1)
    assert [item.number for item in cases.get("Gate").items] == [4, 1, 2, 3]
    cases.remove("Gate", 1)
    [added] = cases.add("Gate", [note_item("later", "ben")])
    assert added.number == 5
    assert [item.number for item in cases.get("Gate").items] == [4, 2, 3, 5]
    cases.remove("Gate", 5)
    [again] = cases.add("Gate", [note_item("later still", "ben")])
    assert again.number == 6  # no number is given again


def test_an_item_is_read_as_it_was_written(cases: Cases, footage: list[MediaEntity]) -> None:
    full_case(cases, footage)
    item = cases.get("Gate").item(2)
    changed = replace(item, note="the one", boxes=(Box(0.1, 0.2, 0.3, 0.4),), exact=True)
    cases.change("Gate", changed)
    assert cases.get("Gate").item(2) == changed
    assert changed.entity == footage[0]


def test_what_a_library_forgets_stays_in_the_case(
    cases: Cases, footage: list[MediaEntity], store: MemoryStore
) -> None:
    full_case(cases, footage)
    store.delete("main", Filter(ids=(footage[0].id,)))
    assert cases.get("Gate").item(1).entity == footage[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(-3, 12)), max_size=12))
def test_any_moves_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int]]
) -> None:
    with Cases(tmp_path_factory.mktemp("cases") / "cases.sqlite") as cases:
        cases.create("c", "anna")
        cases.add("c", [note_item(str(n), "anna") for n in range(1, 9)])
        order = list(range(1, 9))
        for number, place in moves:
            cases.move("c", number, place)
            order.remove(number)
            order.insert(max(0, place - 1), number)
        assert [item.number for item in cases.get("c").items] == order


def test_cases_that_are_not_there_and_names_that_cannot_be_are_told(cases: Cases) -> None:
    with pytest.raises(CaseNotFound, match="no case Gate"):
        cases.get("Gate")
    cases.create("Gate", "anna")
    for name in ("Gate", "", "  ", "a\x1bb", "../up", "a/b", "a\\b", "x" * 200):
        with pytest.raises(UsageError):
            cases.create(name, "anna")
    with pytest.raises(UsageError, match="no item 7"):
        cases.remove("Gate", 7)
    with pytest.raises(UsageError, match="note"):
        note_item("  ", "anna")


# Spans


def test_a_span_stays_within_the_video(footage: list[MediaEntity]) -> None:
    assert span_around(footage[0], 5, 2) == Span(0, 2000)
    assert span_around(footage[0], 0, 60).end_ms == footage[0].duration_ms
    for before, after in ((-1, 1), (0, 0)):
        with pytest.raises(UsageError, match="no length"):
            span_around(footage[0], before, after)
    with pytest.raises(UsageError, match="no moment of a video"):
        span_around(footage[-1], 1, 1)


def test_a_span_of_time_finds_the_parts_of_all_recordings(
    take_in: TakeIn, store: MemoryStore, media: Path
) -> None:
    for number in range(3):  # three recordings of six seconds, one after another
        path = make_clip(media / f"{number}.mp4", level=lambda at, n=number: int(40 + n * 60 + at))  # type: ignore[misc]
        started = datetime.fromtimestamp(STARTED_MS / 1000 + 6 * number, UTC)
        take_in(path, camera="gate", started_at=started)
    found = spans_between(store, "main", Filter(), STARTED_MS + 4000, STARTED_MS + 13_000)
    assert [span for _, span in found] == [Span(4000, 6000), Span(0, 6000), Span(0, 1000)]
    assert not spans_between(store, "main", Filter(cameras=("yard",)), STARTED_MS, STARTED_MS + 9)


def test_a_span_of_time_comes_with_a_moment_of_what_it_shows(
    footage: list[MediaEntity], store: MemoryStore
) -> None:
    first = footage[0]
    begins = first.captured_at - first.pts_ms
    for at in (3000, 5000):
        later = replace(first, id=f"{first.id}-{at}", pts_ms=at, captured_at=begins + at)
        store.upsert("main", [later], store.embedding("main", first.id)[None])
    [(moment, span)] = spans_between(store, "main", Filter(), begins + 2500, begins + 4500)
    assert (moment.pts_ms, span) == (3000, Span(2500, 4500))


@pytest.mark.parametrize(("times", "frame_s"), [(None, 0.2), ([0.0, 0.1, 0.2, 1.2, 2.2], 0.1)])
def test_a_frame_is_shown_as_long_as_the_video_says(
    media: Path, times: list[float] | None, frame_s: float
) -> None:
    path = make_clip(media / "gate.mp4", fps=5 if times is None else 10, times=times)
    assert shortest_frame_s(path, 0) == pytest.approx(frame_s)


# Bundles


def test_a_bundle_holds_the_originals_at_full_size_with_names_that_tell(
    settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path, media: Path
) -> None:
    full_case(cases, footage)
    target = tmp_path / "out" / "gate.zip"
    assert exported(settings, cases, "Gate", target).remarks == ()
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        assert names[:3] == [
            "001-gate-2026-03-01T07-15-00.jpg",
            "002-gate-2026-03-01T07-15-01-clip.mp4",
            "003-hand-held-2026-03-01T07-15-00.png",
        ]
        with Image.open(io.BytesIO(archive.read(names[0]))) as frame:
            assert frame.size == (640, 360)  # its thumbnail has 64 pixels
        assert archive.read(names[2]) == (media / "photo.png").read_bytes()
        manifest = json.loads(archive.read("manifest.json"))
        first, clip, *_ = manifest["items"]
        original = (media / "gate.mp4").read_bytes()
        assert first["sha256"] == hashlib.sha256(original).hexdigest()
        assert (first["original"], first["asked"], first["score"]) == ("as taken in", "a van", 0.5)
        assert (clip["cut"], clip["asked_ms"], clip["shown_ms"][0]) == (
            "copied",
            [1500, 3000],
            1000,
        )
        listed = {line.split("  ")[1] for line in archive.read("SHA256SUMS").decode().splitlines()}
        assert listed == set(names) - {"SHA256SUMS"}  # the lists too


def test_the_sheet_has_real_text(
    settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path
) -> None:
    full_case(cases, footage)
    exported(settings, cases, "Gate", tmp_path / "gate.zip")
    with zipfile.ZipFile(tmp_path / "gate.zip") as archive:
        pdf = PdfReader(io.BytesIO(archive.read("sheet.pdf")))
        digest = json.loads(archive.read("manifest.json"))["items"][0]["sha256"]
    text = "".join(page.extract_text() for page in pdf.pages)
    assert "2026-03-01 07:15:00 CET" in text and "gate.mp4, at 0:00.000" in text
    assert digest[:32] in text and digest[32:] in text
    assert len(pdf.pages[0].images) == 2  # the clip's is the first one's


def test_a_changed_original_is_told_and_its_thumbnail_stands_for_it(
    settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path, media: Path
) -> None:
    full_case(cases, footage)
    make_clip(media / "gate.mp4", size=(640, 360), level=lambda at: 200)
    (media / "photo.png").unlink()
    written = exported(settings, cases, "Gate", tmp_path / "gate.zip")
    assert [remark.partition(": ")[2] for remark in written.remarks] == [
        "gate.mp4 has changed since it was taken in: this is its thumbnail.",
        "gate.mp4 has changed since it was taken in: this is its thumbnail.",
        "photo.png is gone: this is its thumbnail.",
    ]
    with zipfile.ZipFile(tmp_path / "gate.zip") as archive:
        items = json.loads(archive.read("manifest.json"))["items"]
        assert [item["original"] for item in items[:3]] == ["changed", "changed", "gone"]
        assert all(item["file"].endswith(".jpg") and item["sha256"] for item in items[:3])


def test_an_original_that_was_moved_and_taken_in_again_is_found(
    settings: Settings,
    cases: Cases,
    footage: list[MediaEntity],
    tmp_path: Path,
    media: Path,
    take_in: TakeIn,
) -> None:
    full_case(cases, footage)
    shutil.move(media / "gate.mp4", media / "elsewhere.mp4")
    take_in(media / "elsewhere.mp4")
    assert not exported(settings, cases, "Gate", tmp_path / "gate.zip").remarks


def test_regions_are_blurred_in_pictures_and_in_the_sheet(
    settings: Settings,
    cases: Cases,
    take_in: TakeIn,
    store: MemoryStore,
    media: Path,
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 255, (120, 160, 3), np.uint8)).save(media / "face.png")
    take_in(media / "face.png")
    cases.create("c", "anna")
    item = picture_item("main", store.entities("main")[0], "anna")
    cases.add("c", [replace(item, boxes=(Box(0, 0, 0.5, 1),))])
    exported(settings, cases, "c", tmp_path / "c.zip")
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        [name] = [name for name in archive.namelist() if name.startswith("001")]
        assert name.endswith(".jpg")  # not the original
        picture = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L"), float)
        [printed] = PdfReader(io.BytesIO(archive.read("sheet.pdf"))).pages[0].images
        sheet = np.asarray(Image.open(io.BytesIO(printed.data)).convert("L"), float)
    for shown in (picture, sheet):
        middle = shown.shape[1] // 2
        assert shown[:, : middle - 8].std() < 20 < 35 < shown[:, middle + 8 :].std()


def test_the_audit_lines_are_those_of_the_case(
    settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path
) -> None:
    full_case(cases, footage)
    with closing(AuditLog(settings.audit_path)) as log:
        log.record("anna", "view", "main", {"id": footage[0].id})
        log.record("ben", "case", detail={"case": "Another", "does": "begin"})
        log.record("anna", "case", detail={"case": "Gate", "does": "add"})
    exported(settings, cases, "Gate", tmp_path / "gate.zip")
    with zipfile.ZipFile(tmp_path / "gate.zip") as archive:
        lines = [json.loads(line) for line in archive.read("audit.jsonl").splitlines()]
    assert [(line["who"], line["action"]) for line in lines] == [("anna", "view"), ("anna", "case")]


def test_no_audit_line_names_what_is_not_for_the_reader(
    settings: Settings, cases: Cases, footage: list[MediaEntity]
) -> None:
    full_case(cases, footage)
    hidden = footage[-1].id
    with closing(AuditLog(settings.audit_path)) as log:
        log.record("anna", "case", detail={"case": "Gate", "does": "add", "ids": [hidden]})
        log.record("anna", "case", detail={"case": "Gate", "does": "note"})
        case = cases.get("Gate")
        seen = replace(case, items=case.items[:2])
        narrowed = case_bundle(seen, BERLIN, "olga", log, narrowed=True)
        whole = case_bundle(case, BERLIN, "anna", log)
    assert [line["detail"]["does"] for line in narrowed.audit] == ["note"]
    assert [line["detail"]["does"] for line in whole.audit] == ["add", "note"]


def test_an_interrupted_export_leaves_nothing(
    settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path
) -> None:
    full_case(cases, footage)
    with Ledger(settings.ledger_path) as ledger, closing(AuditLog(settings.audit_path)) as log:
        writer = BundleWriter(settings, ledger, should_stop=lambda: True)
        with pytest.raises(Interrupted):
            writer.save(
                case_bundle(cases.get("Gate"), BERLIN, "anna", log), tmp_path / "o" / "g.zip"
            )
    assert not list(tmp_path.glob("o/*")) and not list(tmp_path.glob("o/.*"))


# Verification


@pytest.fixture
def bundle(settings: Settings, cases: Cases, footage: list[MediaEntity], tmp_path: Path) -> Path:
    full_case(cases, footage)
    exported(settings, cases, "Gate", tmp_path / "gate.zip")
    return tmp_path / "gate.zip"


def rewritten(bundle: Path, changes: dict[str, bytes | None]) -> Path:
    """Write a bundle again with other content of some files; None leaves one out."""
    target = bundle.with_name("changed.zip")
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(target, "w") as new:
        contents = {name: old.read(name) for name in old.namelist()}
        for name, content in (contents | changes).items():
            if content is not None:
                new.writestr(name, content)
    return target


def test_a_bundle_proves_itself(bundle: Path) -> None:
    found = verify_bundle(bundle)
    assert (found.title, found.problems, found.files) == ("Gate", (), 8)


def test_every_byte_that_is_changed_added_or_missing_is_told(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = [name for name in archive.namelist() if name != "SHA256SUMS"]
        contents = {name: archive.read(name) for name in names}
    for name in names:
        changed = bytearray(contents[name] or b"x")
        changed[len(changed) // 2] ^= 1
        assert (
            f"{name}: was changed."
            in verify_bundle(rewritten(bundle, {name: bytes(changed)})).problems
        )
        assert f"{name}: is missing." in verify_bundle(rewritten(bundle, {name: None})).problems
    assert verify_bundle(rewritten(bundle, {"more.txt": b"x"})).problems == (
        "more.txt: was added.",
    )
    assert "has no SHA256SUMS" in verify_bundle(rewritten(bundle, {"SHA256SUMS": None})).problems[0]


def test_who_changes_the_sums_as_well_changes_the_fingerprint(bundle: Path) -> None:
    before = verify_bundle(bundle)
    with zipfile.ZipFile(bundle) as archive:
        sums = archive.read("SHA256SUMS").decode()
        name = archive.namelist()[0]
        old = archive.read(name)
    forged = sums.replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(b"forged").hexdigest())
    after = verify_bundle(rewritten(bundle, {name: b"forged", "SHA256SUMS": forged.encode()}))
    assert after.fingerprint != before.fingerprint
    assert after.problems == (f"{name}: is not what the list says.",)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), cut=st.floats(0, 1))
def test_no_damage_is_more_than_a_message(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: float
) -> None:
    good = io.BytesIO()
    with zipfile.ZipFile(good, "w") as archive:
        archive.writestr("SHA256SUMS", data)
        archive.writestr("manifest.json", data)
    path = tmp_path_factory.mktemp("bundle") / "case.zip"
    path.write_bytes(good.getvalue()[: round(cut * len(good.getvalue()))] or data)
    try:
        assert verify_bundle(path).problems
    except CorruptMedia as error:
        assert "zip" in error.message


def test_a_note_alone_is_a_bundle_too(settings: Settings, cases: Cases, tmp_path: Path) -> None:
    cases.create("Notes", "anna")
    cases.add("Notes", [Item(0, "note", 0, "anna", "=cmd()")])
    exported(settings, cases, "Notes", tmp_path / "notes.zip")
    assert not verify_bundle(tmp_path / "notes.zip").problems
    with zipfile.ZipFile(tmp_path / "notes.zip") as archive:
        assert "'=cmd()" in archive.read("items.csv").decode("utf-8-sig")


def test_a_live_cameras_still_is_evidence_as_it_is(
    settings: Settings, cases: Cases, tmp_path: Path
) -> None:
    still = make_photo(tmp_path / "still.jpg")
    entity = make_entity(1, uri=str(still), captured_from="live", camera="door")
    cases.create("Door", "anna")
    cases.add("Door", [picture_item("main", entity, "anna")])
    with pytest.raises(UsageError, match="no moment of a video"):
        clip_item("main", entity, Span(0, 1000), "anna")
    assert not exported(settings, cases, "Door", tmp_path / "door.zip").remarks
    with zipfile.ZipFile(tmp_path / "door.zip") as archive:
        assert archive.read(archive.namelist()[0]) == still.read_bytes()
