from __future__ import annotations

from typing import Any

import pytest

from search_core.lab.recommendation import recommend
from search_core.lab.report.sections import Section, sections, subject_of
from search_core.lab.report.writer import picture
from tests.search_core.lab import made_runs

TYPES = ["FLAT", "IVF_FLAT", "HNSW M 16, efConstruction 200", "HNSW M 32, efConstruction 400"]
EXPLAINED = {
    "recall-latency": TYPES,
    "recall-parameter": ["pictures", "sentences"],
    "filters": ["as set", "filter-aware", "pictures", "sentences"],
    "latency-nq": ["nprobe 1", "nprobe 64", "nprobe 128", "ef 16", "ef 256", "ef 128"],
    "qps-concurrency": TYPES,
    "build-size": ["build", "load", "memory", "disk"],
}


@pytest.fixture(scope="module")
def made() -> dict[str, Section]:
    """Each section of a comparison, by its name."""
    one = made_runs.comparison(types=("FLAT", "IVF_FLAT", "HNSW"))
    subject = subject_of(one, recommend(one.runs, 0.95), 0.95)
    return {section.name: section for section in sections([subject])}


def named(section: Section) -> list[dict[str, Any]]:
    """The channels of a section's picture in which each name has a look, and which is explained."""
    return [
        encoding[channel]
        for panel in picture(section, []).to_dict()["concat"]
        for chart in panel["vconcat"]
        for encoding in (layer.get("encoding", {}) for layer in chart["layer"])
        for channel in ("color", "shape", "strokeDash")
        if "scale" in encoding.get(channel, {})
        and encoding[channel].get("legend", True) is not None
    ]


@pytest.mark.parametrize("name", list(EXPLAINED))
def test_a_picture_explains_all_that_is_drawn_in_it(name: str, made: dict[str, Section]) -> None:
    labels = [label for channel in named(made[name]) for label in channel["scale"]["domain"]]
    assert list(dict.fromkeys(labels)) == EXPLAINED[name]


def test_a_dash_and_a_shape_of_one_kind_of_query_are_one_entry(made: dict[str, Section]) -> None:
    channels = named(made["recall-parameter"])
    assert len({channel["field"] for channel in channels}) == 1
    looks = [dict(zip(one["scale"]["domain"], one["scale"]["range"], strict=True))
             for one in channels]  # fmt: skip
    assert {str(look["sentences"]) for look in looks} == {"[5, 4]", "diamond"}


def test_a_legend_folds_where_its_chart_is_narrow(made: dict[str, Section]) -> None:
    for channel in named(made["recall-latency"]):
        assert "containerSize()[0]" in channel["legend"]["columns"]["expr"]


def test_what_no_legend_explains_stands_in_the_caption(made: dict[str, Section]) -> None:
    for name, words in {
        "recall-latency": (
            "the Pareto front",
            "hollow",
            "95 % intervals",
            "the ring is the advice",
        ),
        "recall-parameter": ("95 % intervals",),
        "build-size": ("≈ are estimates",),
    }.items():
        assert all(word in made[name].caption for word in words), name
