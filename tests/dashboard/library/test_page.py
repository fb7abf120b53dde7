from __future__ import annotations

import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.jobs import is_stuck
from dashboard.components.newest import newest_entities
from dashboard.library import browsing
from dashboard.library.jobs import result_frame
from ingest.jobs.client import Jobs
from ingest.jobs.table import Job, JobState
from ingest.jobs.worker import run_worker
from ingest.ledger import Ledger
from ingest.options import IngestOptions
from ingest.rows.deletion import delete_entities, discard
from search_core.encoders.base import EncoderIdentity
from search_core.encoders.loading import load_encoder
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.dashboard.conftest import ROWS, OpenPage, words
from tests.dashboard.searching import tick
from tests.support.model_hub import recommended_small_model


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_shows_what_is_in_the_library(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("library")

    assert metrics(app)["Keyframes and photos"] == str(ROWS)
    assert metrics(app)["Cameras"] == "4"
    assert set(app.dataframe[0].value["Camera"]) >= {"cam-0", "cam-1", "cam-2"}
    assert f"Newest {ROWS} pictures" in words(app)


def test_an_empty_data_directory_takes_uploads(open_page: OpenPage) -> None:
    app = open_page("library")

    assert "This library is empty" in words(app)
    assert any(button.label == "Ingest" for button in app.button)


def test_jobs_are_listed_with_their_state(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    Jobs(settings).submit_ingest(["/footage/gate *1*.mp4"], "main")

    app = open_page("library", view="Add footage")

    assert r"gate \*1\*\.mp4" in words(app)
    next(button for button in app.button if button.label == "Cancel").click().run()
    [job] = resources.jobs().list()
    assert job.state == "cancelled"

    app = open_page("library", view="Add footage")
    next(button for button in app.button if button.label == "Try again").click().run()
    [job] = resources.jobs().list()
    assert job.state == "queued"


def test_failures_say_why(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "s", "r", "/x/bad.jpg", "failed", stage="read", reason="is damaged")
        upload = settings.uploads_dir / "20260302-x" / "003-notes.zip"
        upload.parent.mkdir(parents=True)
        upload.touch()
        ledger.record("main", "t", "r", f"{upload}/in/001-a.txt", "failed", reason="is damaged")

    app = open_page("library", view="Failures")

    assert "**2** failed" in words(app)
    assert app.dataframe[0].value["Why"].tolist() == ["is damaged"] * 2
    assert set(app.dataframe[0].value["File"]) == {"/x/bad.jpg", "notes.zip/in/001-a.txt"}


def test_asks_before_deleting_a_camera(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("library", view="Libraries")
    app.multiselect(key="delete-cameras-main").set_value(["cam-0"]).run()
    next(button for button in app.button if button.label == "Delete 9 pictures …").click().run()

    assert r"**9 pictures** (cam\-0) will be deleted" in words(app)
    assert any(button.label == "Delete 9 pictures" for button in app.button)
    assert resources.store().count("main") == ROWS


def test_deleting_takes_thumbnails_and_memory_of_emptied_sources(
    library: list[MediaEntity], settings: Settings
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        for source in ("source0", "source1"):
            ledger.record("main", source, "recipe", f"/{source}", "done")

    deleted, _ = delete_entities(settings, resources.store(), "main", Filter(cameras=("cam-0",)))

    assert deleted == 9
    assert resources.store().count("main") == ROWS - 9
    assert not (settings.data_dir / library[0].thumbnail).exists()
    assert (settings.data_dir / library[1].thumbnail).exists()
    with Ledger(settings.ledger_path) as ledger:
        assert [row.source_id for row in ledger.outcomes("main")] == ["source1"]


def test_drops_a_library_when_its_name_is_typed(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("library", view="Libraries")
    drop = next(button for button in app.button if button.label == "Drop the library")
    assert drop.disabled

    app.text_input(key="drop-main").set_value("main").run()
    next(button for button in app.button if button.label == "Drop the library").click().run()

    assert resources.store().libraries() == []
    assert not any(Path(settings.thumbnails_dir).rglob("*.jpg"))


def test_newest_are_found_however_unevenly_they_lie(identity: EncoderIdentity) -> None:
    store = MemoryStore()
    store.ensure_library("a", identity)
    moments = [0, 10, 5_000_000, 9_000_000_000, 9_000_000_500]
    entities = [make_entity(i, camera="c", captured_at=moment) for i, moment in enumerate(moments)]
    store.upsert("a", entities, clip_like_vectors(5, 16))

    for count in (1, 2, 3, 5, 9):
        found = newest_entities(store, "a", Filter(), store.facets("a"), count)
        assert [entity.captured_at for entity in found] == sorted(moments, reverse=True)[:count]
    before = Filter(before=datetime.fromtimestamp(4, UTC))
    found = newest_entities(store, "a", before, store.facets("a"), 9)
    assert [entity.captured_at for entity in found] == [10, 0]


def test_selects_many_to_tag_or_delete(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("library")
    assert not any(button.label == "Tag …" for button in app.button)
    for entity in library[-2:]:
        tick(app, card=entity.id)
    assert "**2 pictures** selected" in words(app)

    press(app, "Tag …").click().run()
    assert "**2 pictures** (chosen by hand)" in words(app)

    press(app, f"Select all shown ({ROWS})").click().run()
    press(app, "Delete …").click().run()
    assert f"**{ROWS} pictures** (chosen by hand) will be deleted" in words(app)
    assert press(app, f"Delete {ROWS} pictures")


def test_all_that_match_are_selected_where_some_are_shown(
    library: list[MediaEntity], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "NEWEST", 10)
    app = open_page("library")
    tick(app, card=library[-1].id)
    press(app, f"Select all {ROWS}").click().run()
    assert f"**{ROWS} pictures** selected" in words(app)
    press(app, "Move …").click().run()
    assert f"**{ROWS} pictures** (all of main)" in words(app)

    tick(app, card=library[-1].id, checked=False)
    assert "**9 pictures** selected" in words(app)  # of all, what was shown, but for this one


def test_what_was_deleted_can_be_put_back(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    discard(settings, resources.store(), "main", Filter(cameras=("cam-0",)), "cam-0")

    app = open_page("library", view="Trash")
    assert "**9 pictures**" in words(app)
    press(app, "Restore").click().run()

    assert resources.store().count("main") == ROWS
    assert "The trash is empty" in words(app)
    [event] = identity.audit_log().events(action="restore")
    assert (event.library, event.detail["count"], event.address) == ("main", 9, "localhost")


def test_a_day_and_a_camera_restrict_what_is_shown(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("library")
    app.date_input(key="days-main").set_value((date(1970, 1, 1), date(1970, 1, 1))).run()

    assert f"Newest {ROWS} pictures" in words(app)


def press(app: AppTest, label: str) -> Button:
    return next(button for button in app.button if button.label == label)


def test_failures_are_queued_again(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    upload = settings.uploads_dir / "x" / "bad.zip"
    upload.parent.mkdir(parents=True)
    upload.touch()
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "s", "r", f"{upload}/in/it.jpg", "failed", reason="is damaged")
        ledger.record("main", "t", "r", "/footage/clip.mp4", "failed", reason="is damaged")

    app = open_page("library", view="Failures")
    press(app, "Try 2 files again").click().run()

    asked = {tuple(job.request["paths"]): job.request["camera"] for job in resources.jobs().list()}
    assert asked == {(str(upload),): "uploads", ("/footage/clip.mp4",): None}


def test_libraries_are_listed_with_sizes_and_renamed(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    with Ledger(settings.ledger_path) as ledger:
        ledger.record("main", "s", "r", "/clip.mp4", "done", keyframes=1)
    app = open_page("library", view="Libraries")
    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["Library"], row["Pictures"], row["Sources"]) == ("main", ROWS, ROWS)
    assert row["Thumbnails"].endswith("kB")

    next(box for box in app.text_input if box.label == "New name").set_value("gate")
    press(app, "Rename").click().run()

    assert [info.name for info in resources.store().libraries()] == ["gate"]
    assert resources.store().count("gate") == ROWS
    with Ledger(settings.ledger_path) as ledger:
        assert ledger.counts("gate")["done"] == 1


def test_a_library_with_open_jobs_is_not_renamed(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    Jobs(settings).submit_ingest(["/footage/clip.mp4"], "main")
    app = open_page("library", view="Libraries")

    next(box for box in app.text_input if box.label == "New name").set_value("gate")
    press(app, "Rename").click().run()

    assert "The library main is in use by 1 job" in words(app)


def test_a_name_that_is_refused_takes_nothing_off_the_page(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("library", view="Libraries")
    for label, button in (("Name", "Create"), ("New name", "Rename")):
        next(box for box in app.text_input if box.label == label).set_value("bad name!")
        press(app, button).click().run()

        assert "cannot name a library" in words(app)
        assert next(box for box in app.text_input if box.label == label).value == "bad name!"
        assert {"Rename", "Drop the library"} <= {button.label for button in app.button}


def test_makes_a_library(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("library", view="Libraries")
    next(box for box in app.text_input if box.label == "Name").set_value("second")
    press(app, "Create").click().run()

    assert [info.name for info in resources.store().libraries()] == ["main", "second"]
    assert next(box for box in app.text_input if box.label == "Name").value == ""


def test_the_picker_names_the_library_that_the_page_shows(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    for name in ("second", "third"):
        resources.store().ensure_library(name, resources.encoder().identity)
    app = open_page("library", view="Libraries", library="second")
    next(box for box in app.text_input if box.label == "New name").set_value("renamed")
    press(app, "Rename").click().run()
    assert app.selectbox(key="library").value == metrics(app)["Library"] == "renamed"

    app.text_input(key="drop-renamed").set_value("renamed").run()
    press(app, "Drop the library").click().run()
    assert app.selectbox(key="library").value == metrics(app)["Library"] == "main"


def test_an_empty_library_leads_to_where_footage_is_added(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    resources.store().ensure_library("hollow", resources.encoder().identity)
    for page in ("search", "map", "index"):
        app = open_page(page, library="hollow")
        assert press(app, "Add footage"), page
        assert not any(button.label == "a white car" for button in app.button)
    assert press(app, "Compare indexes").disabled


def test_jobs_that_nothing_performs_are_stuck() -> None:
    def job(state: JobState, created_ms: int) -> Job:
        return Job("i", "ingest", "t", state, 0.0, {}, "", created_ms)

    assert is_stuck([job("queued", 0)], now_ms=60_000)
    assert not is_stuck([job("queued", 59_000)], now_ms=60_000)
    assert not is_stuck([job("queued", 0), job("running", 0)], now_ms=60_000)
    assert not is_stuck([job("done", 0)], now_ms=60_000)


def test_every_file_of_an_upload_has_a_result(
    settings: Settings, library: list[MediaEntity], open_page: OpenPage
) -> None:
    folder = settings.uploads_dir / "20260101-000000-abcd"
    sent = ["001-red.png", "002-note.txt", "003-box.zip"]
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 36), "red").save(folder / sent[0])
    (folder / sent[1]).write_text("no picture")
    with zipfile.ZipFile(folder / sent[2], "w") as archive:
        archive.write(folder / sent[0], "day 1/same.png")
        archive.writestr("day 1/broken.jpg", b"\xff\xd8\xff and no more")
    jobs = Jobs(settings)
    job_id = jobs.submit_ingest(
        [str(folder / name) for name in sent], "main", IngestOptions(camera="gate")
    )
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        run_worker(settings, store=store, encoder=load_encoder(settings), until_idle=True)

    app = open_page("library", view="Add footage")

    words(app)
    results = {row["File"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert {name: row["Result"] for name, row in results.items()} == {
        "red.png": "done",
        "note.txt": "failed",
        "box.zip/day 1/same.png": "skipped",
        "box.zip/day 1/broken.jpg": "failed",
    }
    assert results["red.png"]["Keyframes"] == 1
    assert "neither an image nor a video" in results["note.txt"]["Why"]
    assert results["box.zip/day 1/same.png"]["Why"] == "has the content of red.png"
    assert results["box.zip/day 1/broken.jpg"]["Why"]
    app.toggle(key=f"results-{job_id}").set_value(False).run()
    assert not app.dataframe


def test_a_file_is_called_what_it_was_called_when_it_was_added(settings: Settings) -> None:
    results = [
        {"uri": uri, "status": "done", "why": "", "keyframes": 2, "left_out": 3}
        for uri in ("/srv/night/a.mp4", "/srv/100-b.zip/in/it.jpg", "s3://b/c.mp4")
    ]
    request = {"paths": ["/srv/night", "/srv/100-b.zip"]}
    job = Job("i", "ingest", "t", "done", 1.0, {}, "", 0, request=request)

    frame = result_frame(job, results)

    assert frame["File"].tolist() == ["night/a.mp4", "100-b.zip/in/it.jpg", "s3://b/c.mp4"]
    assert frame["Why"].tolist() == ["3 frames left out: they show nothing new"] * 3


def test_a_library_whose_encoder_does_not_know_its_footage_says_so(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    assert "Most searches here miss" not in words(open_page("library", library="main"))
    identity = replace(resources.encoder().identity, name="sightline-demo")
    resources.store().ensure_library("drawn", identity)
    resources.store().upsert("drawn", library[:1], clip_like_vectors(1, identity.dim))
    resources.forget_what_was_read()
    assert "Most searches here miss" in words(open_page("library", library="drawn"))


def test_who_may_has_a_library_embedded_anew_with_an_encoder_for_footage(
    library: list[MediaEntity],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identity = replace(resources.encoder().identity, name="sightline-demo")
    resources.store().ensure_library("drawn", identity)
    resources.store().upsert("drawn", library[:1], clip_like_vectors(1, identity.dim))
    resources.forget_what_was_read()
    app = open_page("library", library="drawn")
    assert not [one for one in app.button if one.key == "embed-anew"], "its weights cannot be had"

    monkeypatch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "ask")
    resources.settings.clear()
    app = open_page("library", library="drawn")
    [button] = [one for one in app.button if one.key == "embed-anew"]
    assert button.label.replace("\\", "") == "Embed anew with ViT-B-32-256"
    assert "605.2 MB, licence MIT" in button.help
    said = words(button.click().run()).replace("\\", "")
    assert "being embedded anew with ViT-B-32-256" in said
    [job] = resources.jobs().list()
    assert (job.kind, job.request["model"]) == ("reembed", "ViT-B-32-256")


def test_a_new_library_is_made_with_the_encoder_that_is_chosen(
    library: list[MediaEntity], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_MODEL", "auto")
    resources.settings.clear()
    resources._workspace.clear()
    app = open_page("library", view="Libraries")
    [choice] = [one for one in app.selectbox if one.label == "Encoder"]
    assert choice.options == ["To try the sample footage: sightline-demo"]

    monkeypatch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "ask")
    resources.settings.clear()
    resources._workspace.clear()
    app = open_page("library", view="Libraries")
    [choice] = [one for one in app.selectbox if one.label == "Encoder"]
    assert choice.options[0] == ("Real footage: ViT-B-32-256 (605.2 MB, MIT)")
    choice.select_index(len(choice.options) - 1)
    [name] = [one for one in app.text_input if one.label == "Name"]
    name.input("tried")
    next(one for one in app.button if one.label == "Create").click().run()
    assert resources.store().library("tried").encoder.name == "sightline-demo"
    # The library that was there is asked with its own encoder.
    names = [resources.encoder(library).identity.name for library in ("main", "tried")]
    assert names[0].startswith("local-dir:") and names[1] == "sightline-demo"


def test_the_encoder_of_a_new_library_is_downloaded_when_it_is_created(
    library: list[MediaEntity],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("SIGHTLINE_MODEL", "auto")
    monkeypatch.setenv("SIGHTLINE_ENCODER_DOWNLOAD", "ask")
    resources.settings.clear()
    resources._workspace.clear()
    with recommended_small_model(monkeypatch, tmp_path_factory.mktemp("hub")) as hub:
        app = open_page("library", view="Libraries")
        assert not hub.asked
        [name] = [one for one in app.text_input if one.label == "Name"]
        name.input("real")
        next(one for one in app.button if one.label == "Create").click().run()
        assert "Created the library real" in words(app) or not app.error
        assert ("GET", "open_clip_model.safetensors", "") in hub.asked
        assert resources.store().library("real").encoder.name == "small-clip"
        hub.asked.clear()
        assert resources.encoder("real").identity.dim == 32 and not hub.asked
