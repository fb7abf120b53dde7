"""Trials: indexes built over a copy of vectors, measured, and always removed again.

A trial's rows carry what filters ask for (camera, time, tags …) and a ``bucket``, by which a filter
of any share can be written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from search_core.indexes import IndexSpec
from search_core.schema.entity import MINUTE_FIELD, MediaEntity

Rows = NDArray[np.int64]
#: Float vectors (n, dim) as float32, or packed bits (n, dim / 8) as uint8.
Vectors = NDArray[Any]

BUCKETS = 10_000
#: What a trial's rows may hold beside vectors: all that filters ask for, except ids.
FACETS = ("bucket", "captured_at", MINUTE_FIELD, "camera", "media_type", "source_id", "tags")
#: Collections of this prefix are trials.
TRIAL_PREFIX = "sightline_trial_"
#: Trials that neither build nor load within this end with TrialTimeout.
TRIAL_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class BuildTimes:
    """How long Milvus took to build an index over all rows, and to load it, in seconds."""

    build_s: float
    load_s: float


class Trial(ABC):
    """A scratch collection of one comparison; leaving its ``with`` block removes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.drop()

    @abstractmethod
    def insert(self, rows: Rows, embeddings: Vectors, facets: Sequence[MediaEntity]) -> None:
        """Add vectors under row numbers (n,), each given once; ``facets`` has the n entities."""

    def settle(self) -> None:
        """Return when all rows are on disk, ready to be indexed."""
        return

    @abstractmethod
    def build(self, spec: IndexSpec) -> BuildTimes:
        """Build an index over the settled rows in place of the one before, and load it.

        Raises IndexNotOffered and IndexParameterError before Milvus is asked, TrialTimeout at the
        time limit, StoreError where Milvus fails; the rows are then without an index, and another
        can be built.
        """

    @abstractmethod
    def search(
        self, queries: Vectors, *, k: int, params: dict[str, int], expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the rows found (q, k), filled up with -1, and Milvus's distances, with NaN.

        ``params`` are Milvus's search parameters; ``expression`` is a filter in Milvus's words.
        """

    @abstractmethod
    def search_exact(
        self, queries: Vectors, *, k: int, expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the same of what passes the filter, fetched and compared in NumPy."""

    def index_bytes(self) -> int | None:
        """Return the size of the index on disk as measured; None where Milvus does not show it."""
        return None

    def memory_bytes(self) -> int | None:
        """Return the memory the loaded index takes as measured; None where it is not shown."""
        return None

    @abstractmethod
    def drop(self) -> None:
        """Remove the trial with all it holds; again does nothing."""


def facet_row(
    row: int, bucket: int, entity: MediaEntity, facets: Sequence[str] = FACETS
) -> dict[str, Any]:
    """Return what a trial's row holds beside its vector: its number, and these of FACETS."""
    found: dict[str, Any] = {"row": row}
    for name in facets:
        value: Any = bucket if name == "bucket" else getattr(entity, name)
        found[name] = list(value) if name == "tags" else value
    return found


def bucket_of(rows: Rows) -> Rows:
    """Return the bucket (n,) of each row number: 0 to 9,999, spread evenly and by chance.

    ``bucket < b`` passes b / 10,000 of the rows. Of every ten rows that follow each other one, by
    chance, is in the lowest tenth of the buckets, of every hundred one in the lowest hundredth, and
    so on: the shares 50, 10, 1 and 0.1 % are exact to one row however many rows there are.
    """
    numbers = np.asarray(rows, dtype=np.int64)
    bucket = np.zeros_like(numbers)
    for _ in range(4):
        # Each ten numbers get the ten digits, turned by a chance that the next ten do not share.
        tens, ones = np.divmod(numbers, 10)
        digit = (ones + _chance(tens, bucket)) % 10
        bucket = bucket * 10 + digit
        numbers = tens
    return bucket


def _chance(number: Rows, salt: Rows) -> Rows:
    """Return a number from 0 to 9 for each: SplitMix64's finaliser (Steele and others, 2014)."""
    mixed = number.astype(np.uint64) * np.uint64(10_000) + salt.astype(np.uint64)
    mixed += np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(10)).astype(np.int64)
