"""How a library's collection looks in Milvus: its fields, its rows, and its index, which is built
with a time limit, and dropped; what is to be indexed is flushed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.encoders.base import Embeddings
from search_core.errors import StoreError, TrialTimeout
from search_core.indexes import IndexSpec
from search_core.messages import Message
from search_core.schema.entity import (
    BOX_FIELD,
    CAMERA_MAX_LENGTH,
    CAPTION_MAX_LENGTH,
    EMBEDDING_FIELD,
    FRAME_ID_FIELD,
    ID_MAX_LENGTH,
    KIND_FIELD,
    MINUTE_FIELD,
    STORED_FIELDS,
    TAG_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
    URI_MAX_LENGTH,
    MediaEntity,
    minute_of_day,
)
from search_core.schema.lettering import (
    LETTERING_FIELD,
    LETTERING_MAX_LENGTH,
    LETTERING_TEXT_FIELD,
    searched_text,
)
from search_core.store.milvus.errors import Meaning, meaning_of

INDEX_NAME = "embedding"
BOX_CAPACITY = 4
VARCHAR_LENGTHS = {
    "id": ID_MAX_LENGTH,
    "source_id": ID_MAX_LENGTH,
    "media_type": 16,
    "uri": URI_MAX_LENGTH,
    "camera": CAMERA_MAX_LENGTH,
    "captured_from": 16,
    "thumbnail": 512,
    "caption": CAPTION_MAX_LENGTH,
    LETTERING_FIELD: LETTERING_MAX_LENGTH,  # collections from before these were stored lack them
    LETTERING_TEXT_FIELD: LETTERING_MAX_LENGTH,
    # Collections from before regions were stored lack these, and the box.
    FRAME_ID_FIELD: ID_MAX_LENGTH,
    KIND_FIELD: 16,
}
_INT64_FIELDS = (
    *("captured_at", "pts_ms", "duration_ms", "width", "height", "ingested_at"),
    *("span_ms", MINUTE_FIELD),  # collections from before these were stored lack them
)
_ARRAY_FIELDS = ("tags", BOX_FIELD)


def collection_schema(client: MilvusClient, dim: int) -> Any:
    """Return the schema of a collection of ``dim``-dimensional embeddings."""
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=VARCHAR_LENGTHS["id"], is_primary=True)
    add_scalars(schema, list(VARCHAR_LENGTHS)[1:])
    schema.add_field(EMBEDDING_FIELD, DataType.FLOAT_VECTOR, dim=dim)
    add_scalars(schema, (*_INT64_FIELDS, *_ARRAY_FIELDS))
    return schema


def add_scalars(schema: Any, names: Iterable[str]) -> None:
    """Add scalar fields of these names: text, tags, a box, or whole numbers."""
    for name in names:
        if name in VARCHAR_LENGTHS:
            schema.add_field(name, DataType.VARCHAR, max_length=VARCHAR_LENGTHS[name])
        elif name == BOX_FIELD:
            schema.add_field(
                name, DataType.ARRAY, element_type=DataType.DOUBLE, max_capacity=BOX_CAPACITY
            )
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
    """Return which of STORED_FIELDS a collection has, as Milvus describes it."""
    there = {str(field["name"]) for field in described["fields"]}
    return tuple(name for name in STORED_FIELDS if name in there)


def to_rows(
    pairs: Iterable[tuple[MediaEntity, Embeddings]], fields: Iterable[str]
) -> list[dict[str, Any]]:
    """Return entities and their embeddings (dim,) as a collection with these fields takes them."""
    names = list(fields)
    return [
        {name: _stored(getattr(entity, name)) for name in names} | {EMBEDDING_FIELD: vector}
        for entity, vector in pairs
    ]


def storable_rows(
    entities: Sequence[MediaEntity], embeddings: Embeddings, fields: Sequence[str]
) -> tuple[Sequence[MediaEntity], Embeddings]:
    """Return what a collection with these fields can tell apart: without them, no regions."""
    if KIND_FIELD in fields:
        return entities, embeddings
    rows = [row for row, entity in enumerate(entities) if not entity.is_region]
    return [entities[row] for row in rows], embeddings[rows]


def _stored(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


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
    lettering = row.get(LETTERING_FIELD, "")
    added = {"span_ms": 0, FRAME_ID_FIELD: "", KIND_FIELD: "frame", BOX_FIELD: []}
    made = {
        MINUTE_FIELD: minute_of_day(row["captured_at"]),
        LETTERING_FIELD: lettering,
        LETTERING_TEXT_FIELD: searched_text(lettering),
    }
    return {**added, **row, **made}


_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5
_LONGEST_FLUSH_PAUSE_S = 2.0
FLUSH_TIMEOUT_S = 600.0
#: One segment of a gigabyte takes half an hour as HNSW on two cores, and shows as no progress.
STALLED_S = 2 * 3600.0
#: How often an index is dropped that a search loads again meanwhile.
_DROPS = 5


def build_index(
    client: MilvusClient,
    collection: str,
    index: IndexSpec,
    metric: str,
    *,
    embedded: bool,
    deadline: float | None = None,
) -> None:
    """Build an index over the flushed rows of a collection that has none.

    ``deadline`` is a moment of time.monotonic(); past it TrialTimeout is raised, and Milvus may go
    on building. Milvus Lite builds when the collection is loaded. Raises StoreError where Milvus
    says that it failed, or has not indexed one row more for STALLED_S.
    """
    wanted = index_params(client, index, metric, embedded=embedded)
    # pymilvus's own waiting has no end: it ignores a time limit that is not a whole number.
    client.create_index(collection, wanted, sync=False, timeout=seconds_left(deadline))
    if not embedded:
        wait_for_index(client, collection, index, deadline=deadline)


def wait_for_index(
    client: MilvusClient,
    collection: str,
    index: IndexSpec,
    *,
    deadline: float | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
    stalled_s: float = STALLED_S,
) -> None:
    """Return when a server has indexed all flushed rows of a collection; see build_index.

    Milvus tries most builds that fail again for ever, so that one which makes no progress for
    ``stalled_s`` seconds counts as failed.
    """
    pause_s = _FIRST_PAUSE_S
    most, moved_s = -1.0, time.monotonic()
    while True:
        state = client.describe_index(collection, INDEX_NAME, timeout=seconds_left(deadline))
        if state is None:
            raise StoreError(
                "The index {index_type} of the collection {collection} is gone: another "
                "command dropped it while it was built.",
                "Try again.",
                index_type=index.index_type,
                collection=collection,
            )
        if state["state"] == "Finished":
            return
        share = state.get("indexed_rows", 0) / max(1, state.get("total_rows", 0))
        if share > most:
            most, moved_s = share, time.monotonic()
        is_stalled = time.monotonic() - moved_s > stalled_s
        if state["state"] == "Failed" or is_stalled:
            raise _not_built(client, collection, index, stalled_s if is_stalled else 0.0)
        on_progress(share)
        time.sleep(min(pause_s, seconds_left(deadline) or pause_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def flush(client: MilvusClient, collection: str, timeout_s: float) -> None:
    """Have Milvus seal and store a collection's rows; wait where it limits how often.

    By default a server flushes a collection once in ten seconds (since 2.3.9 and 2.4), whoever
    asks. Raises what it answers when it still refuses after ``timeout_s`` seconds.
    """
    until_s = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            client.flush(collection, timeout=FLUSH_TIMEOUT_S, retry_on_rate_limit=False)
            return
        except MilvusException as error:
            if meaning_of(error) is not Meaning.RATE_LIMITED or time.monotonic() >= until_s:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_FLUSH_PAUSE_S)


def _not_built(
    client: MilvusClient, collection: str, index: IndexSpec, stalled_s: float
) -> StoreError:
    """Return the error of a build that failed, with the reason where Milvus tells it.

    MilvusClient.describe_index leaves the reason out of what the server answers (3.0.2).
    """
    handler: Any = client._get_connection()
    context = client._generate_call_context()
    _, reason = handler.get_index_state(collection, INDEX_NAME, timeout=60, context=context)
    what = Message("Milvus could not build {index}", index=index.index_type)
    if stalled_s:
        what = Message(
            "Milvus has made no progress building {index} for {seconds:.0f} s",
            index=index.index_type,
            seconds=stalled_s,
        )
    why = reason.strip().rstrip(";.")
    return StoreError(
        "{what}: {reason}." if why else "{what}; it does not say why.",
        "The log of its data node (before 2.6, its index node) says more. Another index type may "
        "work: `sightline index advise`.",
        what=what,
        reason=why,
    )


def remove_index(client: MilvusClient, collection: str) -> None:
    """Remove the index of a collection, where it has one."""
    # A search that has found it loaded a moment ago may load it once more.
    for attempt in range(_DROPS):
        client.release_collection(collection)
        try:
            for name in client.list_indexes(collection):
                client.drop_index(collection, name)
        except MilvusException:
            if attempt + 1 == _DROPS:
                raise
        else:
            return


def seconds_left(deadline: float | None) -> float | None:
    """Return how long it is until a moment of time.monotonic(); raises TrialTimeout past it."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TrialTimeout(
            "Milvus did not build the index within the time limit.",
            "Allow more time, or leave this index type out.",
        )
    return left
