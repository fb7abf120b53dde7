"""What every keyframe selector must have, asked of each that the registry lists."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from ingest.media.base import KeyframeSelector, NamedSelector, typed
from ingest.media.keyframes.registry import (
    SELECTORS,
    parse_selector,
    selector_examples,
    selector_help,
    selector_hint,
)
from ingest.options import IngestOptions
from search_core.errors import UsageError
from tests.support.made_frames import Frame, moments

DIGEST = "0" * 32
FRAMES = [Frame(time, time % 2_000 == 0) for time in range(0, 20_000, 200)]


@pytest.fixture(params=SELECTORS)
def kind(request: pytest.FixtureRequest) -> type[NamedSelector]:
    return SELECTORS[request.param]


def ways(kind: type[NamedSelector]) -> list[str]:
    """How it may be typed: bare, with its example and with the ends of its range."""
    argument = kind.argument
    if argument is None:
        return [kind.name]
    numbers = (argument.example, argument.low, argument.high)
    bare = [] if argument.required else [kind.name]
    return bare + [f"{kind.name}:{number!r}" for number in numbers]


def test_what_is_typed_is_parsed_and_makes_a_recipe(kind: type[NamedSelector]) -> None:
    for way in ways(kind):
        selector = parse_selector(way)
        assert type(selector) is kind
        assert selector.recipe == parse_selector(f" {way.upper()} ").recipe
        assert selector.recipe.partition(":")[0] == kind.name
        assert selector.animation_step_ms > 0 and selector.least_distance == 0
        assert parse_selector(f"{way}+distinct").recipe.startswith(f"{selector.recipe}+distinct:")


def test_options_with_it_are_written_and_read_back(kind: type[NamedSelector]) -> None:
    for way in ways(kind):
        options = IngestOptions(keyframes=way)
        assert IngestOptions.from_text(options.to_text()).keyframes == way


def test_numbers_out_of_its_range_are_refused_with_the_range(kind: type[NamedSelector]) -> None:
    argument = kind.argument
    wrong = ["", "x", "nan", "inf", *(["1"] if argument is None else [])]
    if argument is not None:
        assert argument.word.isupper() and argument.unit
        assert argument.low < argument.example < argument.high
        wrong += [repr(argument.low / 2), repr(argument.high * 2)]
    for text in wrong:
        with pytest.raises(UsageError) as refused:
            parse_selector(f"{kind.name}:{text}")
        assert refused.value.hint == selector_hint()
    if argument is not None:
        assert f"({argument.low:g} to {argument.high:g} {argument.unit})" in selector_hint()


def test_help_and_hints_name_it(kind: type[NamedSelector]) -> None:
    assert kind.help and kind.help not in [
        other.help for other in SELECTORS.values() if other is not kind
    ]
    how = typed(kind.name, kind.argument)
    assert f"{how} ({kind.help})" in selector_help()
    assert how in selector_hint()
    (example,) = [one for one in selector_examples() if one.partition(":")[0] == kind.name]
    assert type(parse_selector(example)) is kind


def test_it_is_frozen_and_goes_to_other_processes(kind: type[NamedSelector]) -> None:
    selector: KeyframeSelector = parse_selector(ways(kind)[0])
    assert pickle.loads(pickle.dumps(selector)) == selector
    with pytest.raises(FrozenInstanceError):
        setattr(selector, "least_distance", 0.5)  # noqa: B010, mypy knows that it is frozen


def test_it_takes_the_first_frame_and_times_that_there_are(kind: type[NamedSelector]) -> None:
    chosen = moments(selector_examples()[list(SELECTORS).index(kind.name)], FRAMES)
    assert chosen[0] == 0
    assert chosen == sorted(set(chosen)) and set(chosen) <= {frame.pts_ms for frame in FRAMES}
