from __future__ import annotations

import pandas as pd

from dashboard.app_pages.map import CAMERA, TIME, map_chart, rows_within
from search_core.entities import MediaEntity
from tests.dashboard.conftest import ROWS, OpenPage, words


def test_shows_the_library_and_what_is_unlike_the_rest(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("map")

    assert f"{ROWS} pictures. What is near looks alike." in words(app)
    assert "**Outliers**: the 20 pictures least like any other" in words(app)


def test_a_box_holds_the_points_in_it() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 5.0]})

    assert rows_within(frame, {"x": [2.5, 0.5], "y": [0.0, 2.0]}) == [1]
    assert rows_within(frame, {}) == []


def test_is_coloured_by_camera_or_time() -> None:
    frame = pd.DataFrame(
        {"x": [0.0], "y": [0.0], "Camera": ["a"], "Time": [pd.Timestamp("2026-01-01")]}
    )

    assert map_chart(frame, CAMERA).to_dict()["encoding"]["color"]["field"] == "Camera"
    assert map_chart(frame, TIME).to_dict()["encoding"]["color"]["field"] == "Time"
