"""The vectors of a comparison, kept on disk: a million of them must not fill the memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings
from search_core.schema.entity import SCALAR_FIELDS, MediaEntity
from search_core.store.library import Store

BLOCK_ROWS = 16_384
_values = attrgetter(*SCALAR_FIELDS)


@dataclass(frozen=True, slots=True)
class FacetPage:
    """Consecutive rows: their numbers (n,), embeddings (n, dim) and what filters ask about."""

    rows: NDArray[np.int64]
    embeddings: Embeddings
    facets: list[MediaEntity]


class VectorSpool:
    """Vectors and what filters ask about them, numbered from 0, in files without a name.

    The files go with the process, however it ends. Use it in a ``with`` block.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.rows = 0
        self._vectors = tempfile.TemporaryFile()  # noqa: SIM115
        self._facets = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> VectorSpool:
        return self

    def __exit__(self, *raised: object) -> None:
        self._vectors.close()
        self._facets.close()

    def append(self, facets: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Add rows: entities and their embeddings (n, dim)."""
        if not len(facets):
            return
        self._vectors.write(np.ascontiguousarray(embeddings, dtype=np.float32).data)
        self._facets.write(json.dumps([_values(entity) for entity in facets]) + "\n")
        self.rows += len(facets)

    @property
    def vectors(self) -> Embeddings:
        """All embeddings (rows, dim) there are now; what is looked at is read from disk."""
        if not self.rows:
            return np.empty((0, self.dim), dtype=np.float32)
        self._vectors.flush()
        shape = (self.rows, self.dim)
        return np.asarray(np.memmap(self._vectors, dtype=np.float32, mode="r", shape=shape))

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[tuple[int, Embeddings]]:
        """Yield the first row's number and the embeddings (n, dim), block by block."""
        vectors = self.vectors
        for start in range(0, self.rows, size):
            yield start, vectors[start : start + size]

    def pages(self) -> Iterator[FacetPage]:
        """Yield all rows as they were added, with what filters ask about them."""
        vectors, first = self.vectors, 0
        self._facets.seek(0)
        while line := self._facets.readline():
            facets = [_entity_of(values) for values in json.loads(line)]
            last = first + len(facets)
            yield FacetPage(np.arange(first, last), vectors[first:last], facets)
            first = last


def spool_library(
    store: Store,
    library: str,
    spool: VectorSpool,
    *,
    limit: int,
    held_out: int,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Embeddings:
    """Copy a random ``limit`` of a library's vectors into the spool; return others, held out.

    ``held_out`` random vectors (held_out, dim) do not get into the spool: they are queries that no
    stored vector equals by design. ``on_progress`` hears how many of how many were read.
    """
    rng = np.random.default_rng(seed)
    total = min(limit + held_out, store.count(library))
    apart = np.zeros(total, dtype=bool)
    apart[rng.choice(total, min(held_out, total), replace=False)] = True
    kept: list[Embeddings] = []
    done = 0
    for page in store.vectors(library, limit=total, seed=seed):
        out = apart[done : done + len(page.entities)]
        # Rows written since they were counted are nobody's to hold out.
        out = np.pad(out, (0, len(page.entities) - len(out)))
        kept.append(page.embeddings[out])
        facets = [entity for entity, gone in zip(page.entities, out, strict=True) if not gone]
        spool.append(facets, page.embeddings[~out])
        done += len(page.entities)
        on_progress(min(done, total), total)
    return np.concatenate([np.empty((0, spool.dim), np.float32), *kept])


def _entity_of(values: Sequence[Any]) -> MediaEntity:
    record = dict(zip(SCALAR_FIELDS, values, strict=True))
    return MediaEntity(**{**record, "tags": tuple(record["tags"])})
