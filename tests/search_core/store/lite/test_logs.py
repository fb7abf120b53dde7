"""Milvus Lite killed where it would have rows twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search_core.store.endpoint import Endpoint
from search_core.store.lite.layout import remove_flushed_logs
from search_core.store.milvus.store import MilvusStore

#: Ends as by kill -9 when a flush has written its manifest, and has its log still to remove.
KILLED = """
import os, sys
from milvus_lite.storage.wal import WAL
from search_core.encoders.base import EncoderIdentity
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

WAL.close_and_delete = lambda self: os._exit(9)
store = MilvusStore(Endpoint(sys.argv[1]))
store.ensure_library("main", EncoderIdentity("test-encoder", "made-up", "0" * 32, 16, "fp32"))
store.upsert("main", [make_entity(number) for number in range(20)], clip_like_vectors(20, 16))
store.settle("main")
"""


def test_rows_of_a_flush_that_was_killed_are_there_once(tmp_path: Path) -> None:
    folder = tmp_path / "milvus.db"
    root = Path(__file__).parents[4]
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=root, timeout=120)
    assert ended.returncode == 9
    assert list(folder.glob("collections/main_*/wal/*.arrow"))
    for _ in range(2):  # and they stay there once
        store = MilvusStore(Endpoint(str(folder)))
        assert store.count("main") == 20
        assert sum(len(page.entities) for page in store.vectors("main")) == 20
        store.close()


@pytest.mark.parametrize("manifest", ["", "{}", '{"active_wal_number": null}', "[]"])
def test_what_is_not_understood_stays(tmp_path: Path, manifest: str) -> None:
    log = tmp_path / "collections" / "one" / "wal" / "wal_data_000001.arrow"
    log.parent.mkdir(parents=True)
    log.touch()
    (tmp_path / "collections" / "one" / "manifest.json").write_text(manifest)
    remove_flushed_logs(tmp_path)
    remove_flushed_logs(tmp_path / "nowhere")
    assert log.exists()
