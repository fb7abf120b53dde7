from __future__ import annotations

import html
import json

import pandas as pd

from dashboard.map.page import CAMERA, GROUP, TIME, chosen_rows, map_figure
from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import HOSTILE, ROWS, Look, OpenPage, words

EVERY_CAMERA = {"cam-0", "cam-1", "cam-2", html.escape(HOSTILE, quote=False)}

FRAME = pd.DataFrame(
    {
        "x": [0.0, 1.0, 2.0],
        "y": [0.0, 1.0, 5.0],
        CAMERA: ["a", "<b>", "a"],
        TIME: pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]),
        GROUP: ["1 · a", "1 · a", "2 · b"],
    }
)
CAMERAS = {"a": "#004bff", "<b>": "#c38700"}


def test_shows_the_library_and_what_is_unlike_the_rest(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("map")

    assert f"{ROWS} pictures. Similar pictures are close together." in words(app)
    assert "**Outliers**: the 20 pictures least similar to any other" in words(app)


def test_groups_are_named_and_shown(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("map")
    app.session_state["map-view-main"] = 1
    app.run()

    assert "of the group 1" in words(app)


def test_is_coloured_by_camera_time_or_group() -> None:
    for colour, names in (
        (CAMERA, ["&lt;b&gt;", "a"]),
        (TIME, [TIME]),
        (GROUP, ["1 · a", "2 · b"]),
    ):
        figure = map_figure(FRAME, colour, [2], CAMERAS)
        assert [trace["name"] for trace in figure["data"]] == [*names, "Outliers"]
        rows = [row for trace in figure["data"][:-1] for (row,) in trace["customdata"]]
        assert sorted(rows) == [0, 1, 2]
        assert "<b>" not in json.dumps(figure)


def test_cameras_have_the_colours_that_they_have_everywhere() -> None:
    figure = map_figure(FRAME, CAMERA, [2], CAMERAS)

    colours = {trace["name"]: trace["marker"]["color"] for trace in figure["data"][:-1]}
    assert colours == {"&lt;b&gt;": "#c38700", "a": "#004bff"}


def test_times_are_coloured_by_their_order_with_dates_below() -> None:
    figure = map_figure(FRAME, TIME, [2], CAMERAS)

    marker = figure["data"][0]["marker"]
    assert marker["color"] == [0, 1, 2]
    assert marker["colorbar"]["tickvals"] == [0, 1, 2]
    assert marker["colorbar"]["ticktext"][0] == "2026-01-01<br>00:00"
    assert figure["layout"]["margin"]["b"] >= 50
    assert not figure["layout"]["showlegend"]
    assert map_figure(FRAME, CAMERA, [2], CAMERAS)["layout"]["showlegend"]


def test_a_lasso_holds_each_picture_once() -> None:
    points = [{"customdata": [4]}, {"customdata": [1]}, {"customdata": [4]}, {"customdata": 7}, {}]

    assert chosen_rows({"points": points}) == [1, 4, 7]
    assert chosen_rows({}) == []


def test_points_are_of_cameras_that_may_be_seen(library: list[MediaEntity], look: Look) -> None:
    for name in ("anna", "vera", "anna"):
        app = look(name, "map")
        expected = {"cam-1"} if name == "vera" else EVERY_CAMERA
        [chart] = app.get("plotly_chart")
        traces = json.loads(chart.proto.spec)["data"]
        assert {trace["name"] for trace in traces} - {"Outliers"} == expected
        shown = {text.partition("<br>")[0] for trace in traces for text in trace["text"]}
        assert shown == expected
