from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.indexes import INDEX_SPECS
from search_core.lab.report import charts, frames
from search_core.lab.report import theme as chart_theme
from tests.search_core.lab import made_runs

RUNS = made_runs.comparison().runs


@cache
def drawn() -> dict[str, Any]:
    """Every chart, by what it shows, as Vega-Lite; raises where its schema does not allow it."""
    points = frames.recall_latency_frame(RUNS)
    sweep = frames.sweep_frame(RUNS)
    batches = frames.nq_frame(RUNS)
    clients = frames.at_settings(frames.concurrency_frame(RUNS), {})
    filters = frames.at_settings(frames.filter_frame(RUNS), {})
    built = frames.build_frame(RUNS).query("error == ''")
    one = "series == 'IVF_FLAT'"
    made = {
        "recall_latency": charts.recall_latency_chart(
            points.query("query_kind == 'pictures'"),
            10,
            target=0.95,
            chosen=("FLAT", "–"),
            axes=points,
        ),
        "sweep": charts.sweep_chart(sweep.query(one), 10, axes=sweep),
        "nq": charts.nq_chart(batches.query(one), "nprobe 16", axes=batches),
        "nq of an exact index": charts.nq_chart(batches.query("series == 'FLAT'"), axes=batches),
        "concurrency": charts.concurrency_chart(clients, axes=clients),
        "concurrency latency": charts.concurrency_latency_chart(clients, axes=clients),
        "filter recall": charts.filter_recall_chart(
            filters.query(one), 10, target=0.95, axes=filters
        ),
        "filter latency": charts.filter_latency_chart(filters.query(one), axes=filters),
        "build": charts.build_chart(built, axes=built),
        "size": charts.size_chart(built, axes=built),
    }
    return {name: chart.to_dict() for name, chart in made.items()}


NAMES = (
    "recall_latency", "sweep", "nq", "nq of an exact index", "concurrency", "concurrency latency",
    "filter recall", "filter latency", "build", "size",
)  # fmt: skip


def encodings(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer.get("encoding", {}) for layer in spec["layer"]]


@pytest.mark.parametrize("name", NAMES)
def test_charts_are_valid_and_their_axes_are_named_with_units(name: str) -> None:
    spec = drawn()[name]
    named = {
        channel: definition["title"]
        for encoding in encodings(spec)
        for channel, definition in encoding.items()
        if channel in ("x", "y") and definition.get("title")
    }
    assert "x" in named
    assert "y" in named or name in ("build", "size")  # names of indexes need none
    for title in named.values():
        measured = any(word in title for word in ("latency", "median"))
        assert not measured or " ms" in title


def test_points_of_the_front_are_filled_and_the_advice_is_ringed() -> None:
    layers = drawn()["recall_latency"]["layer"]
    styles = [layer["mark"].get("style") for layer in layers]
    assert {"front", "hollow", "chosen", "guide"} <= set(styles)


def test_the_recall_that_is_wanted_is_named_at_its_line() -> None:
    for name in ("recall_latency", "filter recall"):
        said = [encoding.get("text", {}).get("value") for encoding in encodings(drawn()[name])]
        assert "wanted: 0.95" in said


def test_parts_of_different_quantities_have_different_colours() -> None:
    colours = {
        name: {colour for one in encodings(drawn()[name]) if "color" in one
               for colour in one["color"]["scale"]["range"]}
        for name in ("build", "size")
    }  # fmt: skip
    assert len(colours["build"]) == len(colours["size"]) == 2
    assert not colours["build"] & colours["size"]


def test_of_many_settings_the_lowest_the_chosen_and_the_highest_are_drawn_and_named() -> None:
    spec = drawn()["nq"]
    [shape] = [one["shape"] for one in encodings(spec) if "shape" in one]
    looks = dict(zip(shape["scale"]["domain"], shape["scale"]["range"], strict=True))
    assert looks == {
        "nprobe 1": "triangle-down",
        "nprobe 16": "circle",
        "nprobe 128": "triangle-up",
    }
    assert shape["legend"] is not None
    drawn_settings = {row["searched"] for data in spec["datasets"].values() for row in data}
    assert drawn_settings == set(looks)


def test_a_setting_that_was_not_measured_in_batches_is_not_said_to_be_drawn() -> None:
    batches = frames.nq_frame(RUNS).query("series == 'IVF_FLAT'")
    shown = charts.few_settings(batches, "nprobe 3")
    assert list(shown.values()) == ["triangle-down", "triangle-up"]


def test_queries_a_second_have_no_number_at_their_axis_end_to_move_the_heading() -> None:
    [scale] = [one["y"]["scale"] for one in encodings(drawn()["concurrency"]) if "y" in one][:1]
    assert scale["domain"][0] == 0 and not scale["nice"]


def test_latency_is_on_a_logarithmic_axis() -> None:
    for name in ("recall_latency", "nq", "filter latency"):
        scales = [
            encoding[channel]["scale"]["type"]
            for encoding in encodings(drawn()[name])
            for channel in ("x", "y")
            if encoding.get(channel, {}).get("field") == "p50_ms" and "scale" in encoding[channel]
        ]
        assert scales and set(scales) == {"log"}


def test_every_index_type_has_a_look_of_its_own() -> None:
    assert len({chart_theme.colour_of(name) for name in INDEX_SPECS}) == len(INDEX_SPECS)
    assert len({chart_theme.shape_of(name) for name in INDEX_SPECS}) == len(INDEX_SPECS)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out_from_both_backgrounds(dark: bool) -> None:
    paper = chart_theme.theme(dark=dark)["style"]["hollow"]["fill"]
    colours = [spec.colour for spec in INDEX_SPECS.values()]
    colours += [
        *chart_theme.TIME_PAIR,
        *chart_theme.SIZE_PAIR,
        *chart_theme.STRATEGY_COLOURS.values(),
    ]
    for colour in colours:
        assert contrast(colour, paper) >= 3.0, colour
    assert contrast(chart_theme.theme(dark=dark)["axis"]["labelColor"], paper) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=20))
def test_logarithmic_axes_have_few_ticks_within_their_values(values: list[float]) -> None:
    series = pd.Series(values)
    low, high = charts.log_scale(series).to_dict()["domain"]
    ticks = charts.log_ticks(series)
    assert low < min(values) and max(values) < high
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert 1 <= len(ticks) <= 10
