"""How a library's collection looks in Milvus: its fields, its index, its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymilvus import DataType, MilvusClient

from search_core.encoders.base import Embeddings
from search_core.indexes import IndexSpec
from search_core.schema.entity import (
    CAMERA_MAX_LENGTH,
    CAPTION_MAX_LENGTH,
    EMBEDDING_FIELD,
    ID_MAX_LENGTH,
    SCALAR_FIELDS,
    TAG_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
    URI_MAX_LENGTH,
    MediaEntity,
)

INDEX_NAME = "embedding"
VARCHAR_LENGTHS = {
    "id": ID_MAX_LENGTH,
    "source_id": ID_MAX_LENGTH,
    "media_type": 16,
    "uri": URI_MAX_LENGTH,
    "camera": CAMERA_MAX_LENGTH,
    "captured_from": 16,
    "thumbnail": 512,
    "caption": CAPTION_MAX_LENGTH,
}
_INT64_FIELDS = (
    *("captured_at", "pts_ms", "duration_ms", "width", "height", "ingested_at"),
    "span_ms",  # collections from before it was stored lack it
)


def collection_schema(client: MilvusClient, dim: int) -> Any:
    """Return the schema of a collection of ``dim``-dimensional embeddings."""
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=VARCHAR_LENGTHS["id"], is_primary=True)
    add_scalars(schema, list(VARCHAR_LENGTHS)[1:])
    schema.add_field(EMBEDDING_FIELD, DataType.FLOAT_VECTOR, dim=dim)
    add_scalars(schema, (*_INT64_FIELDS, "tags"))
    return schema


def add_scalars(schema: Any, names: Iterable[str]) -> None:
    """Add scalar fields of these names: text, tags, or whole numbers."""
    for name in names:
        if name in VARCHAR_LENGTHS:
            schema.add_field(name, DataType.VARCHAR, max_length=VARCHAR_LENGTHS[name])
        elif name != "tags":
            schema.add_field(name, DataType.INT64)
        else:
            schema.add_field(
                name,
                DataType.ARRAY,
                element_type=DataType.VARCHAR,
                max_capacity=TAGS_MAX_CAPACITY,
                max_length=TAG_MAX_LENGTH,
            )


def index_params(client: MilvusClient, index: IndexSpec, metric: str, *, embedded: bool) -> Any:
    """Return what Milvus builds a vector index from, for vectors compared by ``metric``."""
    build = index.build_params()
    # A server reads the parameters one by one; Milvus Lite only as a JSON object.
    nested = {"params": build} if build and embedded else {}
    wanted = client.prepare_index_params()
    wanted.add_index(
        field_name=EMBEDDING_FIELD,
        index_name=INDEX_NAME,
        index_type=index.index_type,
        metric_type=index.metric_for(metric),
        params={**build, **nested},
    )
    return wanted


def scalar_fields(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of SCALAR_FIELDS a collection has, as Milvus describes it."""
    there = {str(field["name"]) for field in described["fields"]}
    return tuple(name for name in SCALAR_FIELDS if name in there)


def to_rows(
    pairs: Iterable[tuple[MediaEntity, Embeddings]], fields: Iterable[str]
) -> list[dict[str, Any]]:
    """Return entities and their embeddings (dim,) as a collection with these fields takes them."""
    names = list(fields)
    return [
        {name: getattr(entity, name) for name in names}
        | {"tags": list(entity.tags), EMBEDDING_FIELD: vector}
        for entity, vector in pairs
    ]


def last_of_each(
    entities: Sequence[MediaEntity], embeddings: Embeddings
) -> tuple[list[MediaEntity], Embeddings]:
    """Return entities and their embeddings (n, dim), of those with the same id the last.

    Raises ValueError where there are not as many of the one as of the other.
    """
    if len(entities) != len(embeddings):
        raise ValueError(f"{len(entities)} entities came with {len(embeddings)} embeddings.")
    rows = list({entity.id: row for row, entity in enumerate(entities)}.values())
    return [entities[row] for row in rows], embeddings[rows]


def whole_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a collection, which may be an old one, as one of today's takes it."""
    return {"span_ms": 0, **row}
