from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from search_core.lab.recommendation import recommend
from search_core.lab.report.legend import Mark, key_chart, symbol_svg
from search_core.lab.report.sections import sections, subject_of
from search_core.lab.report.vega_specs import panel_specs, picture_spec
from tests.search_core.lab import made_runs

TYPES = ["FLAT", "IVF_FLAT", "HNSW M 16, efConstruction 200", "HNSW M 32, efConstruction 400"]
EXPLAINED = {
    "recall-latency": [
        *TYPES,
        "on the Pareto front", "not on it", "advice", "95 % interval", "recall wanted: 0.95",
    ],
    "recall-parameter": ["pictures", "sentences", "95 % interval"],
    "filters": ["as set", "filter-aware", "pictures", "sentences", "recall wanted: 0.95"],
    "latency-nq": ["lowest measured", "setting in the table", "highest measured"],
    "qps-concurrency": TYPES,
    "build-size": ["build", "load", "memory", "disk"],
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures() -> dict[str, dict[str, Any]]:
    """Each section's picture, as Vega-Lite."""
    made = made_runs.comparison(types=("FLAT", "IVF_FLAT", "HNSW"))
    subject = subject_of(made, recommend(made.runs, 0.95), 0.95)
    return {
        section.name: picture_spec(
            section, [panel_specs(section, panel) for panel in section.panels], []
        )
        for section in sections([subject])
    }


def texts_of(key: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer for layer in key["layer"] if layer["mark"]["type"] == "text"]


@pytest.mark.parametrize("name", list(EXPLAINED))
def test_a_picture_explains_all_that_is_drawn_in_it(
    name: str, pictures: dict[str, dict[str, Any]]
) -> None:
    key, body = pictures[name]["vconcat"]
    assert [layer["mark"]["text"] for layer in texts_of(key)] == EXPLAINED[name]
    legends = [
        encoding[channel].get("legend")
        for panel in body["concat"]
        for chart in panel["vconcat"]
        for encoding in (layer["encoding"] for layer in chart["layer"])
        for channel in ("color", "shape", "strokeDash")
        if "scale" in encoding.get(channel, {})
    ]
    assert set(legends) <= {None}  # so that panels of one row begin at one height


def test_kinds_of_query_have_a_whole_line_in_the_key_and_a_point_on_it(
    pictures: dict[str, dict[str, Any]],
) -> None:
    key, _body = pictures["recall-parameter"]["vconcat"]
    drawn = [layer["mark"] for layer in key["layer"]]
    place = [mark.get("text") for mark in drawn].index("sentences")
    line, point = drawn[place - 2 : place]
    assert line["type"] == "rule" and line["strokeDash"] == [5, 4]
    assert point["shape"] == "diamond" and point["filled"] and "strokeDash" not in point


@pytest.mark.parametrize("mark", [
    Mark("HNSW", "#12936a", "triangle-up"), Mark("sentences", dash="5 4"),
    *(Mark("any", look=look) for look in
      ("front", "hollow", "ring", "interval", "guide", "outlined")),
])  # fmt: skip
def test_a_symbol_is_svg_in_its_colour_or_in_ink(mark: Mark) -> None:
    drawn = ElementTree.fromstring(symbol_svg(mark, "#123456"))
    colours = {part.get("stroke") or part.get("fill") for part in drawn}
    assert colours == {mark.colour or "#123456"}


def test_estimates_are_explained_where_there_are_any() -> None:
    made = made_runs.comparison(types=("FLAT", "IVF_PQ"))
    [built] = [one for one in sections([subject_of(made, None, 0.95)]) if one.name == "build-size"]
    assert [mark.label for mark in built.key] == ["≈ estimated by formula"]


def test_a_key_folds_where_its_picture_ends() -> None:
    marks = [Mark(f"HNSW M {n}, efConstruction 200", "#12936a", "circle") for n in range(9)]
    key = key_chart(marks, 500)
    places = [
        (layer["encoding"]["y"]["value"], layer["encoding"]["x"]["value"])
        for layer in texts_of(key)
    ]
    assert places == sorted(places)
    assert len({y for y, _ in places}) > 1
    assert all(x + 6 * len(marks[0].label) < 500 for _, x in places)
    assert max(y for y, _ in places) < key["height"]
