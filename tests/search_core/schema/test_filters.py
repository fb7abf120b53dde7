from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search_core.encoders.base import EncoderIdentity
from search_core.errors import FilterError
from search_core.schema.filters import Filter, Hours, quoted
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import make_entity

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r\"'\\%_"),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    store = MilvusStore(Endpoint(str(tmp_path_factory.mktemp("lite") / "milvus.db")))
    store.ensure_library("main", EncoderIdentity("e", "", "0" * 32, 4, "fp32"))
    yield store
    store.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(camera=TEXT, other=TEXT, tag=TEXT)
def test_any_text_filters_exactly(store: MilvusStore, camera: str, other: str, tag: str) -> None:
    entities = [
        make_entity(0, camera=camera, tags=(tag,)),
        make_entity(1, camera=other, tags=(other,)),
        make_entity(2, camera="plain", tags=()),
    ]
    store.upsert("main", entities, np.eye(4, dtype=np.float32)[:3])
    for where in (Filter(cameras=(camera,)), Filter(tags=(tag,)), Filter(ids=(camera,))):
        found = {entity.id for entity in store.entities("main", where)}
        assert found == {entity.id for entity in entities if where.matches(entity)}


@given(st.text(max_size=30))
def test_a_quoted_text_is_one_literal(text: str) -> None:
    try:
        literal = quoted(text)
    except FilterError:
        assert any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in text)
        return
    inside = literal[1:-1]
    assert literal.startswith('"')
    assert literal.endswith('"')
    # No quote inside ends the literal: each follows an odd number of backslashes.
    for position, character in enumerate(inside):
        if character == '"':
            before = inside[:position]
            assert (len(before) - len(before.rstrip("\\"))) % 2 == 1


def test_control_characters_are_refused_in_a_sentence() -> None:
    with pytest.raises(FilterError, match="control characters"):
        Filter(cameras=("bell\x07",)).expression()


def test_no_filter_is_no_expression() -> None:
    assert Filter().is_empty
    assert Filter(regions=True).expression() == ""


def test_times_bound_captured_at_from_inclusive_to_exclusive() -> None:
    where = Filter(after=datetime.fromtimestamp(1, UTC), before=datetime.fromtimestamp(2, UTC))
    assert where.with_regions().expression() == "captured_at >= 1000 and captured_at < 2000"
    entity = make_entity(1)
    assert where.matches(entity)
    assert not where.matches(replace(entity, captured_at=2000))


def test_a_media_type_and_a_source_restrict() -> None:
    where = Filter(media_type="image", source_ids=("a", "b"))
    written = 'source_id in ["a", "b"] and media_type == "image"'
    assert where.with_regions().expression() == written
    assert where.expression() == f'kind == "frame" and {written}'
    assert not where.matches(make_entity(1))


def test_a_filter_narrowed_by_another_lets_through_what_passes_both() -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    one = Filter(cameras=("gate", "yard"), after=first, tags=("kept",))
    assert one.narrowed(Filter(before=last)) == replace(one, before=last)
    assert one.narrowed(Filter(cameras=("yard", "hall"))).cameras == ("yard",)
    assert one.narrowed(Filter(after=last)).after == last
    nothing = one.narrowed(Filter(cameras=("hall",)))
    assert not any(nothing.matches(make_entity(0, camera=name)) for name in ("gate", "hall"))
    hours = Filter(hours=Hours(0, 60))
    assert one.narrowed(hours).hours == hours.hours
    with pytest.raises(FilterError):
        hours.narrowed(Filter(hours=Hours(60, 120)))
