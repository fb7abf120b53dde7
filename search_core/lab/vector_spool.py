"""The vectors of a comparison, kept on disk: a million of them must not fill the memory."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings
from search_core.schema.entity import MediaEntity, MediaType
from search_core.store.library import Store

BLOCK_ROWS = 16_384


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
        self._facets = tempfile.TemporaryFile()  # noqa: SIM115
        self._pages: list[tuple[int, int, int]] = []  # first row, offset, bytes

    def __enter__(self) -> VectorSpool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vectors.close()
        self._facets.close()

    def append(self, facets: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Add rows: entities and their embeddings (n, dim)."""
        if not len(facets):
            return
        self._vectors.write(np.ascontiguousarray(embeddings, dtype=np.float32).tobytes())
        text = json.dumps([_facets_of(entity) for entity in facets]).encode()
        self._pages.append((self.rows, self._facets.tell(), len(text)))
        self._facets.write(text)
        self.rows += len(facets)

    def read(self, start: int, stop: int) -> Embeddings:
        """Return the embeddings (stop - start, dim) of consecutive rows."""
        self._vectors.flush()
        row_bytes = 4 * self.dim
        data = bytearray()
        while len(data) < (stop - start) * row_bytes:  # one read returns 2 GiB at most
            part = os.pread(
                self._vectors.fileno(),
                (stop - start) * row_bytes - len(data),
                start * row_bytes + len(data),
            )
            if not part:
                raise IndexError(f"rows {start} to {stop} of {self.rows}")
            data += part
        return np.frombuffer(data, dtype=np.float32).reshape(stop - start, self.dim)

    def take(self, rows: NDArray[np.int64]) -> Embeddings:
        """Return the embeddings (n, dim) of the rows (n,), in their order."""
        found = [self.read(row, row + 1)[0] for row in rows.tolist()]
        return np.array(found, dtype=np.float32).reshape(len(found), self.dim)

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[tuple[int, Embeddings]]:
        """Yield the first row's number and the embeddings (n, dim), block by block."""
        for start in range(0, self.rows, size):
            yield start, self.read(start, min(start + size, self.rows))

    def pages(self) -> Iterator[FacetPage]:
        """Yield all rows as they were added, with what filters ask about them."""
        self._facets.flush()
        for first, offset, length in self._pages:
            text = os.pread(self._facets.fileno(), length, offset)
            facets = [_entity_of(*record) for record in json.loads(text)]
            last = first + len(facets)
            yield FacetPage(np.arange(first, last), self.read(first, last), facets)


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


def _facets_of(entity: MediaEntity) -> tuple[str, str, str, str, int, tuple[str, ...]]:
    return (
        entity.id,
        entity.source_id,
        entity.media_type,
        entity.camera,
        entity.captured_at,
        entity.tags,
    )


def _entity_of(
    entity_id: str, source: str, media: str, camera: str, captured_at: int, tags: list[str]
) -> MediaEntity:
    kind: MediaType = "image" if media == "image" else "frame"
    return MediaEntity(
        entity_id, source, kind, "", camera, captured_at, "file", 0, 0, 0, 0, "", 0, "", tuple(tags)
    )
