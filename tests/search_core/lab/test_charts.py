from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_core.index_specs import INDEX_SPECS
from search_core.lab import chart_parts, chart_theme, charts, frames
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
            points.query("query_kind == 'pictures'"), 10, target=0.95, chosen=("FLAT", "–")
        ),
        "sweep": charts.sweep_chart(sweep.query(one), 10),
        "nq": charts.nq_chart(batches.query(one)),
        "nq of an exact index": charts.nq_chart(batches.query("series == 'FLAT'")),
        "concurrency": charts.concurrency_chart(clients),
        "concurrency latency": charts.concurrency_latency_chart(clients),
        "filter recall": charts.filter_recall_chart(filters.query(one), 10, target=0.95),
        "filter latency": charts.filter_latency_chart(filters.query(one)),
        "build": charts.build_chart(built),
        "size": charts.size_chart(built),
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
    assert set(chart_theme.INDEX_LOOKS) == set(INDEX_SPECS)
    looks = list(chart_theme.INDEX_LOOKS.values())
    assert len({colour for colour, _ in looks}) == len({shape for _, shape in looks}) == len(looks)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out_from_both_backgrounds(dark: bool) -> None:
    paper = chart_theme.theme(dark=dark)["style"]["hollow"]["fill"]
    colours = [colour for colour, _ in chart_theme.INDEX_LOOKS.values()]
    colours += [*chart_theme.PAIR, *chart_theme.STRATEGY_COLOURS.values()]
    colours += chart_theme.theme(dark=dark)["range"]["ordinal"]["scheme"]
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
    low, high = chart_parts.log_scale(series).to_dict()["domain"]
    ticks = chart_parts.log_ticks(series)
    assert low < min(values) and max(values) < high
    assert all(low <= tick <= high for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert 1 <= len(ticks) <= 10


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 4096), min_size=1, max_size=30), st.integers(2, 8))
def test_a_spread_keeps_the_first_and_the_last(values: list[int], most: int) -> None:
    kept = chart_parts.spread(pd.Series(values, dtype=float), most)
    assert len(kept) <= most
    assert {min(values), max(values)} <= set(kept) <= set(values)
    assert kept == sorted(set(kept))
