"""Reading a collection: page by page, by chance, by id, and compared vector by vector.

Memory stays flat: at most a page of rows is held. Vectors come as float32 arrays, not as lists of
Python's floats, which take ten times as long to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pymilvus import MilvusClient

from search_core.encoders.base import Embeddings
from search_core.indexes import MetricType, SearchParams
from search_core.schema.entity import BOX_FIELD, EMBEDDING_FIELD, SCALAR_FIELDS, MediaEntity
from search_core.schema.filters import quoted
from search_core.store.exact_search import NearestSoFar
from search_core.store.library import LibraryInfo, Match, VectorPage

EVERYTHING = 'id != ""'
PAGE_ROWS = 1000
#: What fits one answer however long the vectors are; Milvus sends 64 MiB at most by default.
_PAGE_BYTES = 8 << 20
_ID_ROWS = 5000
#: Up to here one request fetches what an exact search compares. A cursor takes several, and on
#: Milvus 2.3 a second before the first: pymilvus then asks for the state of a second later.
_FEW_BYTES = 32 << 20
_FEW_ROWS = 16_384


def pages(
    client: MilvusClient,
    collection: str,
    expression: str,
    fields: Sequence[str],
    *,
    rows: int = PAGE_ROWS,
    consistency: str | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows that pass the expression, some at a time, by ascending primary key."""
    level = {"consistency_level": consistency} if consistency else {}
    cursor = client.query_iterator(
        collection,
        batch_size=rows,
        filter=expression or EVERYTHING,
        output_fields=list(fields),
        strict_float32=True,
        **level,
    )
    try:
        while page := cursor.next():
            yield list(page)
    finally:
        cursor.close()


def page_rows(dim: int) -> int:
    """Return how many rows with vectors of ``dim`` dimensions to move at once."""
    return max(100, min(5000, _PAGE_BYTES // (4 * dim + 1500)))


def few_or_pages(
    client: MilvusClient, collection: str, expression: str, fields: Sequence[str], dim: int
) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows that pass the expression, in one page where they are few, as of a moment ago.

    ``dim`` is that of the vectors among the ``fields``.
    """
    limit = max(100, min(_FEW_ROWS, _FEW_BYTES // (4 * dim)))
    few = rows_where(client, collection, expression, fields, limit=limit, consistency="Session")
    if len(few) >= limit:
        yield from pages(client, collection, expression, fields, rows=page_rows(dim))
    elif few:
        yield few


def vector_pages(
    client: MilvusClient, info: LibraryInfo, expression: str, limit: int | None, seed: int
) -> Iterator[VectorPage]:
    """Yield the entities that pass with their embeddings; ``limit`` of them, by chance."""
    collection, fields = info.collection, [*info.fields, EMBEDDING_FIELD]
    count = 0 if limit is None else count_rows(client, collection, expression)
    if limit is None or limit >= count:
        for page in pages(client, collection, expression, fields):
            yield to_vector_page(page)
        return
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(seed).choice(count, limit, replace=False)] = True
    waiting: list[str] = []
    start = 0
    for page in pages(client, collection, expression, ["id"], rows=_ID_ROWS):
        # Rows written since they were counted are not in the draw.
        drawn = chosen[start : start + len(page)]
        waiting += [str(row["id"]) for row, keep in zip(page, drawn, strict=False) if keep]
        start += len(page)
        while len(waiting) >= PAGE_ROWS:
            yield from _fetched(client, collection, waiting[:PAGE_ROWS], fields)
            del waiting[:PAGE_ROWS]
    yield from _fetched(client, collection, waiting, fields)


def count_rows(
    client: MilvusClient, collection: str, expression: str, consistency: str = "Strong"
) -> int:
    """Return how many rows pass the expression."""
    [row] = client.query(
        collection,
        filter=expression,
        output_fields=["count(*)"],
        consistency_level=consistency,
    )
    return int(row["count(*)"])


def rows_where(
    client: MilvusClient,
    collection: str,
    expression: str,
    fields: Sequence[str],
    *,
    limit: int | None = None,
    offset: int = 0,
    consistency: str = "Strong",
) -> list[dict[str, Any]]:
    """Return rows that pass the expression, in no promised order."""
    part = {} if limit is None else {"limit": limit, "offset": offset}
    found = client.query(
        collection,
        filter=expression,
        output_fields=list(fields),
        consistency_level=consistency,
        strict_float32=True,
        **part,
    )
    return list(found)


def rows_of(
    client: MilvusClient,
    collection: str,
    ids: Sequence[str],
    fields: Sequence[str],
    *,
    consistency: str = "Strong",
) -> list[dict[str, Any]]:
    """Return the rows of these ids that are there, in no promised order."""
    if not ids:
        return []
    return rows_where(client, collection, ids_expression(ids), fields, consistency=consistency)


def ids_expression(ids: Sequence[str]) -> str:
    """Return the expression that rows of one of these ids pass."""
    return f"id in [{', '.join(quoted(key) for key in ids)}]"


def matches(
    client: MilvusClient,
    info: LibraryInfo,
    vectors: Embeddings,
    k: int,
    expression: str,
    params: SearchParams | None,
) -> list[list[Match]]:
    """Return the ``k`` nearest of the entities that pass, by the index, for each of (n, dim)."""
    found = client.search(
        info.collection,
        data=list(np.atleast_2d(vectors)),
        anns_field=EMBEDDING_FIELD,
        limit=k,
        filter=expression,
        output_fields=list(info.fields),
        search_params=info.search_options(params, k),
    )
    return [
        [Match(to_score(info.metric, hit["distance"]), to_entity(hit["entity"])) for hit in hits]
        for hits in found
    ]


def exact_matches(
    client: MilvusClient, info: LibraryInfo, vectors: Embeddings, k: int, expression: str
) -> list[list[Match]]:
    """Return the ``k`` nearest of the entities that pass, compared one by one, for each of them."""
    collection, metric = info.collection, info.metric
    nearest = NearestSoFar(np.atleast_2d(vectors), k, metric)
    keys: list[str] = []
    every = expression or EVERYTHING
    fields = ["id", EMBEDDING_FIELD]
    for page in few_or_pages(client, collection, every, fields, info.encoder.dim):
        numbers = np.arange(len(keys), len(keys) + len(page))
        nearest.add(numbers, np.stack([row[EMBEDDING_FIELD] for row in page]))
        keys.extend(str(row["id"]) for row in page)
    found = [keys[row] for row in np.unique(nearest.rows) if row >= 0]
    entities: dict[str, MediaEntity] = {}
    for start in range(0, len(found), PAGE_ROWS):
        part = found[start : start + PAGE_ROWS]
        rows = rows_of(client, collection, part, info.fields, consistency="Session")
        entities.update((entity.id, entity) for entity in to_entities(rows))
    return [
        [
            Match(to_score(metric, float(distance)), entities[keys[row]])
            for row, distance in zip(rows, distances, strict=True)
            if row >= 0 and keys[row] in entities  # it may have been deleted since
        ]
        for rows, distances in zip(nearest.rows, nearest.distances, strict=True)
    ]


def to_vector_page(rows: Sequence[dict[str, Any]]) -> VectorPage:
    """Return rows of scalar fields and the embedding as entities and an array (n, dim)."""
    vectors = np.stack([row[EMBEDDING_FIELD] for row in rows])
    return VectorPage(to_entities(rows), vectors)


def _fetched(
    client: MilvusClient, collection: str, ids: list[str], fields: list[str]
) -> Iterator[VectorPage]:
    # A cursor has just listed them: there is nothing to wait for.
    if rows := rows_of(client, collection, ids, fields, consistency="Session"):
        yield to_vector_page(rows)


def to_entity(row: Mapping[str, Any]) -> MediaEntity:
    """Return the entity Milvus gave as a row of SCALAR_FIELDS, or of those there are."""
    values = {name: row[name] for name in SCALAR_FIELDS if name in row}
    box = tuple(float(edge) for edge in row.get(BOX_FIELD) or ())
    return MediaEntity(**{**values, "tags": tuple(row["tags"] or ()), BOX_FIELD: box})


def to_entities(rows: Iterable[Mapping[str, Any]]) -> list[MediaEntity]:
    """Return the entities of rows, as :func:`to_entity` does."""
    return [to_entity(row) for row in rows]


def to_score(metric: MetricType, distance: float) -> float:
    """Return the cosine similarity: vectors have length 1, so squared L2 d means 1 - d / 2."""
    return 1.0 - distance / 2.0 if metric == "L2" else float(distance)
