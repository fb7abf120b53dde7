"""Run an ingest of FOLDER/media and kill this process at a moment: FOLDER MOMENT STORE."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import pytest

import ingest.pipeline
import ingest.rows.writer
from ingest.ledger import Ledger, Status
from ingest.report import Progress
from ingest.rows.writer import BulkInsert
from search_core.encoders.base import Embeddings, Pixels
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import MediaSettings, Settings
from search_core.store.library import NO_FILTER, Store
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder


def kill_at(moment: str) -> None:
    if moment == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


class FileStore(MemoryStore):
    """Appends the rows it acknowledges to a file, and reads them back to count them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        path.touch()

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        with self._path.open("a") as file:
            for entity in entities:
                file.write(json.dumps({"id": entity.id}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        return len({json.loads(line)["id"] for line in self._path.read_text().splitlines()})


class KilledEncoder(HistogramEncoder):
    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        kill_at("embed")
        return super().encode_pixels(pixels)


class KilledLedger(Ledger):
    def record(
        self,
        library: str,
        source_id: str,
        recipe: str,
        uri: str,
        status: Status,
        *,
        stage: str = "",
        reason: str = "",
        warning: str = "",
        keyframes: int = 0,
        left_out: int = 0,
        options: str = "",
    ) -> None:
        kill_at("before-ledger")
        super().record(
            library,
            source_id,
            recipe,
            uri,
            status,
            stage=stage,
            reason=reason,
            warning=warning,
            keyframes=keyframes,
            left_out=left_out,
            options=options,
        )


def killed(store: Store, patch: pytest.MonkeyPatch) -> Store:
    upsert = store.upsert
    calls = []

    def wrapped(name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        calls.append(1)
        if len(calls) == 2:
            kill_at("before-upsert")
        upsert(name, entities, embeddings)
        if len(calls) == 2:
            kill_at("after-upsert")

    patch.setattr(store, "upsert", wrapped)
    return store


def main() -> None:
    folder = Path(sys.argv[1])
    settings = Settings(
        data_dir=folder / "data", media=MediaSettings(workers=1, thumbnail_px=64, read="off")
    )
    settings.encoder.batch_size = 4
    patch = pytest.MonkeyPatch()
    store: Store
    bulk: BulkInsert | None = None
    if sys.argv[3] == "bulk":
        from search_core.store.endpoint import resolve_endpoint
        from search_core.store.milvus.bulk_insert import bulk_storage
        from search_core.store.milvus.store import MilvusStore

        store = milvus = MilvusStore(resolve_endpoint(settings))
        bulk = milvus.bulk_inserter(bulk_storage(settings)).insert
    elif sys.argv[3] == "milvus":
        from search_core.store.endpoint import resolve_endpoint
        from search_core.store.milvus.store import MilvusStore

        store = killed(MilvusStore(resolve_endpoint(settings)), patch)
    else:
        store = killed(FileStore(folder / "rows.jsonl"), patch)
    patch.setattr(
        ingest.rows.writer, "_MOST_ROWS", 1
    )  # an upsert per batch, so that there are several
    patch.setattr(ingest.pipeline, "Ledger", KilledLedger)

    def on_progress(progress: Progress) -> None:
        if progress.keyframes == 1:
            kill_at("first-keyframe")
        if progress.done == 4:
            kill_at("four-done")

    report = ingest.pipeline.ingest(
        [str(folder / "media")],
        settings=settings,
        store=store,
        encoder=KilledEncoder(),
        library="main",
        on_progress=on_progress,
        bulk=bulk,
    )
    print(json.dumps(report.to_json() | {"rows": store.count("main")}))


if __name__ == "__main__":
    main()
