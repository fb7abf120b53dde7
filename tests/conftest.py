"""Fixtures the whole suite shares: a small real CLIP, and Milvus in its two shapes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as property_settings

from search_core.encoders.base import Embeddings, EncoderIdentity, l2_normalised
from search_core.schema.entity import FrameRef, MediaEntity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support import milvus_server as milvus_server_of_tests
from tests.support.made_once import made_once
from tests.support.scheduling import Units, in_order, processes

# On a busy machine an example may take any time: how long it takes is no property.
property_settings.register_profile(
    "sightline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
property_settings.load_profile("sightline")

# Reading lettering takes half a second a keyframe: tests that want it say so, and those that make
# their own MediaSettings say that they do not. The commands and processes of tests see it here.
os.environ["SIGHTLINE_MEDIA_READ"] = "off"
# No test asks the model hub, and none finds what this machine once downloaded of it.
os.environ["SIGHTLINE_ENCODER_DOWNLOAD"] = "never"
os.environ["HF_HUB_CACHE"] = str(Path(tempfile.gettempdir()) / "sightline-tests-without-hub-cache")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

TINY_MODEL_CONFIG = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 64,
            "head_width": 32,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}


def pytest_xdist_auto_num_workers() -> int:
    """Say how many processes ``-n logical`` means."""
    return processes()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units:
    """Hand out tests so that no process waits for another's server."""
    return Units(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long, where several processes share the tests."""
    if hasattr(config, "workerinput"):
        items[:] = in_order(items)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Say which Milvus server the tests use; a quiet run has no header to say it in."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        reporter.write_line(f"Milvus server: {milvus_server_of_tests.described()}")


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real open_clip model, a few layers small and untrained.

    Use it as ``--model local-dir:<path>``. Colours and shapes are told apart; words mean nothing.
    """
    return made_once(tmp_path_factory, "tiny_model", make_tiny_model)


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Milvus server of the PyPI package ``milvus``: a process that can be killed, its files."""
    with milvus_server_of_tests.process(tmp_path_factory.mktemp("milvus_server")) as server:
        yield server


@pytest.fixture(scope="session")
def milvus_process_uri(milvus_server: Any) -> str:
    """The address of the Milvus server that is a process of this machine."""
    return f"http://127.0.0.1:{milvus_server.listen_port}"


@pytest.fixture(scope="session")
def milvus_server_uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Milvus server: in a container where there is an image, else a process."""
    if milvus_server_of_tests.image() is None:
        yield request.getfixturevalue("milvus_process_uri")
        return
    with milvus_server_of_tests.container() as uri:
        yield uri


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis server of the tests' own, with a password."""
    from tests.support.redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "")
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of an empty Redis."""
    redis.Redis.from_url(redis_server).flushall()
    return redis_server


@pytest.fixture
def lite_store(tmp_path: Path) -> Iterator[MilvusStore]:
    """A MilvusStore on an empty embedded Milvus Lite."""
    store = MilvusStore(Endpoint(str(tmp_path / "milvus.db"), write_lock=tmp_path / "write.lock"))
    yield store
    store.close()


@pytest.fixture(scope="session")
def identity() -> EncoderIdentity:
    """An encoder identity of 16 dimensions."""
    return EncoderIdentity("test-encoder", "made-up", "0" * 32, 16, "fp32")


def make_tiny_model(folder: Path) -> None:
    """Make the model of ``tiny_model_dir``."""
    import torch
    from safetensors.torch import save_file

    from search_core.encoders.open_clip_import import import_open_clip

    (folder / "open_clip_config.json").write_text(json.dumps(TINY_MODEL_CONFIG))
    torch.manual_seed(0)
    model = import_open_clip().create_model(f"local-dir:{folder}")
    save_file(model.state_dict(), str(folder / "open_clip_model.safetensors"))


def make_entity(number: int, **changes: object) -> MediaEntity:
    """Return an entity of source ``number``, captured ``number`` seconds after the epoch."""
    entity = MediaEntity(
        id=FrameRef(f"source{number}", 0).primary_key,
        source_id=f"source{number}",
        media_type="frame",
        uri=f"/footage/{number}.mp4",
        camera=f"cam-{number % 3}",
        captured_at=number * 1000,
        captured_from="given",
        pts_ms=0,
        duration_ms=60_000,
        width=640,
        height=360,
        thumbnail=f"thumbnails/{number}.jpg",
        ingested_at=1,
        tags=("odd",) if number % 2 else ("even", "all"),
        span_ms=number * 10,
    )
    return replace(entity, **changes)  # type: ignore[arg-type]


def clip_like_vectors(rows: int, dim: int, seed: int = 0) -> Embeddings:
    """Return unit vectors (rows, dim) spread as CLIP's are: round a common mean, in clumps."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=dim)
    clumps = rng.normal(size=(max(1, rows // 20), dim))
    chosen = clumps[rng.integers(0, len(clumps), rows)]
    return l2_normalised(mean + 0.7 * chosen + 0.6 * rng.normal(size=(rows, dim)))
