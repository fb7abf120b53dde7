"""MilvusTrial: a trial's vectors in a scratch collection of Milvus's."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.errors import IndexNotOffered, SightlineError, StoreError, TrialTimeout
from search_core.indexes import IndexSpec, VectorKind
from search_core.indexes.milvus_version import ServerInfo
from search_core.messages import Message
from search_core.schema.entity import EMBEDDING_FIELD, MediaEntity
from search_core.store.endpoint import write_lock
from search_core.store.exact_search import NearestSoFar
from search_core.store.lite.inspection import is_leftover
from search_core.store.lite.layout import ALIASES, SCHEMA, Unreadable, collections, read_aliases
from search_core.store.milvus.errors import milvus_errors
from search_core.store.milvus.properties import owned
from search_core.store.milvus.queries import few_or_pages, page_rows
from search_core.store.milvus.schema import add_scalars, build_index, flush, seconds_left
from search_core.store.milvus.session import MilvusSession
from search_core.store.scratch import (
    FACETS,
    TRIAL_PREFIX,
    BuildTimes,
    Rows,
    Trial,
    Vectors,
    bucket_of,
    facet_row,
)

#: Names of trials and of libraries' collections.
_OURS = re.compile(rf"{TRIAL_PREFIX}[0-9a-f]+|\w+_\d{{14}}_[0-9a-f]+")


def has_leftovers(session: MilvusSession) -> bool:
    """Whether there is a collection that :func:`remove_leftovers` would remove; waits for nobody.

    Two calls where all is in order: then there are as many collections of ours as aliases.
    """
    catalog = session.catalog
    ours = [name for name in map(str, session.client.list_collections()) if _OURS.fullmatch(name)]
    has_trials = any(name.startswith(TRIAL_PREFIX) for name in ours)
    if len(ours) <= len(catalog.names()) and not has_trials:
        return False
    serving = {info.collection for info in catalog.all()}
    return any(name not in serving and catalog.is_abandoned(name) for name in ours)


def remove_leftovers(session: MilvusSession) -> list[str]:
    """Remove collections without an alias whose owner has ended, and return their names.

    Collections that nobody owned, and those of processes that live, stay; so do those of another
    host for a day. A second alias that a renaming left goes too. A library's note of a rebuild that
    has ended goes first, so that writers never write to what is gone.
    """
    catalog = session.catalog
    with write_lock(session.endpoint):
        catalog.remove_stray_aliases()
        serving = set()
        for name in catalog.names():
            info = catalog.find(name)
            if info is None:
                continue
            serving.add(info.collection)
            if info.successor and not catalog.is_worked_on(info.successor):
                catalog.set_successor(info.collection, "")
            if info.heir and not catalog.is_worked_on(info.heir):
                catalog.set_heir(info.collection, "")
        removed = []
        for collection in map(str, session.client.list_collections()):
            ours = _OURS.fullmatch(collection)  # others' may be nothing to look at
            if ours and collection not in serving and catalog.is_abandoned(collection):
                catalog.drop(collection)
                removed.append(collection)
        if "://" not in session.endpoint.uri:
            remove_unlisted(Path(session.endpoint.uri))
    return removed


def remove_unlisted(lite_dir: Path) -> None:
    """Remove what a kill left of collections that Milvus Lite was about to make or to remove.

    Such a folder has neither a schema nor an alias; one that has an alias is damaged, and stays.
    Nobody else may be using ``lite_dir``.
    """
    try:
        kept = set(read_aliases(lite_dir).values())
    except Unreadable:
        return
    are_known = (lite_dir / ALIASES).exists()
    for folder in collections(lite_dir):
        if folder.name in kept or (folder / SCHEMA).exists():
            continue
        if is_leftover(folder, are_known):
            shutil.rmtree(folder)


_EVERY_ROW = "row >= 0"
#: Undoing a build that ran into the time limit may itself not be answered.
_CLEAN_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What a trial's vectors are: ``dim`` floats, or bits, and the metric they are compared by.

    ``facets`` are what its rows hold beside them.
    """

    dim: int
    metric: str
    kind: VectorKind
    facets: Sequence[str] = FACETS


class MilvusTrial(Trial):
    """One scratch collection; see Trial.

    Nobody else writes to it, so that the embedded Milvus's writers wait only while it is made and
    removed.
    """

    def __init__(
        self,
        session: MilvusSession,
        server: ServerInfo,
        space: VectorSpace,
        timeout_s: float,
    ) -> None:
        if space.kind == "binary" and server.embedded:
            raise IndexNotOffered(
                "{server} has no binary vectors.",
                "A Milvus server has; SIGHTLINE_MILVUS_URI names one.",
                server=str(server),
            )
        self._client = session.client
        self._endpoint = session.endpoint
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
                write_lock(session.endpoint),
                ThreadPoolExecutor(1) as creating,
            ):
                # An executor does not wait for a thread whose start was interrupted.
                creating.submit(str).result()
                creating.submit(
                    self._client.create_collection,
                    self._name,
                    schema=_schema(self._client, space),
                    consistency_level="Session",
                    properties=owned(),
                ).result()
        except BaseException:  # it may have been created
            with suppress(SightlineError):
                self.drop()
            raise

    def __exit__(self, *raised: object) -> None:
        # What cannot be removed now is a leftover; the error that ended the trial tells more.
        with suppress(SightlineError) if raised[0] else nullcontext():
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
                {
                    **facet_row(row, bucket, entity, self._space.facets),
                    EMBEDDING_FIELD: vector,
                }
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
        Nor does it, or Milvus Lite, say what one index takes in memory.
        """
        folder = Path(self._endpoint.uri) / "collections" / self._name
        if "://" in self._endpoint.uri or not folder.is_dir():
            return None
        return sum(file.stat().st_size for file in folder.rglob("indexes/*") if file.is_file())

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
            with milvus_errors(Message("building {index}", index=spec.index_type)):
                yield
        except BaseException as error:
            # What stays nevertheless goes with the trial.
            with suppress(SightlineError), milvus_errors("undoing a build"):
                self._remove_index(_CLEAN_UP_S)
            if isinstance(error, Exception) and time.monotonic() >= deadline:
                raise TrialTimeout(
                    "{index_type} was not built and loaded within {seconds:g} s.",
                    "Allow more time, or leave this index type out.",
                    index_type=spec.index_type,
                    seconds=self._timeout_s,
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
    add_scalars(schema, space.facets)
    return schema
