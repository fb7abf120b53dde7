from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from dashboard import identity, resources
from ingest.streams.camera import Camera
from ingest.streams.diary import Diary
from search_core.access_control.users import Users
from search_core.entities import MediaEntity
from search_core.settings import Settings
from tests.dashboard.conftest import ROWS, OpenPage, words
from tests.ingest.streams.footage import quiet
from tests.rtsp_server import Channel, RtspServer

SECRET = "hunter2"


@pytest.fixture
def server(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RtspServer]:
    """A camera cam-0 that answers, and one whose password is wrong, both in sightline.toml."""
    folder = tmp_path_factory.mktemp("served")
    monkeypatch.chdir(folder)
    with RtspServer({"gate": Channel(quiet())}, user="admin", password=SECRET) as server:
        (folder / "sightline.toml").write_text(
            f'[cameras.cam-0]\nurl = "{server.url("gate", f"admin:{SECRET}")}"\nretain = "30d"\n'
            f'[cameras.cam-1]\nurl = "{server.url("gate", "admin:wrong-one")}"\n'
        )
        resources.settings.clear()
        yield server


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def test_says_how_cameras_come_in(open_page: OpenPage) -> None:
    app = open_page("cameras")

    assert "No camera has been watched yet" in words(app)
    assert any("[cameras.front-gate]" in code.value for code in app.code)


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
    assert (row["Kept"], row["Not seen, last day"]) == ("30d", "7 min")
    assert row["Address"] == "rtsp://host"
    assert app.dataframe[1].value["Why"].tolist() == ["does not answer"]


def test_a_stream_is_tested_and_its_password_never_shown(
    server: RtspServer, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    press(app, "Test the stream")
    assert "It answers: 320 × 180, H.264" in words(app)
    assert len(app.get("image")) == 1

    app.selectbox(key="test-camera").set_value("cam-1").run()
    press(app, "Test the stream")
    assert "refuses the name or the password" in words(app)
    assert not app.get("image")

    app.selectbox(key="test-camera").set_value("Another address …").run()
    app.text_input(key="test-address").set_value(f"http://a:{SECRET}@127.0.0.1/x").run()
    press(app, "Test the stream")
    assert "is no camera's address" in words(app)
    everything = words(app) + str(app.get("image")) + str(identity.audit_log().events())
    assert SECRET not in everything and "wrong-one" not in everything
    tested = [event.detail["camera"] for event in identity.audit_log().events(action="view")]
    assert tested == ["cam-1", "cam-0"]


def test_how_long_keyframes_are_kept_is_changed_when_it_is_known_what_goes(
    server: RtspServer, library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("cameras")
    app.text_input(key="retain-cam-0").set_value("2w").run()
    press(app, "Change …")
    assert "9 keyframes are older and will be gone for good" in words(app)
    assert resources.store().count("main") == ROWS
    assert "Change" in {button.label for button in app.button}  # AppTest presses none in dialogs

    with Diary(settings.ledger_path) as diary:
        diary.set_retention("cam-0", timedelta(days=14))
    app = open_page("cameras")
    assert app.text_input(key="retain-cam-0").value == "14d"
    app.text_input(key="retain-cam-0").set_value("soon").run()
    press(app, "Change …")
    assert "is no duration" in words(app)


def test_an_operator_tests_what_may_be_seen_and_changes_nothing(
    server: RtspServer, look: Callable[..., AppTest], users: Users
) -> None:
    users.set_cameras("otto", ["cam-1"])
    app = look("otto", "cameras")

    assert app.selectbox(key="test-camera").options == ["cam-1"]
    assert "An administrator of all cameras can change it" in words(app)
    assert "Change …" not in {button.label for button in app.button}
