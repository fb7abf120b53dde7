"""Try on scratch names what Sightline relies on, and keep what a Milvus answered.

A version's number does not tell what a server does: it may be a fork, a managed service, a build
without some index types, or its user may lack privileges. The probe makes scratch collections
(removed as leftovers where it is killed), asks, and says of each thing whether it works and what
Sightline does where it does not. Index types that cannot be built are then not offered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
from pydantic import TypeAdapter
from pymilvus.exceptions import MilvusException

from search_core.errors import SightlineError, StoreError
from search_core.indexes import INDEX_SPECS, IndexSpec, SearchParams
from search_core.indexes.flat import Flat
from search_core.indexes.graphs import Hnsw
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import EMBEDDING_FIELD, FrameRef, MediaEntity
from search_core.store.endpoint import Endpoint, write_lock
from search_core.store.milvus.bulk_insert import BulkStorage, columns, insert_file
from search_core.store.milvus.errors import Meaning, is_missing, meaning_of, milvus_errors
from search_core.store.milvus.properties import owned, properties_of
from search_core.store.milvus.queries import count_rows, pages
from search_core.store.milvus.schema import (
    build_index,
    collection_schema,
    remove_index,
    scalar_fields,
    to_rows,
)
from search_core.store.milvus.scratch import MilvusTrial, VectorSpace
from search_core.store.milvus.session import MilvusSession
from search_core.store.scratch import TRIAL_PREFIX
from search_core.system.locks import write_privately
from search_core.system.machine import now_ms

#: ``works``: as Sightline does it; ``adapted``: otherwise, and Sightline minds it; ``fails``.
Outcome = Literal["works", "adapted", "fails", "not tried"]

_DIM = 16
#: Enough for every index type's training: 39 vectors for each of 16 clusters, 256 of a codebook.
_INDEX_ROWS = 1024
_INDEX_TIMEOUT_S = 120.0
_TIMEOUT_S = 120.0
_SWITCHES = 10
_WINDOW = 16_384


@dataclass(frozen=True, slots=True)
class Finding:
    """What one thing that was tried came to; ``instead`` is what Sightline does about it."""

    name: str
    outcome: Outcome
    found: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """What a probe of a server found; ``at_ms`` is when (epoch milliseconds).

    ``thorough`` is False of the short probe at a server's first use, which tries no index types.
    """

    server: str
    version: str
    at_ms: int
    thorough: bool
    findings: tuple[Finding, ...]
    lacks: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Finding]:
        """What does not work."""
        return [finding for finding in self.findings if finding.outcome == "fails"]


_RECORDS = TypeAdapter(dict[str, ProbeRecord])


def probe(
    session: MilvusSession,
    server: ServerInfo,
    *,
    thorough: bool,
    storage: BulkStorage | None = None,
    on_progress: Callable[[str], None] = lambda name: None,
) -> ProbeRecord:
    """Try a Milvus, and return what was found; ``on_progress`` is given the name of each try.

    ``storage`` is where a file for a bulk insert can be left. Nothing raises but an interruption.
    """
    run = _Probe(session, server, storage, on_progress)
    findings = list(run.quick())
    if thorough:
        findings += run.thorough()
    return ProbeRecord(
        server_name(session.endpoint),
        server.version,
        now_ms(),
        thorough,
        tuple(findings),
        tuple(run.lacks),
    )


def server_name(endpoint: Endpoint) -> str:
    """Return what a server is known by: host and port, without user and password."""
    if "://" not in endpoint.uri:
        return "embedded"
    parts = urlsplit(endpoint.uri)
    return f"{parts.hostname}:{parts.port or 19530}"


class ProbeRecords:
    """What probes found, by server and version, in one file; a file that is damaged counts as none.

    Safe between threads of one process; of processes that write at once one wins.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def find(self, endpoint: Endpoint, version: str) -> ProbeRecord | None:
        """Return what the last probe of a server of this version found."""
        return self._read().get(_key(server_name(endpoint), version))

    def keep(self, record: ProbeRecord) -> None:
        """Keep what a probe found in place of the one before."""
        with self._lock:
            known = self._read()
            known[_key(record.server, record.version)] = record
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_privately(self._path, _RECORDS.dump_json(known, indent=1))

    def _read(self) -> dict[str, ProbeRecord]:
        try:
            return _RECORDS.validate_json(self._path.read_bytes())
        except (OSError, ValueError):
            return {}


def _key(server: str, version: str) -> str:
    return f"{server} {version}"


class _Probe:
    """One probe under way."""

    def __init__(
        self,
        session: MilvusSession,
        server: ServerInfo,
        storage: BulkStorage | None,
        on_progress: Callable[[str], None],
    ) -> None:
        self._session = session
        self._client = session.client
        self._server = server
        self._storage = storage
        self._on_progress = on_progress
        self.lacks: list[str] = []

    def quick(self) -> Iterator[Finding]:
        """Try what every command needs; some seconds."""
        yield self._try("a missing name", self._missing_name)
        yield self._try("a property written, altered, read back", self._properties)
        yield self._try("an alias switched under a search", self._alias_switch)
        yield self._try("one id twice in a batch", self._duplicate_ids)
        yield self._try("a collection dropped with an alias left", self._drop_with_alias)

    def thorough(self) -> Iterator[Finding]:
        """Try the rest: flushing, every index type, paging, one bulk insert; minutes."""
        yield self._try("counting and paging", self._paging)
        yield self._try("two flushes, one after the other", self._flush_twice)
        yield self._try("an index dropped, another built and loaded", self._index_replaced)
        yield self._try("one row by bulk insert", self._bulk_insert)
        for name, spec in INDEX_SPECS.items():
            yield self._try(f"index type {name}", partial(self._type, name, spec))

    def _try(self, name: str, ask: Callable[[], tuple[Outcome, str, str]]) -> Finding:
        self._on_progress(name)
        try:
            with milvus_errors(f"trying {name}"):
                return Finding(name, *ask())
        except SightlineError as error:
            return Finding(name, "fails", error.message, error.hint)

    # What every command needs

    def _missing_name(self) -> tuple[Outcome, str, str]:
        try:
            self._client.describe_collection(f"{TRIAL_PREFIX}{token_hex(8)}")
        except MilvusException as error:
            if is_missing(error):
                return "works", f"code {error.code}, legacy code {error.compatible_code}", ""
            raise
        raise StoreError("It describes a collection that does not exist.")

    def _properties(self) -> tuple[Outcome, str, str]:
        with self._scratch() as name:
            for value in ("one", "two"):
                self._client.alter_collection_properties(name, {"sightline.probe": value})
                now = properties_of(self._client.describe_collection(name)).get("sightline.probe")
                if now != value:
                    raise StoreError(
                        "A property set to {value!r} reads as {now!r}.", value=value, now=str(now)
                    )
        return "works", "read back as written", ""

    def _alias_switch(self) -> tuple[Outcome, str, str]:
        alias = f"{TRIAL_PREFIX}{token_hex(8)}_alias"
        failures: list[str] = []
        over = threading.Event()

        def search() -> None:
            while not over.is_set():
                try:
                    self._search(alias)
                except MilvusException as error:
                    failures.append(str(error.message))

        with self._filled() as one, self._filled() as other:
            self._client.create_alias(one, alias)
            searching = threading.Thread(target=search)
            searching.start()
            try:
                for number in range(_SWITCHES):
                    target = (other, one)[number % 2]
                    self._client.alter_alias(target, alias)
                    described = self._client.describe_collection(alias)["collection_name"]
                    if described != target:
                        raise StoreError(
                            "After the switch to {target} it names {described}.",
                            target=target,
                            described=described,
                        )
            finally:
                over.set()
                searching.join()
                with suppress(MilvusException):
                    self._client.drop_alias(alias)
        if failures:
            instead = "A search that meets a switch is made again."
            return "adapted", f"{len(failures)} searches failed: {failures[0][:120]}", instead
        return "works", f"{_SWITCHES} switches, every search answered", ""

    def _duplicate_ids(self) -> tuple[Outcome, str, str]:
        instead = "Of rows with one id Sightline sends the last alone."
        with self._filled() as name:
            [row] = self._rows(name, 1)
            try:
                self._client.upsert(name, [row, row])
            except MilvusException as error:
                return "adapted", f"refused, with code {error.code}", instead
            kept = count_rows(self._client, name, f'id == "{row["id"]}"')
        if kept == 1:
            return "works", "one row is kept", ""
        return "adapted", f"{kept} rows are kept", instead

    def _drop_with_alias(self) -> tuple[Outcome, str, str]:
        alias = f"{TRIAL_PREFIX}{token_hex(8)}_alias"
        with self._scratch() as name:
            self._client.create_alias(name, alias)
            try:
                self._client.drop_collection(name)
            except MilvusException as error:
                self._client.drop_alias(alias)
                return (
                    "adapted",
                    f"refused, with code {error.code}",
                    "Aliases are dropped before their collection.",
                )
            left = alias in self._client.list_aliases().get("aliases", [])
            if left:
                self._client.drop_alias(alias)
        return "works", "the alias stays behind" if left else "the alias goes with it", ""

    # The rest

    def _paging(self) -> tuple[Outcome, str, str]:
        with self._filled() as name:
            ids = [
                row["id"] for page in pages(self._client, name, "", ["id"], rows=4) for row in page
            ]
            if count_rows(self._client, name, "") != _ROWS or sorted(ids) != sorted(_IDS):
                raise StoreError("Of {rows} rows paging finds {count}.", rows=_ROWS, count=len(ids))
            try:
                self._client.query(name, filter='id != ""', limit=_WINDOW + 1, output_fields=["id"])
            except MilvusException as error:
                if meaning_of(error) is not Meaning.PARAMETER:
                    raise
                return "works", f"pages by key; at most {_WINDOW:,} rows at once", ""
        return "works", f"pages by key; more than {_WINDOW:,} rows at once", ""

    def _flush_twice(self) -> tuple[Outcome, str, str]:
        with self._filled() as name:
            self._client.flush(name, timeout=_TIMEOUT_S, retry_on_rate_limit=False)
            try:
                self._client.flush(name, timeout=_TIMEOUT_S, retry_on_rate_limit=False)
            except MilvusException as error:
                if meaning_of(error) is not Meaning.RATE_LIMITED:
                    raise
                return (
                    "adapted",
                    "the second is refused: flushing is limited",
                    "Sightline flushes at the end of an ingest and before a build, and waits.",
                )
        return "works", "both are taken", ""

    def _index_replaced(self) -> tuple[Outcome, str, str]:
        with self._filled() as name:
            remove_index(self._client, name)
            self._build(name, Hnsw(m=8))
            self._client.load_collection(name, timeout=_TIMEOUT_S)
            if not self._search(name):
                raise StoreError("A search of the new index finds nothing.")
        return "works", "searched by the new index", ""

    def _bulk_insert(self) -> tuple[Outcome, str, str]:
        if self._server.embedded:
            return "not tried", "Milvus Lite has no bulk insert", ""
        if self._storage is None:
            return "not tried", "SIGHTLINE_MILVUS_BULK_STORAGE is not set", ""
        with self._filled() as name:
            new = replace(_entity(0), id=FrameRef("probe-bulk", 0).primary_key)
            with self._storage.file(columns([new], _VECTORS[:1], self._fields(name))) as path:
                if reason := insert_file(self._client, name, path, _TIMEOUT_S):
                    raise StoreError(
                        "The server could not take the file in: {reason}.", reason=reason
                    )
        return "works", "the server read the file", ""

    def _type(self, name: str, kind: type[IndexSpec]) -> tuple[Outcome, str, str]:
        if reason := kind.offer.refusal(self._server):
            return "not tried", reason, ""
        claimed = not kind.offer.gpu or bool(self._server.gpu)
        spec = _small(kind)
        metric = "COSINE" if kind.vector_kind == "float" else "HAMMING"
        space = VectorSpace(_DIM, spec.metric_for(metric), kind.vector_kind)
        numbers = np.arange(_INDEX_ROWS)
        vectors = _INDEX_VECTORS if kind.vector_kind == "float" else _INDEX_BITS
        try:
            with MilvusTrial(self._session, self._server, space, _INDEX_TIMEOUT_S) as trial:
                trial.insert(numbers, vectors, [_entity(0)] * _INDEX_ROWS)
                trial.settle()
                took = trial.build(spec)
                rows, _ = trial.search(
                    vectors[:1], k=1, params=spec.search_params(SearchParams(), 1)
                )
                if rows[0, 0] < 0:
                    raise StoreError("A search finds nothing.")
        except SightlineError as error:
            self.lacks.append(name)
            outcome: Outcome = "fails" if claimed else "adapted"
            return outcome, error.message, "It is not offered on this server."
        return "works", f"built and loaded in {took.build_s + took.load_s:.1f} s", ""

    # Within

    @contextmanager
    def _scratch(self) -> Iterator[str]:
        """Yield an empty collection of a library's shape, removed at the end."""
        name = f"{TRIAL_PREFIX}{token_hex(8)}"
        try:
            with write_lock(self._session.endpoint):
                self._client.create_collection(
                    name,
                    schema=collection_schema(self._client, _DIM),
                    consistency_level="Session",
                    properties=owned(),
                )
            yield name
        finally:
            with (
                suppress(MilvusException),
                write_lock(self._session.endpoint),
            ):  # else cleanup removes it
                self._client.drop_collection(name)

    @contextmanager
    def _filled(self) -> Iterator[str]:
        """Yield a collection with _ROWS rows and a FLAT index, loaded."""
        with self._scratch() as name:
            self._build(name, Flat())
            self._client.load_collection(name, timeout=_TIMEOUT_S)
            rows = self._rows(name, _ROWS)
            with write_lock(self._session.endpoint):
                self._client.upsert(name, rows)
            count_rows(self._client, name, "")  # consistent from here on
            yield name

    def _build(self, name: str, index: IndexSpec) -> None:
        embedded = self._server.embedded
        deadline = time.monotonic() + _INDEX_TIMEOUT_S
        build_index(self._client, name, index, "COSINE", embedded=embedded, deadline=deadline)

    def _search(self, name: str) -> list[Any]:
        found = self._client.search(
            name,
            data=[_VECTORS[0]],
            anns_field=EMBEDDING_FIELD,
            limit=1,
            output_fields=["id"],
            search_params={"metric_type": "COSINE", "params": {}},
        )
        return list(found[0])

    def _rows(self, name: str, count: int) -> list[dict[str, Any]]:
        entities = map(_entity, range(count))
        return to_rows(zip(entities, _VECTORS, strict=False), self._fields(name))

    def _fields(self, name: str) -> tuple[str, ...]:
        return scalar_fields(self._client.describe_collection(name))


def _entity(number: int) -> MediaEntity:
    return MediaEntity(
        id=FrameRef(f"probe{number}", 0).primary_key,
        source_id=f"probe{number}",
        media_type="image",
        uri="probe.jpg",
        camera="probe",
        captured_at=number,
        captured_from="given",
        pts_ms=0,
        duration_ms=0,
        width=1,
        height=1,
        thumbnail="",
        ingested_at=0,
    )


def _small(kind: type[IndexSpec]) -> IndexSpec:
    """Return a type with parameters that so few vectors of so few dimensions allow."""
    wanted = {"nlist": 16, "m": 8, "nbits": 4}
    known = {item for item in getattr(kind, "__dataclass_fields__", {}) if item in wanted}
    return kind(**{name: wanted[name] for name in known})


_ROWS = 10
_IDS = [_entity(number).id for number in range(_ROWS)]
_RANDOM = np.random.default_rng(0)
_INDEX_VECTORS = _RANDOM.normal(size=(_INDEX_ROWS, _DIM)).astype(np.float32)
_INDEX_VECTORS /= np.linalg.norm(_INDEX_VECTORS, axis=1, keepdims=True)
_INDEX_BITS = np.packbits(_INDEX_VECTORS > 0, axis=1)
_VECTORS = _INDEX_VECTORS[:_ROWS]
