"""Bulk insert: many rows go to a Milvus server as a file that it reads by itself.

A server only appends what it reads: a row that is there already would be there twice. So the rows
whose ids are there are upserted, only the others go into the file; and since the server may take in
a file that it was given by a process killed long ago, the rows are counted by their ids afterwards
and put right where they are more. Nothing has to be remembered for it.

The file is written by pyarrow, column by column, and not by pymilvus' LocalBulkWriter, which makes
a list of Python's floats of every vector and looks at every value of every row: that takes this
process twice the memory, and more of its time than the upserts it replaces (``python -m benchmarks
bulk`` has all three).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pymilvus import MilvusClient
from pymilvus.client.types import BulkInsertState

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import SettingsError, StoreError, UsageError, in_words
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import BOX_FIELD, EMBEDDING_FIELD, STORED_FIELDS, MediaEntity
from search_core.settings import Settings
from search_core.store.milvus.queries import count_rows, ids_expression, rows_of
from search_core.store.milvus.schema import last_of_each, storable_rows
from search_core.store.milvus.session import MilvusSession

_FOLDER = "sightline-bulk"
#: What a killed process left is removed when it is this old: nobody reads it any more.
_LEFTOVER_S = 86_400
#: A server reads a file by such groups of rows, each at once.
_GROUP_BYTES = 32 << 20


def bulk_storage(settings: Settings) -> BulkStorage:
    """Return the storage that the settings name; raises SettingsError where there is none."""
    address = settings.milvus.bulk_storage
    if not address:
        raise SettingsError(
            "SIGHTLINE_MILVUS_BULK_STORAGE is not set: a bulk insert leaves files where the Milvus "
            "server reads them.",
            "Set it to s3://BUCKET/PREFIX in the server's own bucket or, for a server that keeps "
            "its data on a local disk, to a folder that both see under the same path.",
        )
    return BulkStorage(address)


def no_bulk_insert() -> UsageError:
    """Return the error that says that Milvus Lite has no bulk insert, and what has it."""
    return UsageError(
        "Milvus Lite takes rows one batch at a time; it has no bulk insert.",
        "A Milvus server offers --bulk: name one with SIGHTLINE_MILVUS_URI, or leave --bulk out.",
    )


class BulkStorage:
    """A folder, or a place in a bucket, that this process writes to and the Milvus server reads.

    Credentials for a bucket are found as its own tools find them (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL`` …). Raises SettingsError for an address that cannot be used.
    """

    def __init__(self, address: str) -> None:
        self._bucket = "://" in address and not address.startswith("file://")
        if self._bucket and "@" in address.partition("://")[2].partition("/")[0]:
            raise SettingsError(
                "SIGHTLINE_MILVUS_BULK_STORAGE has credentials in its address.",
                "Name s3://BUCKET/PREFIX; they belong into the environment or ~/.aws.",
            )
        self.address = address
        # Others write to a bucket too, and credentials may change: nothing of it is remembered.
        fresh = {"use_listings_cache": False, "skip_instance_cache": True} if self._bucket else {}
        try:
            self._files, root = fsspec.url_to_fs(address, **fresh)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                "Files for a bulk insert cannot be left at {address}: {reason}.",
                "Name a folder, or s3://BUCKET/PREFIX (pip install 'sightline[s3]').",
                address=address,
                reason=in_words(error),
            ) from None
        self._folder = f"{str(root).rstrip('/')}/{_FOLDER}"

    @contextmanager
    def file(self, rows: pa.Table) -> Iterator[str]:
        """Write ``rows`` to a file and yield its path as the server knows it; removed at the end.

        Raises StoreError when it cannot be written.
        """
        path = f"{self._folder}/{secrets.token_hex(8)}.parquet"
        row_bytes = max(1, rows.nbytes // max(1, rows.num_rows))
        try:
            try:
                if not self._bucket:  # a bucket has no folders; one that is missing is not made
                    self._files.makedirs(self._folder, exist_ok=True)
                with self._files.open(path, "wb") as file:
                    pq.write_table(
                        rows,
                        file,
                        row_group_size=max(1000, _GROUP_BYTES // row_bytes),
                        compression="none",  # vectors do not get smaller
                        use_dictionary=False,
                    )
            except Exception as error:  # each kind of bucket has errors of its own
                raise StoreError(
                    "A file for the bulk insert cannot be written to {address}: {reason}.",
                    "SIGHTLINE_MILVUS_BULK_STORAGE names the place; credentials for a bucket are "
                    "taken from the environment.",
                    address=self.address,
                    reason=in_words(error),
                ) from error
            # A server knows what is in its bucket by the key alone.
            yield path.partition("/")[2] if self._bucket else path
        finally:
            with suppress(Exception):  # a leftover, then
                self._files.rm_file(path)

    def remove_leftovers(self) -> None:
        """Remove the files that killed processes left a day ago or longer."""
        with suppress(Exception):
            for name, info in self._files.find(self._folder, detail=True).items():
                if time.time() - _written_s(info) > _LEFTOVER_S:
                    self._files.rm_file(name)


def _written_s(info: dict[str, Any]) -> float:
    """Return when a file was written, in seconds since the epoch; now where nobody tells."""
    written = info.get("mtime", info.get("LastModified", time.time()))
    return written.timestamp() if isinstance(written, datetime) else float(written)


#: Ids in one request: some 200 kB of expression.
_ID_ROWS = 5000
_LOOK_EVERY_S = 0.2
#: How long a server may take to serve what it has taken in. Milvus looks for new data every ten
#: seconds or so.
_SERVED_WITHIN_S = 600.0
_TAKEN_IN_WITHIN_S = 6 * 3600.0
_ENDED = (
    BulkInsertState.ImportCompleted,
    BulkInsertState.ImportFailed,
    BulkInsertState.ImportFailedAndCleaned,
)


class BulkInserter:
    """Writes many rows at a time into a server's libraries; safe to share between threads.

    ``encoders`` are those whose embeddings the libraries are given.

    Raises UsageError for Milvus Lite, behind whatever address it is.
    """

    def __init__(
        self,
        session: MilvusSession,
        server: ServerInfo,
        storage: BulkStorage,
        encoders: Mapping[str, EncoderIdentity],
    ) -> None:
        if server.embedded:
            raise no_bulk_insert()
        self._session = session
        self._storage = storage
        self._encoders = encoders
        self._looked_at: set[str] = set()  # collections that no earlier process's file comes into
        self._lock = threading.Lock()

    def insert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced.

        When it returns the rows are kept, in the index, and every reader sees them. Raises
        StoreError when the server cannot take the file in; what was written then may be there in
        part, and the same call again makes it whole.
        """
        kept, vectors = last_of_each(entities, embeddings)
        serving = self._session.library(name).collection

        def write(collection: str) -> None:
            if collection == serving:
                try:
                    self._insert(name, collection, kept, vectors)
                except BaseException:
                    self._looked_at.discard(collection)  # what was handed over may still come in
                    raise
            else:  # a rebuild fills it, which knows of upserts
                self._session.upsert(collection, kept, vectors)

        if kept:
            encoder = self._encoders.get(name)
            self._session.write(name, "bulk inserting", write, encoder)

    def _insert(
        self, name: str, collection: str, entities: Sequence[MediaEntity], embeddings: Embeddings
    ) -> None:
        fields = self._session.catalog.fields(collection)
        entities, embeddings = storable_rows(entities, embeddings, fields)
        self._session.catalog.note_rows(
            collection,
            regions=any(entity.is_region for entity in entities),
            lettering=any(entity.lettering_text for entity in entities),
        )
        self._await_others(collection)
        there = self._there(collection, [entity.id for entity in entities])
        new = np.array([entity.id not in there for entity in entities])
        if new.any():
            fresh = [entity for entity in entities if entity.id not in there]
            table = columns(fresh, embeddings[new], fields)
            with self._storage.file(table) as path:
                self._take_in(name, collection, path)
        if there:
            known = [entity for entity in entities if entity.id in there]
            self._session.upsert(collection, known, embeddings[~new])
        self._await_served(name, collection, entities, embeddings)

    def _await_others(self, collection: str) -> None:
        """Wait until no file that an earlier process handed over is being taken in."""
        with self._lock:
            if collection in self._looked_at:
                return
            self._storage.remove_leftovers()
            handler = _handler(self._session.client)
            while any(
                task.state not in _ENDED for task in handler.list_bulk_insert_tasks(0, collection)
            ):
                time.sleep(_LOOK_EVERY_S)
            self._session.client.refresh_load(collection)
            self._looked_at.add(collection)

    def _there(self, collection: str, ids: Sequence[str]) -> set[str]:
        """Return which of these ids the collection has."""
        if not count_rows(self._session.client, collection, ""):
            return set()
        return {
            str(row["id"])
            for start in range(0, len(ids), _ID_ROWS)
            for row in rows_of(
                self._session.client, collection, ids[start : start + _ID_ROWS], ["id"]
            )
        }

    def _take_in(self, name: str, collection: str, path: str) -> None:
        """Let the server take a file in, and return when its rows are kept and in the index."""
        if reason := insert_file(self._session.client, collection, path, _TAKEN_IN_WITHIN_S):
            raise StoreError(
                "Milvus could not take the file {path} into the library {name} "
                "(collection {collection}): {reason}.",
                "The server has to be able to read what is in {address}, which "
                "SIGHTLINE_MILVUS_BULK_STORAGE names. The same command again goes on from here.",
                path=path,
                name=name,
                collection=collection,
                reason=reason,
                address=self._storage.address,
            )

    def _await_served(
        self, name: str, collection: str, entities: Sequence[MediaEntity], embeddings: Embeddings
    ) -> None:
        """Return when every one of these rows is served, and served once."""
        until_s = time.monotonic() + _SERVED_WITHIN_S
        self._session.client.refresh_load(collection)
        for start in range(0, len(entities), _ID_ROWS):
            part = slice(start, start + _ID_ROWS)
            expression = ids_expression([entity.id for entity in entities[part]])
            while (served := count_rows(self._session.client, collection, expression)) < len(
                entities[part]
            ):
                if time.monotonic() > until_s:
                    raise StoreError(
                        "Milvus took rows into the library {name} (collection {collection}) but "
                        "after {seconds:.0f} s serves {served:,} of "
                        "{count:,}.",
                        "Look at the server's log. The same command again goes on from here.",
                        name=name,
                        collection=collection,
                        seconds=_SERVED_WITHIN_S,
                        served=served,
                        count=len(entities[part]),
                    )
                time.sleep(_LOOK_EVERY_S)
            if served > len(entities[part]):
                self._session.upsert(collection, entities[part], embeddings[part])


def insert_file(client: MilvusClient, collection: str, path: str, timeout_s: float) -> str:
    """Have a server take a file into a collection; return why it could not, "" where it did."""
    until_s = time.monotonic() + timeout_s
    task = _handler(client).do_bulk_insert(collection, "", [path])
    while (state := _handler(client).get_bulk_insert_state(task)).state not in _ENDED:
        if time.monotonic() > until_s:
            return f"not finished after {timeout_s:.0f} s ({state.state_name})"
        time.sleep(_LOOK_EVERY_S)
    if state.state == BulkInsertState.ImportCompleted:
        return ""
    return str(state.failed_reason or state.state_name)


def _handler(client: MilvusClient) -> Any:
    # MilvusClient offers no bulk insert itself, and pymilvus.utility only on a connection of the
    # deprecated kind, which would be a second one.
    return client._get_connection()


def columns(
    entities: Sequence[MediaEntity], embeddings: Embeddings, fields: Sequence[str] = STORED_FIELDS
) -> pa.Table:
    """Return entities and their embeddings (n, dim) as the columns of a file for Milvus.

    ``fields`` are those the collection has.
    """
    values: dict[str, Any] = {
        name: pa.array([getattr(entity, name) for entity in entities])
        for name in fields
        if name not in ("tags", BOX_FIELD)
    }
    values["tags"] = pa.array([entity.tags for entity in entities], pa.list_(pa.string()))
    if BOX_FIELD in fields:
        values[BOX_FIELD] = pa.array([entity.box for entity in entities], pa.list_(pa.float64()))
    flat = np.ascontiguousarray(embeddings, dtype=np.float32)
    starts = np.arange(0, flat.size + 1, flat.shape[1], dtype=np.int32)
    values[EMBEDDING_FIELD] = pa.ListArray.from_arrays(pa.array(starts), pa.array(flat.ravel()))
    return pa.table(values)
