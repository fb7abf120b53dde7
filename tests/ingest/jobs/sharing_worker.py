"""A worker that waits at its first job until another has one too: DATA_DIR MILVUS_URI QUEUE.

Prints how many pictures it embedded, and ends when there are no more jobs.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from pydantic import SecretStr
from redis import Redis

from ingest.jobs.worker import run_worker
from search_core.encoders.base import Embeddings, Pixels
from search_core.settings import MediaSettings, MilvusSettings, Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import HistogramEncoder

WORKERS = 2
WITHIN_S = 60


class MeetingEncoder(HistogramEncoder):
    """Lets nobody work alone."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._redis = redis
        self.embedded = 0

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        if not self.embedded and self._redis.incr("test:arrived") == WORKERS:
            self._redis.rpush("test:gate", *range(WORKERS))
        if not self.embedded and self._redis.blpop(["test:gate"], WITHIN_S) is None:
            raise TimeoutError("the other worker has no job")
        self.embedded += len(pixels)
        return super().encode_pixels(pixels)


def main() -> None:
    data_dir, uri, queue = sys.argv[1:]
    settings = Settings(
        data_dir=Path(data_dir),
        media=MediaSettings(workers=1, thumbnail_px=64, read="off"),
        milvus=MilvusSettings(uri=uri),
        queue=SecretStr(queue),
    )
    encoder = MeetingEncoder(Redis.from_url(queue))
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        run_worker(settings, store=store, encoder=encoder, until_idle=True)
    print(encoder.embedded)


if __name__ == "__main__":
    main()
