"""What every index type must have, asked of each that the catalogue lists."""

from __future__ import annotations

import inspect
import re

import pytest

from dashboard.i18n.gettext import catalogue
from search_core.indexes import (
    FASTEST_FIRST,
    INDEX_SPECS,
    IndexSpec,
    Parameter,
    SearchParams,
    index_spec_from_dict,
    index_spec_to_dict,
    make_index_spec,
    parameters_of,
    start_for,
)
from search_core.indexes.advice import advise
from search_core.indexes.sizing import estimate
from search_core.lab.report.theme import colour_of, shape_of, theme
from tests.search_core.lab.report.test_charts import contrast

ROWS, DIM, K = 100_000, 512, 10
SEARCHED = dict(parameters_of(SearchParams))


@pytest.fixture(params=INDEX_SPECS)
def kind(request: pytest.FixtureRequest) -> type[IndexSpec]:
    return INDEX_SPECS[request.param]


def test_a_name_finds_the_type_and_a_record_gives_it_back(kind: type[IndexSpec]) -> None:
    spec = kind.sized(ROWS, DIM)
    assert type(make_index_spec(kind.index_type.lower())) is kind
    assert index_spec_from_dict(index_spec_to_dict(spec)) == spec


def test_it_is_explained_in_words_of_its_own(kind: type[IndexSpec]) -> None:
    others = [other for other in INDEX_SPECS.values() if other is not kind]
    assert (inspect.getdoc(kind) or "").startswith(f"{kind.index_type}: ")
    assert re.fullmatch(r"[A-Z].+\.", kind.explanation)
    assert kind.explanation not in [other.explanation for other in others]
    assert kind.why and kind.why not in [other.why for other in others]


def test_it_is_told_apart_in_charts(kind: type[IndexSpec]) -> None:
    others = [other.index_type for other in INDEX_SPECS.values() if other is not kind]
    assert kind.colour == colour_of(kind.index_type) not in map(colour_of, others)
    assert kind.shape == shape_of(kind.index_type) not in map(shape_of, others)
    for dark in (False, True):
        assert contrast(kind.colour, theme(dark=dark)["style"]["hollow"]["fill"]) >= 3.0


def test_its_words_are_translated(kind: type[IndexSpec]) -> None:
    chinese = catalogue("zh")
    words = [kind.explanation, kind.why]
    for _, parameter in _parameters(kind):
        words += [parameter.effect, *([parameter.unit] if parameter.unit else [])]
    assert not [word for word in words if chinese.gettext(word) == word]


def test_its_parameters_have_a_range_and_say_what_more_of_them_does(kind: type[IndexSpec]) -> None:
    for name, parameter in _parameters(kind):
        assert parameter.effect, name
        assert parameter.choices or parameter.low <= parameter.high, name
        assert bool(parameter.high) == bool(parameter.unit), name


def test_it_is_sized_for_a_library_and_searched_within_the_ranges(kind: type[IndexSpec]) -> None:
    for rows in (1, 1_000, ROWS, 10**8):
        spec = kind.sized(rows, DIM)
        spec.require_dim(DIM)
        size = estimate(spec, rows, DIM)
        assert size.disk_bytes > 0 and size.memory_bytes > 0
        assert size.formula and size.source
        searched = spec.search_params(SearchParams(), K)
        for name, value in searched.items():
            SEARCHED[name].check(value)
        sweep = spec.sweep_values(K)
        assert sweep == sorted(set(sweep)) and bool(sweep) == (spec.sweep is not None)
        for value in sweep:
            SEARCHED[spec.sweep or ""].check(value)


def test_a_larger_library_needs_more(kind: type[IndexSpec]) -> None:
    small, large = (estimate(kind.sized(rows, DIM), rows, DIM) for rows in (ROWS, 10 * ROWS))
    assert large.disk_bytes > small.disk_bytes and large.loaded_bytes > small.loaded_bytes


def test_it_is_advised_with_a_start_or_has_bits(kind: type[IndexSpec]) -> None:
    if kind.speed_rank is None:
        assert kind.vector_kind == "binary"
        return
    assert kind.index_type in FASTEST_FIRST
    start = start_for(kind.index_type, ROWS, DIM, 0.95)
    assert type(start.spec) is kind
    assert start.recall is None or 0 < start.recall <= 1
    assert start.spec.search_params(start.search, K).items() >= start.search.given().items()
    (advice,) = [one for one in advise(ROWS, DIM, 2**34, 0.95) if type(one.spec) is kind]
    assert advice.why == kind.why


def test_ranks_differ() -> None:
    ranks = [spec.speed_rank for spec in INDEX_SPECS.values() if spec.speed_rank is not None]
    assert len(set(ranks)) == len(ranks) == len(FASTEST_FIRST)


def _parameters(kind: type[IndexSpec]) -> list[tuple[str, Parameter]]:
    found = list(parameters_of(kind))
    return [*found, (kind.sweep, SEARCHED[kind.sweep])] if kind.sweep else found
