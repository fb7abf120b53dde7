"""A worker on Milvus Lite that kills itself after it wrote two batches: DATA_DIR."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import ingest.rows.writer
from ingest.jobs.worker import run_worker
from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity
from search_core.settings import MediaSettings, Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import HistogramEncoder


class KilledStore(MilvusStore):
    """Dies once the second upsert is acknowledged."""

    calls = 0

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        super().upsert(name, entities, embeddings)
        self.calls += 1
        if self.calls == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    settings = Settings(
        data_dir=Path(sys.argv[1]), media=MediaSettings(workers=1, thumbnail_px=64, read="off")
    )
    settings.encoder.batch_size = 2
    ingest.rows.writer._MOST_ROWS = 1  # an upsert per batch
    store = KilledStore(resolve_endpoint(settings))
    run_worker(settings, store=store, encoder=HistogramEncoder(), until_idle=True)


if __name__ == "__main__":
    main()
