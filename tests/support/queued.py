"""What tests of jobs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest.jobs.client import Jobs
from ingest.jobs.table import Job
from ingest.jobs.worker import Timing
from search_core.encoders.base import Embeddings, Pixels
from search_core.lab.plan import CompareOptions, FilterCase
from search_core.settings import Settings
from tests.support.made_media import HistogramEncoder, make_photo

#: Looks at once, and takes up at once what another worker has.
EAGER = Timing(idle_s=0.01, look_s=0.0, believed_ms=0)


class Calls(HistogramEncoder):
    """Calls something at a batch."""

    def __init__(self, batches: int, call: Callable[[], object], digest: str = "a" * 32) -> None:
        super().__init__(digest)
        self._left = batches
        self._call = call

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Embeddings:
        self._left -= 1
        if self._left == 0:
            self._call()
        return super().encode_pixels(pixels)


def many_photos(media: Path, settings: Settings, count: int = 30) -> None:
    """Make photographs that are embedded one by one."""
    for number in range(count):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    settings.encoder.batch_size = 1


def options(*shares: str, max_rows: int | None = 20_000) -> CompareOptions:
    """Return a comparison that is soon done, under filters of these shares."""
    return CompareOptions(
        queries=5,
        repeats=2,
        types=("FLAT", "HNSW"),
        sweeps={"ef": (10, 20)},
        filters=tuple(_of_share(share) for share in shares),
        max_rows=max_rows,
    )


def _of_share(share: str) -> FilterCase:
    case = FilterCase.of_share(share)
    assert case is not None
    return case


def job_of(jobs: Jobs, job_id: str) -> Job:
    """Return a job that is there."""
    job = jobs.get(job_id)
    assert job is not None
    return job


def report_of(job: Job) -> dict[str, Any]:
    """Return the report of a job that is over."""
    assert job.report is not None
    return job.report
