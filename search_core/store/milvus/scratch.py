"""MilvusTrial: a trial's vectors in a scratch collection of Milvus's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.endpoint import Endpoint
from search_core.entities import (
    CAMERA_MAX_LENGTH,
    EMBEDDING_FIELD,
    ID_MAX_LENGTH,
    TAG_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
    MediaEntity,
)
from search_core.errors import IndexNotOffered, SightlineError, StoreError, TrialTimeout
from search_core.exact import NearestSoFar
from search_core.index_specs import IndexSpec, VectorKind
from search_core.servers import ServerInfo
from search_core.store.milvus.connection import write_lock
from search_core.store.milvus.errors import milvus_errors
from search_core.store.milvus.index_build import build_index, flush, seconds_left
from search_core.store.milvus.properties import owned
from search_core.store.milvus.queries import few_or_pages, page_rows
from search_core.trials import TRIAL_PREFIX, BuildTimes, Rows, Vectors, bucket_of, facet_row

_EVERY_ROW = "row >= 0"
#: Undoing a build that ran into the time limit may itself not be answered.
_CLEAN_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What a trial's vectors are: ``dim`` floats, or bits, and the metric they are compared by."""

    dim: int
    metric: str
    kind: VectorKind


class MilvusTrial:
    """One scratch collection; see the protocol Trial.

    Nobody else writes to it, so that the embedded Milvus's writers wait only while it is made and
    removed.
    """

    def __init__(
        self,
        client: MilvusClient,
        endpoint: Endpoint,
        server: ServerInfo,
        space: VectorSpace,
        timeout_s: float,
    ) -> None:
        if space.kind == "binary" and server.embedded:
            raise IndexNotOffered(
                f"{server} has no binary vectors.",
                "A Milvus server has; SIGHTLINE_MILVUS_URI names one.",
            )
        self._client = client
        self._endpoint = endpoint
        self._server = server
        self._space = space
        self._timeout_s = timeout_s
        self._built = False
        self._name = f"{TRIAL_PREFIX}{token_hex(8)}"
        try:
            # A signal interrupts the wait, not the request: the executor's exit waits for its end,
            # since a collection that is dropped before it is created would stay.
            with (
                milvus_errors("opening a trial"),
                write_lock(endpoint),
                ThreadPoolExecutor(1) as creating,
            ):
                # An executor does not wait for a thread whose start was interrupted.
                creating.submit(str).result()
                creating.submit(
                    client.create_collection,
                    self._name,
                    schema=_schema(client, space),
                    consistency_level="Session",
                    properties=owned(),
                ).result()
        except BaseException:  # it may have been created
            with suppress(SightlineError):
                self.drop()
            raise

    def __enter__(self) -> Self:
        """Return the trial."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it."""
        # What cannot be removed now is a leftover; the error that ended the trial tells more.
        with suppress(SightlineError) if error else nullcontext():
            self.drop()

    def insert(self, rows: Rows, embeddings: Vectors, facets: Sequence[MediaEntity]) -> None:
        """Add vectors under row numbers (n,), each given once; ``facets`` has the n entities."""
        buckets = bucket_of(rows).tolist()
        vectors: Any = embeddings
        if self._space.kind == "binary":
            vectors = [row.tobytes() for row in np.ascontiguousarray(embeddings)]
        step = page_rows(self._space.dim)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            numbers = rows[part].tolist()
            # Arrays as they are: as lists of floats pymilvus takes half as long again.
            data = [
                {**facet_row(row, bucket, entity), EMBEDDING_FIELD: vector}
                for row, bucket, entity, vector in zip(
                    numbers, buckets[part], facets[part], vectors[part], strict=True
                )
            ]
            with milvus_errors("storing a trial's vectors"):
                self._client.insert(self._name, data)

    def settle(self) -> None:
        """Return when all rows are on disk, ready to be indexed."""
        with milvus_errors("flushing a trial"):
            flush(self._client, self._name, self._timeout_s)

    def build(self, spec: IndexSpec) -> BuildTimes:
        """Build an index over the settled rows in place of the one before, and load it."""
        spec.require_offered(self._server)
        spec.require_dim(self._space.dim)
        spec.metric_for(self._space.metric)
        deadline = time.monotonic() + self._timeout_s
        self._built = False
        with self._undone_at_failure(spec, deadline):
            self._remove_index(self._timeout_s)
            started = time.perf_counter()
            build_index(
                self._client,
                self._name,
                spec,
                self._space.metric,
                embedded=self._endpoint.embedded,
                deadline=deadline,
            )
            if self._endpoint.embedded:  # loading is when it builds; the next time it only loads
                self._client.load_collection(self._name, timeout=seconds_left(deadline))
                self._client.release_collection(self._name, timeout=seconds_left(deadline))
            built = time.perf_counter()
            self._client.load_collection(self._name, timeout=seconds_left(deadline))
            loaded = time.perf_counter()
        self._built = True
        return BuildTimes(built - started, loaded - built)

    def search(
        self, queries: Vectors, *, k: int, params: dict[str, int], expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the rows found (q, k), filled up with -1, and Milvus's distances, with NaN."""
        if not self._built:  # Milvus Lite would search without
            raise StoreError("The trial has no index.", "Build one first.")
        data: list[Any] = list(np.atleast_2d(queries))
        if self._space.kind == "binary":
            data = [query.tobytes() for query in data]
        with milvus_errors("searching a trial"):
            found = self._client.search(
                self._name,
                data=data,
                anns_field=EMBEDDING_FIELD,
                limit=k,
                filter=expression,
                output_fields=["row"],  # Milvus Lite gives all of them where none is named
                search_params={"params": params},
                timeout=self._timeout_s,
            )
        rows = np.full((len(data), k), -1, dtype=np.int64)
        distances = np.full((len(data), k), np.nan, dtype=np.float32)
        for query, hits in enumerate(found):
            rows[query, : len(hits)] = hits.ids
            distances[query, : len(hits)] = hits.distances
        return rows, distances

    def search_exact(
        self, queries: Vectors, *, k: int, expression: str = ""
    ) -> tuple[Rows, NDArray[np.float32]]:
        """Return the same of what passes the filter, fetched and compared in NumPy."""
        nearest = NearestSoFar(np.atleast_2d(queries), k, self._space.metric)
        with milvus_errors("reading a trial"):
            for page in few_or_pages(
                self._client,
                self._name,
                expression or _EVERY_ROW,
                ["row", EMBEDDING_FIELD],
                self._space.dim,
            ):
                numbers = np.array([row["row"] for row in page], dtype=np.int64)
                nearest.add(numbers, np.stack([self._vector(row) for row in page]))
        return nearest.rows, nearest.distances

    def index_bytes(self) -> int | None:
        """Return the size of the index's files where they are in a folder of this process.

        A server shows no sizes: GetQuerySegmentInfo's mem_size and the metrics of 2.3 have none.
        """
        folder = Path(self._endpoint.uri) / "collections" / self._name
        if "://" in self._endpoint.uri or not folder.is_dir():
            return None
        return sum(file.stat().st_size for file in folder.rglob("indexes/*") if file.is_file())

    def memory_bytes(self) -> int | None:
        """Return None: neither a server nor Milvus Lite says what one index takes."""
        return None

    def drop(self) -> None:
        """Remove the trial with all it holds; again does nothing."""
        timeout_s = max(_CLEAN_UP_S, self._timeout_s)
        with milvus_errors("removing a trial"), write_lock(self._endpoint):
            try:
                self._client.drop_collection(self._name, timeout=timeout_s)
            except MilvusException:
                if not self._endpoint.embedded:
                    raise
                # Milvus Lite fails where files are still being flushed; once more succeeds.
                self._client.drop_collection(self._name, timeout=timeout_s)

    @contextmanager
    def _undone_at_failure(self, spec: IndexSpec, deadline: float) -> Iterator[None]:
        """Remove what a failed build left; a call that the time limit ended is a TrialTimeout."""
        try:
            with milvus_errors(f"building {spec.index_type}"):
                yield
        except BaseException as error:
            # What stays nevertheless goes with the trial.
            with suppress(SightlineError), milvus_errors("undoing a build"):
                self._remove_index(_CLEAN_UP_S)
            if isinstance(error, Exception) and time.monotonic() >= deadline:
                raise TrialTimeout(
                    f"{spec.index_type} was not built and loaded within {self._timeout_s:g} s.",
                    "Allow more time, or leave this index type out.",
                ) from error
            raise

    def _remove_index(self, timeout_s: float) -> None:
        self._client.release_collection(self._name, timeout=timeout_s)
        for name in self._client.list_indexes(self._name):
            self._client.drop_index(self._name, name, timeout=timeout_s)

    def _vector(self, row: dict[str, Any]) -> NDArray[Any]:
        vector = row[EMBEDDING_FIELD]
        if self._space.kind == "float":
            return np.asarray(vector, dtype=np.float32)
        return np.frombuffer(b"".join(vector), dtype=np.uint8)


def _schema(client: MilvusClient, space: VectorSpace) -> Any:
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("row", DataType.INT64, is_primary=True)
    vector = DataType.BINARY_VECTOR if space.kind == "binary" else DataType.FLOAT_VECTOR
    schema.add_field(EMBEDDING_FIELD, vector, dim=space.dim)
    schema.add_field("bucket", DataType.INT64)
    schema.add_field("captured_at", DataType.INT64)
    schema.add_field("camera", DataType.VARCHAR, max_length=CAMERA_MAX_LENGTH)
    schema.add_field("media_type", DataType.VARCHAR, max_length=16)
    schema.add_field("source_id", DataType.VARCHAR, max_length=ID_MAX_LENGTH)
    schema.add_field(
        "tags",
        DataType.ARRAY,
        element_type=DataType.VARCHAR,
        max_capacity=TAGS_MAX_CAPACITY,
        max_length=TAG_MAX_LENGTH,
    )
    return schema
