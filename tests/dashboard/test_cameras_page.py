from __future__ import annotations

import time
from datetime import timedelta

from pydantic import SecretStr

from ingest.streams.camera import Camera
from ingest.streams.diary import Diary
from search_core.settings import Settings
from tests.dashboard.conftest import OpenPage, words


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
