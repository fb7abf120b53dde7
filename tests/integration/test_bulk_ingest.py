"""`ingest --bulk` into a server: the rows of a plain ingest, also after a failure and a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.ledger import Ledger
from ingest.pipeline import ingest
from ingest.report import IngestReport
from ingest.rows.writer import BulkInsert
from search_core.errors import StoreError
from search_core.schema.entity import MediaEntity
from search_core.settings import MediaSettings, Settings
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.bulk_insert import BulkStorage
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import HistogramEncoder, make_clip, make_photo

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
KILLED = ROOT / "tests" / "ingest" / "rows" / "killed_ingest.py"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bulk") / "media"
    folder.mkdir()
    for number in range(4):
        make_photo(folder / f"{number}.png", (50 * number, 60, 90))
    make_clip(folder / "a.mp4", seconds=6)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.fixture
def store(milvus_process_uri: str) -> Iterator[MilvusStore]:
    milvus = MilvusStore(Endpoint(milvus_process_uri, embedded=False))
    yield milvus
    for library in milvus.libraries():
        milvus.drop_library(library.name)
    milvus.close()


def rows(store: MilvusStore, library: str) -> dict[str, tuple[MediaEntity, list[float]]]:
    """Every row as it is in Milvus but for when it was written; fails where one is there twice."""
    kept = {}
    for page in store.vectors(library):
        for entity, vector in zip(page.entities, page.embeddings, strict=True):
            kept[entity.id] = (replace(entity, ingested_at=0), vector.tolist())
    assert len(kept) == store.count(library)
    return kept


def test_bulk_is_plain_to_the_row_also_after_a_failure(
    store: MilvusStore, media: Path, tmp_path: Path
) -> None:
    def run(library: str, bulk: BulkInsert | None = None) -> IngestReport:
        settings = Settings(
            data_dir=tmp_path, media=MediaSettings(workers=1, thumbnail_px=64, read="off")
        )
        encoder = HistogramEncoder()
        return ingest(
            [str(media)],
            settings=settings,
            store=store,
            encoder=encoder,
            library=library,
            bulk=bulk,
        )

    plain = run("plain")
    with pytest.raises(StoreError, match="into the library bulk"):
        run("bulk", bulk=store.bulk_inserter(BulkStorage("memory://elsewhere")).insert)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.counts("bulk") == {"done": 0, "skipped": 0, "failed": 0}
    report = run("bulk", bulk=store.bulk_inserter(BulkStorage(str(tmp_path / "files"))).insert)
    assert (report.done, report.failed) == (plain.done, plain.failed) == (5, 1)
    assert rows(store, "bulk") == rows(store, "plain")


def test_killed_between_the_file_and_the_ledger(
    store: MilvusStore, media: Path, milvus_process_uri: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "SIGHTLINE_MILVUS_URI": milvus_process_uri,
        "SIGHTLINE_MILVUS_BULK_STORAGE": str(tmp_path / "files"),
    }
    (tmp_path / "media").symlink_to(media)

    def run(moment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(KILLED), str(tmp_path), moment, "bulk"]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)

    killed = run("before-ledger")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    there = rows(store, "main")
    assert len(there) == 4 + 6
    report = json.loads(run("never").stdout)
    assert (report["done"], report["skipped"], report["failed"], report["rows"]) == (5, 0, 1, 10)
    assert rows(store, "main") == there
