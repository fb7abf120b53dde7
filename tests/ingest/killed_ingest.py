"""Run an ingest of FOLDER/media and kill this process at a moment: FOLDER MOMENT STORE."""

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import ingest.writer
from ingest.ledger import Ledger
from ingest.pipeline import ingest as take_in
from search_core.memory_store import MemoryStore
from search_core.settings import MediaSettings, Settings
from tests.ingest.made_media import HistogramEncoder


def kill_at(moment: str) -> None:
    if moment == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)


class FileStore(MemoryStore):
    """Appends the rows it acknowledges to a file, and reads them back to count them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        path.touch()

    def upsert(self, name, entities, embeddings):
        with self._path.open("a") as file:
            for entity in entities:
                file.write(json.dumps({"id": entity.id}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def count(self, name):
        return len({json.loads(line)["id"] for line in self._path.read_text().splitlines()})


class KilledEncoder(HistogramEncoder):
    def encode_pixels(self, pixels):
        kill_at("embed")
        return super().encode_pixels(pixels)


class KilledLedger(Ledger):
    def record(self, *arguments, **fields):
        kill_at("before-ledger")
        super().record(*arguments, **fields)


def killed(store):
    upsert = store.upsert
    calls = []

    def wrapped(*arguments):
        calls.append(1)
        if len(calls) == 2:
            kill_at("before-upsert")
        upsert(*arguments)
        if len(calls) == 2:
            kill_at("after-upsert")

    store.upsert = wrapped
    return store


def main() -> None:
    folder = Path(sys.argv[1])
    settings = Settings(data_dir=folder / "data", media=MediaSettings(workers=1, thumbnail_px=64))
    settings.encoder.batch_size = 4
    bulk = None
    if sys.argv[3] == "bulk":
        from search_core.bulk_storage import bulk_storage
        from search_core.endpoint import resolve_endpoint
        from search_core.store import MilvusStore

        store = MilvusStore(resolve_endpoint(settings))
        bulk = store.bulk_inserter(bulk_storage(settings)).insert
    elif sys.argv[3] == "milvus":
        from search_core.endpoint import resolve_endpoint
        from search_core.store import MilvusStore

        store = killed(MilvusStore(resolve_endpoint(settings)))
    else:
        store = killed(FileStore(folder / "rows.jsonl"))
    ingest.writer._MOST_ROWS = 1  # an upsert per batch, so that there are several
    ingest.pipeline.Ledger = KilledLedger

    def on_progress(progress) -> None:
        if progress.keyframes == 1:
            kill_at("first-keyframe")
        if progress.done == 4:
            kill_at("four-done")

    report = take_in(
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
