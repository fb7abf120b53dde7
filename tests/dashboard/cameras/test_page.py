from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.auth import identity
from dashboard.cameras.page import PAGE, last_picture
from ingest.cameras.camera import Camera, only_watcher
from ingest.cameras.folders.folder import WatchedFolder
from ingest.cameras.folders.log import FolderLog
from ingest.cameras.folders.scan import FileVersion
from ingest.cameras.roster import Roster
from ingest.cameras.status_log import Diary
from search_core.access.roles import LOCAL, Access
from search_core.access.users import Users
from search_core.errors import EncoderMismatch, NotAllowed, UsageError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.conftest import ROWS, Look, OpenPage, words
from tests.ingest.cameras.footage import quiet
from tests.support.rtsp_server import Channel, RtspServer

SECRET = "hunter2"


@pytest.fixture
def served(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RtspServer]:
    """A camera that answers; there is no sightline.toml."""
    monkeypatch.chdir(tmp_path_factory.mktemp("served"))
    with RtspServer({"gate": Channel(quiet())}, user="admin", password=SECRET) as server:
        yield server


@pytest.fixture
def server(served: RtspServer) -> RtspServer:
    """A camera cam-0 that answers, and one whose password is wrong, both in sightline.toml."""
    Path("sightline.toml").write_text(
        f'[cameras.cam-0]\nurl = "{served.url("gate", f"admin:{SECRET}")}"\nretain = "30d"\n'
        f'[cameras.cam-1]\nurl = "{served.url("gate", "admin:wrong-one")}"\n'
    )
    resources.settings.clear()
    return served


@pytest.fixture
def added(settings: Settings) -> Camera:
    """A camera that was added, called yard."""
    roster = Roster(settings)
    roster.add(roster.make("yard", f"rtsp://u:{SECRET}@127.0.0.1:9/x", retain=timedelta(days=7)))
    return roster.get("yard")


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def typed(app: AppTest, key: str, text: str) -> None:
    app.text_input(key=key).set_value(text)


def everything_sent(app: AppTest) -> str:
    """All that the page sends to the browser: what is typed into it comes from there."""
    return str(app._tree) + words(app)


def test_says_how_cameras_come_in(open_page: OpenPage) -> None:
    app = open_page("cameras")

    assert "No camera is set up. Add one" in words(app)
    assert app.text_input(key="new-0-address").proto.type == app.text_input[0].proto.PASSWORD


def test_lists_cameras_with_their_state_and_gaps(settings: Settings, open_page: OpenPage) -> None:
    now_ms = time.time_ns() // 1_000_000
    camera = Camera("gate", SecretStr("rtsp://u:x@host/1"), "main", timedelta(days=30))
    with Diary(settings.ledger_path) as diary:
        diary.begin(camera, now_ms - 600_000)
        diary.seen("gate", now_ms - 500_000, now_ms - 400_000, 10, 0, 0)
        diary.lost("gate", "does not answer", now_ms - 300_000)

    app = open_page("cameras")

    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["Camera"], row["State"], row["Why"]) == ("gate", "not watched", "does not answer")
    assert (row["Kept"], row["Lost, last 24 hours"]) == ("30d", "7 min")
    assert row["Address"] == "rtsp://host"
    assert app.dataframe[1].value["Why"].tolist() == ["does not answer"]
    assert "Started by hand" in words(app) and "Test the stream" not in labels(app)


def test_a_lost_camera_is_on_the_wall_and_in_the_menu(
    settings: Settings, library: list[MediaEntity], open_page: OpenPage
) -> None:
    now_ms = time.time_ns() // 1_000_000
    camera = Camera("cam-1", SecretStr("rtsp://u:x@host/1"), "main")
    with Diary(settings.ledger_path) as diary:
        diary.begin(camera, now_ms - 600_000)
        diary.seen("cam-1", now_ms - 500_000, now_ms - 400_000, 10, 0, 0)
        diary.lost("cam-1", "does not answer", now_ms - 300_000)

    assert PAGE.titled(LOCAL) == "Cameras"  # nothing watches it: it is not missed
    with only_watcher(settings, "cam-1"):
        app = open_page("cameras")
        assert PAGE.titled(LOCAL) == "Cameras (1 lost)"
        assert PAGE.titled(Access("vera", "operator", ("cam-2",))) == "Cameras"
        newest = max((e for e in library if e.camera == "cam-1"), key=lambda e: e.captured_at)
        assert last_picture("main", "cam-1", 1) == newest.thumbnail

    said = words(app)
    assert ":red-badge[lost]" in said and "does not answer" in said


def test_a_stream_is_tested_and_its_password_never_shown(
    server: RtspServer, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    assert "From `sightline.toml` on the server" in words(app)
    assert not labels(app) & {"Pause", "Remove …", "Save"}
    press(app, "Test the stream")
    assert "The camera answers: 320 × 180, H.264" in words(app)
    assert len(app.get("image")) == 1

    app.selectbox(key="one-camera").set_value("cam-1").run()
    press(app, "Test the stream")
    assert "refuses the name or the password" in words(app)
    assert not app.get("image")
    everything = everything_sent(app) + str(identity.audit_log().events())
    assert SECRET not in everything and "wrong-one" not in everything
    tested = [event.detail["camera"] for event in identity.audit_log().events(action="view")]
    assert tested == ["cam-1", "cam-0"]


def test_a_camera_is_tried_then_added_and_its_password_is_in_one_file_alone(
    served: RtspServer, settings: Settings, open_page: OpenPage, library: list[MediaEntity]
) -> None:
    app = open_page("cameras")
    typed(app, "new-0-address", served.url("gate"))
    typed(app, "new-0-user", "admin")
    typed(app, "new-0-password", "wrong-one")
    press(app, "Test")
    assert "refuses the name or the password" in words(app)
    typed(app, "new-0-password", SECRET)
    press(app, "Test")
    assert "The camera answers: 320 × 180, H.264" in words(app) and len(app.get("image")) == 1
    assert not settings.cameras_path.exists()

    press(app, "Add")
    assert "The camera has no name" in words(app)
    typed(app, "name-0", "front <b>gate</b>")
    typed(app, "kept-0", "soon")
    press(app, "Add")
    assert "is not a duration" in words(app)
    typed(app, "kept-0", "2w")
    app.selectbox(key="camera-regions-0").set_value("motion")
    press(app, "Add")
    assert app.selectbox(key="one-camera").value == "front <b>gate</b>"

    [camera] = Roster(settings).cameras()
    assert (camera.name, camera.library) == ("front <b>gate</b>", "main")
    assert (camera.retain, camera.regions) == (timedelta(days=14), "motion")
    assert "Regions: what moves" in words(app)
    assert camera.url.get_secret_value() == served.url("gate", f"admin:{SECRET}")
    assert stat.S_IMODE(settings.cameras_path.stat().st_mode) == 0o600
    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["Camera"], row["State"], row["Kept"]) == (camera.name, "not watched", "14d")
    assert app.text_input(key="new-1-address").value == ""

    [event] = identity.audit_log().events(action="cameras")
    assert event.detail["added"] == camera.name and event.detail["kept"] == "14d"
    app.selectbox(key=f"regions-{camera.name}-motion").set_value("tiles").run()
    assert Roster(settings).get(camera.name).regions == "tiles"
    assert identity.audit_log().events(action="cameras")[0].detail["regions"] == "tiles"
    assert SECRET not in everything_sent(app) + str(identity.audit_log().events())
    holding = [
        file.name
        for file in settings.data_dir.rglob("*")
        if file.is_file() and SECRET.encode() in file.read_bytes()
    ]
    assert holding == ["cameras.toml"]


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("cam-0", "rtsp://host/x", r"There is a camera cam\-0 already"),
        ("yard", "rtsp://host/x", "There is a camera yard already"),
        ("dock", f"http://a:{SECRET}@host/x", "Not a camera's address"),
        ("dock", "", "Not a camera's address"),
    ],
)
def test_a_camera_that_cannot_be_added_is_refused_in_words(
    server: RtspServer, added: Camera, open_page: OpenPage, name: str, address: str, said: str
) -> None:
    app = open_page("cameras")
    typed(app, "name-0", name)
    typed(app, "new-0-address", address)
    press(app, "Add")

    assert said in words(app) and SECRET not in everything_sent(app)
    assert len(Roster(resources.settings()).cameras()) == 3
    assert identity.audit_log().events(action="cameras") == []


def test_a_camera_is_paused_resumed_and_given_another_address(
    served: RtspServer, added: Camera, settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    press(app, "Pause")
    assert Roster(settings).watched() == []
    assert app.dataframe[0].value["State"].tolist() == ["paused"]
    press(app, "Resume")
    assert len(Roster(settings).watched()) == 1

    press(app, "Save")
    assert "Nothing was entered" in words(app)
    typed(app, "change-yard-0-user", "ann")
    typed(app, "change-yard-0-password", "b@c")
    press(app, "Save")
    assert Roster(settings).get("yard").url.get_secret_value() == "rtsp://ann:b%40c@127.0.0.1:9/x"
    typed(app, "change-yard-1-address", served.url("gate", f"admin:{SECRET}"))
    press(app, "Test it")
    assert "The camera answers: 320 × 180" in words(app)
    press(app, "Save")

    assert Roster(settings).get("yard").address == served.url("gate").removesuffix("/gate")
    done = [next(iter(event.detail)) for event in identity.audit_log().events(action="cameras")]
    assert done == ["changed", "changed", "resumed", "paused"]
    said = everything_sent(app) + str(identity.audit_log().events())
    assert SECRET not in said and "b%40c" not in said


REMOVED = """
from dashboard.cameras.page import page
from dashboard.cameras.changes import remove, roster
from dashboard.components.errors import shown_in_words
with shown_in_words():
    remove(roster().get("yard"))
    page()
"""


def test_a_camera_is_removed_when_that_was_confirmed(
    added: Camera, settings: Settings, open_page: OpenPage, library: list[MediaEntity]
) -> None:
    app = open_page("cameras")
    press(app, "Remove …")
    assert "will no longer be watched, and its address is deleted" in words(app)
    assert "Remove" in labels(app)  # AppTest presses none in dialogs
    assert len(Roster(settings).cameras()) == 1

    app = AppTest.from_string(REMOVED, default_timeout=60).run()
    assert "No camera is set up" in words(app)
    assert Roster(settings).cameras() == [] and SECRET not in settings.cameras_path.read_text()
    [event] = identity.audit_log().events(action="cameras")
    assert event.detail == {"removed": "yard", "address": "rtsp://127.0.0.1:9"}


def test_how_long_keyframes_are_kept_is_changed_when_it_is_known_what_goes(
    server: RtspServer, library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    app.text_input(key="retain-cam-0").set_value("2w").run()
    press(app, "Change …")
    assert "deleted permanently: 9 keyframes" in words(app)
    assert resources.store().count("main") == ROWS
    assert "Change" in labels(app)  # AppTest presses none in dialogs

    with Diary(settings.ledger_path) as diary:
        diary.set_retention("cam-0", timedelta(days=14))
    app = open_page("cameras")
    assert app.text_input(key="retain-cam-0").value == "14d"
    app.text_input(key="retain-cam-0").set_value("soon").run()
    press(app, "Change …")
    assert "is not a duration" in words(app)


def test_an_operator_tests_what_may_be_seen_and_changes_nothing(
    server: RtspServer, look: Look, users: Users, added: Camera
) -> None:
    users.set_cameras("otto", ["cam-1"])
    app = look("otto", "cameras")

    assert app.selectbox(key="one-camera").options == ["cam-1"]
    assert "An administrator of all cameras can change it" in words(app)
    assert labels(app) == {"Test the stream"}


@pytest.mark.parametrize("who", ["otto", "carl"])
def test_only_an_administrator_of_all_cameras_changes_one(
    look: Look, users: Users, added: Camera, settings: Settings, who: str
) -> None:
    from dashboard.cameras import changes as camera_changes

    if who == "carl":
        users.add("carl", "admin", ["yard"], "four words are long")
    app = look(who, "cameras")
    assert not labels(app) & {"Add", "Pause", "Remove …", "Save", "Change …"}

    other = Roster(settings).make("other", "rtsp://host/x")
    changes: tuple[Callable[[], None], ...] = (
        lambda: camera_changes.add_camera(other),
        lambda: camera_changes.change_address(added, "rtsp://host/x"),
        lambda: camera_changes.change_regions(added, "tiles"),
        lambda: camera_changes.pause(added, paused=True),
        lambda: camera_changes.keep_for(added, None),
        lambda: camera_changes.remove(added),
    )
    for change in changes:
        with pytest.raises(NotAllowed):
            change()
    assert Roster(settings).cameras() == [added]
    assert identity.audit_log().events(action="cameras") == []


def test_a_library_of_another_encoder_is_refused(
    added: Camera, settings: Settings, library: list[MediaEntity], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.cameras import changes as camera_changes
    from tests.support.made_media import HistogramEncoder

    monkeypatch.setattr(resources, "encoder", lambda: HistogramEncoder())
    with pytest.raises(EncoderMismatch):
        camera_changes.add_camera(Roster(settings).make("other", "rtsp://host/x"))
    with pytest.raises(UsageError):
        Roster(settings).get("other")


def test_lists_watched_folders_with_their_state_failures_and_gaps(
    settings: Settings, tmp_path: Path, open_page: OpenPage
) -> None:
    now_ms = time.time_ns() // 1_000_000
    watched = WatchedFolder("nvr", tmp_path / "nvr", "main")
    away = WatchedFolder("nas", tmp_path / "nas", "main")
    clip = FileVersion(f"{watched.path}/gate/broken.mp4", 1, 1)
    with FolderLog(settings.ledger_path) as log:
        for folder in (watched, away):
            log.begin(folder, "recipe", now_ms - 600_000)
        log.looked("nas", 0, now_ms - 500_000)
        log.lost("nas", "is empty, though it held files: is its volume mounted?", now_ms)
        log.record(watched, replace(clip, path=f"{watched.path}/1.mp4"), "done", "", 1, keyframes=7)
        log.record(watched, clip, "failed", "is empty", now_ms)
        log.looked("nvr", 2, now_ms)

    with only_watcher(settings, watched.lock_name):
        app = open_page("cameras")

    folders, failures, gaps = (frame.value for frame in app.dataframe)
    rows = {row["Folder"]: row for row in folders.to_dict("records")}
    assert rows["nas"]["State"] == "not watched" and rows["nas"]["Why"].startswith("is empty")
    nvr = rows["nvr"]
    assert (nvr["State"], nvr["Ingested"], nvr["Waiting"], nvr["Failed"], nvr["Keyframes"]) == (
        "watching", 1, 2, 1, 7,
    )  # fmt: skip
    assert failures["File"].tolist() == ["gate/broken.mp4"]
    assert failures["Why"].tolist() == ["is empty"]
    assert gaps[["Folder", "To"]].values.tolist() == [["nas", "now"]]
    assert "1 file could not be ingested" in [expander.label for expander in app.expander]


def test_watched_folders_are_for_those_who_see_all_cameras(
    settings: Settings, tmp_path: Path, look: Look, users: Users
) -> None:
    with FolderLog(settings.ledger_path) as log:
        log.begin(WatchedFolder("nvr", tmp_path / "nvr", "main"), "recipe", 1)
        log.looked("nvr", 0, time.time_ns() // 1_000_000)
    assert len(look("otto", "cameras").dataframe) == 1
    users.set_cameras("otto", ["cam-1"])
    assert len(look("otto", "cameras").dataframe) == 0


def test_a_detector_is_offered_where_the_settings_name_its_file(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "yolox_s.onnx"
    file.write_bytes(b"any")
    monkeypatch.setenv("SIGHTLINE_MEDIA_DETECTOR", str(file))
    resources.settings.clear()
    app = open_page("cameras")
    assert app.selectbox(key="camera-regions-0").options[-1] == "what yolox_s finds"
    file.unlink()
    app.run()
    assert "yolox_s.onnx cannot be read" in words(app).replace("\\", "")
    assert app.selectbox(key="camera-regions-0").options[-1] == "tiles of the picture"
