from __future__ import annotations

from pathlib import Path

import pytest

from search_core.errors import ServeError
from search_core.settings import MilvusSettings, Settings
from search_core.store.endpoint import (
    ServeState,
    resolve_endpoint,
    running_serve,
    serve_lock,
    write_serve_state,
)

STATE = ServeState(1234, "http://127.0.0.1:5000", "http://127.0.0.1:8501", "2026-01-01T00:00:00Z")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_by_default_milvus_is_embedded_in_the_data_directory(settings: Settings) -> None:
    endpoint = resolve_endpoint(settings)
    assert endpoint.uri == str(settings.milvus_lite_dir)
    assert endpoint.embedded
    assert endpoint.write_lock is not None


def test_a_named_server_is_used_without_a_lock(settings: Settings) -> None:
    named = settings.model_copy(update={"milvus": MilvusSettings(uri="http://milvus:19530")})
    endpoint = resolve_endpoint(named)
    assert endpoint.uri == "http://milvus:19530"
    assert not endpoint.embedded
    assert endpoint.write_lock is None


def test_a_running_serve_is_found_and_its_end_noticed(settings: Settings) -> None:
    with serve_lock(settings):
        write_serve_state(settings, STATE)
        assert running_serve(settings) == STATE
        endpoint = resolve_endpoint(settings)
        assert (endpoint.uri, endpoint.embedded) == (STATE.milvus_uri, True)
        assert endpoint.write_lock is not None
    assert running_serve(settings) is None
    assert resolve_endpoint(settings).uri == str(settings.milvus_lite_dir)


def test_a_second_serve_is_refused_and_told_where_the_first_is(settings: Settings) -> None:
    with serve_lock(settings):
        write_serve_state(settings, STATE)
        with (
            pytest.raises(ServeError, match=r"already serving .* at http://127\.0\.0\.1:8501"),
            serve_lock(settings),
        ):
            pass


def test_a_state_left_by_a_crash_is_not_believed(settings: Settings) -> None:
    write_serve_state(settings, STATE)
    assert running_serve(settings) is None
    (settings.data_dir / "serve.lock").touch()
    assert running_serve(settings) is None
