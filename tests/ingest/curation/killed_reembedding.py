"""A re-embedding that kills itself once Milvus has acknowledged three keyframes: DATA_DIR [URI]."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from ingest.curation.reembedding import reembed
from search_core.settings import MediaSettings, MilvusSettings, Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import FinerEncoder


def main() -> None:
    uri = sys.argv[2] if len(sys.argv) > 2 else None
    settings = Settings(
        data_dir=Path(sys.argv[1]),
        media=MediaSettings(workers=1, thumbnail_px=64, read="off"),
        milvus=MilvusSettings(uri=uri),
    )
    settings.encoder.batch_size = 1

    def end(done: int, total: int, current: str) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    store = MilvusStore(resolve_endpoint(settings))
    reembed(settings, store, "main", FinerEncoder(), on_progress=end)


if __name__ == "__main__":
    main()
