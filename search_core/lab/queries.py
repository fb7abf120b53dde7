"""The vectors of a comparison: those that are indexed, and those that are asked.

The former are kept on disk: a million of them must not fill the memory. The queries are as like
those people ask as can be had. Sentences lie elsewhere in the space of the embeddings than stored
pictures do, so that an index finds their neighbours less easily: the two are measured apart.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_core.encoders.base import Embeddings, l2_normalised
from search_core.lab.records import QueryKind
from search_core.messages import Message
from search_core.schema.entity import BOX_FIELD, SCALAR_FIELDS, MediaEntity
from search_core.search.query_log import RecordedQuery
from search_core.store.library import EVERY_ROW, Store

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
    total = min(limit + held_out, store.count(library, EVERY_ROW))
    apart = np.zeros(total, dtype=bool)
    apart[rng.choice(total, min(held_out, total), replace=False)] = True
    kept: list[Embeddings] = []
    done = 0
    for page in store.vectors(library, where=EVERY_ROW, limit=total, seed=seed):
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
    arrays = {name: tuple(record[name]) for name in ("tags", BOX_FIELD)}
    return MediaEntity(**{**record, **arrays})


Encode = Callable[[Sequence[str]], Embeddings]
#: Fewer recorded searches than this say too little of what is asked for.
FEW_RECORDED = 20
#: A vector held out is one the index does not hold: no more than this share of a library.
HELD_OUT_SHARE = 0.1
_NOISE = 0.3

_SUBJECTS = (
    "a person", "a man in a dark jacket", "a woman with a red bag", "two people", "a child",
    "a person in a yellow vest", "someone with an umbrella", "a cyclist", "a dog", "a white van",
    "a red car", "a black car", "a blue truck", "a bus", "a motorcycle", "a delivery van",
)  # fmt: skip
_DOINGS = (
    "", "waiting", "standing still", "moving away", "passing by", "close to the camera",
)  # fmt: skip
_PLACES = (
    "at the gate", "in the car park", "on the pavement", "at a crossing", "at the loading dock",
    "in front of a shop", "in a corridor", "at the entrance",
)  # fmt: skip
_TIMES = ("", "at night", "in the rain", "in bright sunlight", "at dusk", "in the snow")


@dataclass(frozen=True, slots=True)
class QuerySet:
    """Queries of one kind: their embeddings (q, dim), of length 1, and what they are in words."""

    kind: QueryKind
    embeddings: Embeddings
    label: str


def sentences(count: int, seed: int = 0) -> list[str]:
    """Return ``count`` different sentences such as ``a red car waiting at the gate at night``."""
    parts = list(product(_SUBJECTS, _DOINGS, _PLACES, _TIMES))
    chosen = np.random.default_rng(seed).permutation(len(parts))[:count]
    return [" ".join(word for word in parts[at] if word) for at in chosen]


def text_queries(
    count: int, encode: Encode | None, recorded: Sequence[RecordedQuery], seed: int = 0
) -> QuerySet | None:
    """Return recorded sentences where there are enough, else made ones; None without an encoder.

    Raises EncoderError where the encoder fails.
    """
    if (found := _recorded("text", count, recorded)) is not None:
        return QuerySet(
            "recorded_text", found, Message("{count:,} recorded sentences", count=len(found))
        )
    if encode is None:
        return None
    made = encode(sentences(count, seed))
    return QuerySet(
        "text",
        l2_normalised(made),
        Message("{count:,} sentences about such footage", count=len(made)),
    )


def how_many_held_out(count: int, rows: int) -> int:
    """Return how many of a library's vectors to hold out as queries: none of a small library."""
    return count if count <= HELD_OUT_SHARE * rows else 0


def image_queries(
    count: int,
    held_out: Embeddings,
    spool: VectorSpool,
    recorded: Sequence[RecordedQuery] = (),
    seed: int = 0,
) -> QuerySet:
    """Return recorded pictures where there are enough, else the vectors held out (q, dim).

    With none held out they are stored vectors, disturbed so that none is its own answer.
    """
    if (found := _recorded("image", count, recorded)) is not None:
        return QuerySet(
            "recorded_image", found, Message("{count:,} recorded pictures", count=len(found))
        )
    if len(held_out):
        label = Message(
            "{count:,} pictures of the library, held out of the index", count=len(held_out)
        )
        return QuerySet("image", l2_normalised(held_out), label)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(spool.rows, min(count, spool.rows), replace=False)
    noise = l2_normalised(rng.normal(size=(len(chosen), spool.dim)))
    disturbed = l2_normalised(spool.vectors[chosen] + _NOISE * noise)
    return QuerySet(
        "image",
        disturbed,
        Message("{count:,} pictures of the library, disturbed", count=len(chosen)),
    )


def _recorded(kind: str, count: int, recorded: Sequence[RecordedQuery]) -> Embeddings | None:
    """Return up to ``count`` different recorded embeddings (q, dim); None where they are few."""
    different = {
        search.embedding.tobytes(): search.embedding for search in recorded if search.kind == kind
    }
    chosen = list(different.values())[:count]
    return l2_normalised(np.array(chosen)) if len(chosen) >= min(count, FEW_RECORDED) else None
