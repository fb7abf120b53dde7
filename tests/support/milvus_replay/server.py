"""A Milvus that answers as one version of it does, over gRPC and in memory.

It keeps what it is given, so that a library can live its whole life on it; what it answers, and
what it refuses, is by `answers.tsv`. It is no measure of Milvus's speed, its indexes (every search
is exact) or its durability.
"""

from __future__ import annotations

import base64
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from google.protobuf.message_factory import GetMessageClass
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from search_core.indexes.milvus_version import release_of
from tests.support.milvus_replay.answers import answer_of, status_of
from tests.support.milvus_replay.rows import (
    FilterRefused,
    Row,
    decode_rows,
    distances,
    encode_columns,
    passing,
    query_vectors,
)

#: How many flushes are refused after one that was accepted, where the version limits flushing.
FLUSHES_REFUSED = 1
_WINDOW = 16_384


class Refused(Exception):
    """A call that is answered with a status other than success."""

    def __init__(self, status: common_pb2.Status) -> None:
        super().__init__(status.reason)
        self.status = status


@dataclass
class Collection:
    """One collection: its rows in the order they came, and what was set on it."""

    name: str
    number: int
    schema: schema_pb2.CollectionSchema
    properties: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    index: dict[str, str] | None = None
    polls: int = 0  # how often the index was asked for since it was made
    is_loaded: bool = False
    flushes_refused: int = 0

    @property
    def key(self) -> str:
        """The name of the primary key."""
        return str(next(f.name for f in self.schema.fields if f.is_primary_key))

    def forget(self, ids: set[Any]) -> None:
        """Remove the rows of these ids."""
        self.rows = [row for row in self.rows if row[self.key] not in ids]


class ReplayServer(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]  # generated
    """The calls of Sightline, answered as ``version`` does.

    ``password`` is root's where users have to log in; ``denied`` are calls that root's privileges
    do not cover. Calls in ``faults`` are answered with those answers first, one after the other: a
    name of `answers.tsv`, or a status of gRPC. ``failed_build`` is an index type whose builds fail,
    and the reason.
    """

    def __init__(self, version: str, password: str = "") -> None:
        self.version = version
        self.password = password
        self.denied: set[str] = set()
        self.faults: dict[str, deque[str | grpc.StatusCode]] = defaultdict(deque)
        self.failed_build: tuple[str, str] | None = None
        self.calls: list[str] = []
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.uri = ""
        self._numbers = iter(range(450_000_000_000_000_001, 450_000_000_000_000_999))
        self._lock = threading.RLock()

    def fail(self, method: str, *answers: str | grpc.StatusCode) -> None:
        """Answer the next calls of a method so."""
        self.faults[method].extend(answers)

    # What versions differ in

    def at_least(self, version: str) -> bool:
        """Whether it answers as this release or a later one."""
        return release_of(self.version) >= release_of(version)

    def require(self, answer: str, /, **values: object) -> None:
        """Raise Refused with an answer, where the version refuses."""
        if answer_of(answer, self.version) is not None:
            raise Refused(status_of(answer, self.version, **values))

    def collection(self, name: str, missing: str = "collection_missing") -> Collection:
        """Return a collection by its name or an alias; raises Refused."""
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            self.require(missing, name=name)
            raise KeyError(name)
        return found

    # Connections

    def Connect(self, request: Any, context: Any) -> Any:
        info = common_pb2.ServerInfo(build_tags=f"v{self.version}", deploy_mode="STANDALONE")
        return milvus_pb2.ConnectResponse(server_info=info, identifier=1)

    def GetVersion(self, request: Any, context: Any) -> Any:
        return milvus_pb2.GetVersionResponse(version=f"v{self.version}")

    # Collections and aliases

    def CreateCollection(self, request: Any, context: Any) -> Any:
        schema = schema_pb2.CollectionSchema()
        schema.ParseFromString(request.schema)
        if request.collection_name in self.aliases:
            self.require("create_is_alias", name=request.collection_name)
        if there := self.collections.get(request.collection_name):
            if [f.name for f in there.schema.fields] != [f.name for f in schema.fields]:
                self.require("create_exists_differs", name=request.collection_name)
            return common_pb2.Status()
        for number, item in enumerate(schema.fields):
            item.fieldID = 100 + number
        made = Collection(
            request.collection_name,
            next(self._numbers),
            schema,
            {pair.key: pair.value for pair in request.properties},
        )
        self.collections[made.name] = made
        return common_pb2.Status()

    def DescribeCollection(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name, "collection_missing_described")
        # From 2.5.18 on the proxy answers from its cache, with the name it was asked by.
        name = request.collection_name if self.at_least("2.5.18") else found.name
        return milvus_pb2.DescribeCollectionResponse(
            schema=found.schema,
            collectionID=found.number,
            collection_name=name,
            shards_num=1,
            num_partitions=1,
            aliases=[alias for alias, name in self.aliases.items() if name == found.name],
            properties=[
                common_pb2.KeyValuePair(key=key, value=value)
                for key, value in found.properties.items()
            ],
            consistency_level=common_pb2.Session,
        )

    def ShowCollections(self, request: Any, context: Any) -> Any:
        return milvus_pb2.ShowCollectionsResponse(collection_names=list(self.collections))

    def DropCollection(self, request: Any, context: Any) -> Any:
        name = request.collection_name
        if name in self.aliases:
            self.require("drop_by_alias", name=name)
        if name not in self.collections:
            return common_pb2.Status()
        left = [alias for alias, target in self.aliases.items() if target == name]
        if left:
            self.require("drop_with_alias", name=name, other=left)
        for alias in left:
            del self.aliases[alias]
        del self.collections[name]
        return common_pb2.Status()

    def AlterCollection(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        found.properties.update({pair.key: pair.value for pair in request.properties})
        for key in request.delete_keys:
            found.properties.pop(key, None)
        return common_pb2.Status()

    def CreateAlias(self, request: Any, context: Any) -> Any:
        if request.collection_name not in self.collections:
            self.require("collection_missing", name=request.collection_name)
        if request.alias in self.collections:
            self.require("alias_is_collection", name=request.alias)
        now = self.aliases.get(request.alias, request.collection_name)
        if now != request.collection_name:
            self.require("alias_of_another", name=request.alias, other=now)
        self.aliases[request.alias] = request.collection_name
        return common_pb2.Status()

    def AlterAlias(self, request: Any, context: Any) -> Any:
        if request.collection_name not in self.collections:
            self.require("collection_missing", name=request.collection_name)
        if request.alias not in self.aliases:
            self.require("alias_missing", name=request.alias)
        self.aliases[request.alias] = request.collection_name
        return common_pb2.Status()

    def DropAlias(self, request: Any, context: Any) -> Any:
        self.aliases.pop(request.alias, None)
        return common_pb2.Status()

    def ListAliases(self, request: Any, context: Any) -> Any:
        wanted = request.collection_name
        if wanted and wanted not in self.collections:
            self.require("collection_missing", name=wanted)
        names = [a for a, target in self.aliases.items() if not wanted or target == wanted]
        return milvus_pb2.ListAliasesResponse(aliases=names, collection_name=wanted)

    # Indexes and loading

    def CreateIndex(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        wanted = {pair.key: pair.value for pair in request.extra_params}
        if found.index is not None and found.index != {**wanted, "name": request.index_name}:
            self.require("index_differs")
        found.index = {**wanted, "name": request.index_name}
        found.polls = 0
        return common_pb2.Status()

    def DescribeIndex(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        if found.index is None or request.index_name not in ("", found.index["name"]):
            self.require("index_missing", name=found.name)
        assert found.index is not None
        found.polls += 1
        params = {key: value for key, value in found.index.items() if key != "name"}
        described = milvus_pb2.IndexDescription(
            index_name=found.index["name"],
            field_name="embedding",
            params=[common_pb2.KeyValuePair(key=k, value=v) for k, v in params.items()],
            total_rows=len(found.rows),
            indexed_rows=len(found.rows) if found.polls > 1 else 0,
            state=common_pb2.Finished if found.polls > 1 else common_pb2.InProgress,
        )
        if self.failed_build and found.index["index_type"] == self.failed_build[0]:
            described.state = common_pb2.Failed
            described.index_state_fail_reason = self.failed_build[1]
        return milvus_pb2.DescribeIndexResponse(index_descriptions=[described])

    def DropIndex(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        if found.index is not None and found.is_loaded:
            self.require("drop_index_loaded", id=found.number)
        found.index = None
        return common_pb2.Status()

    def LoadCollection(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        if found.index is None:
            self.require("load_without_index", name=found.name)
        found.is_loaded = True
        return common_pb2.Status()

    def ReleaseCollection(self, request: Any, context: Any) -> Any:
        self.collection(request.collection_name).is_loaded = False
        return common_pb2.Status()

    def GetLoadState(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        state = common_pb2.LoadStateLoaded if found.is_loaded else common_pb2.LoadStateNotLoad
        return milvus_pb2.GetLoadStateResponse(state=state)

    def GetLoadingProgress(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        done = 100 if found.is_loaded else 0
        return milvus_pb2.GetLoadingProgressResponse(progress=done, refresh_progress=done)

    # Rows

    def Insert(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        found.rows += decode_rows(request.fields_data, request.num_rows)
        return self._written(found, request.num_rows)

    def Upsert(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        rows = decode_rows(request.fields_data, request.num_rows)
        ids = [row[found.key] for row in rows]
        if len(set(ids)) < len(ids):
            self.require("duplicate_ids")
        found.forget(set(ids))
        found.rows += rows
        return self._written(found, len(rows))

    def Delete(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        self._require_loaded(found)
        gone = self._passing(found, request.expr)
        found.forget({row[found.key] for row in gone})
        return self._written(found, len(gone))

    def Flush(self, request: Any, context: Any) -> Any:
        segments, stamps = {}, {}
        for name in request.collection_names:
            found = self.collection(name)
            if found.flushes_refused:
                found.flushes_refused -= 1
                self.require("flush_limited")
            found.flushes_refused = FLUSHES_REFUSED
            segments[name] = schema_pb2.LongArray()
            stamps[name] = 1
        return milvus_pb2.FlushResponse(coll_segIDs=segments, coll_flush_ts=stamps)

    def GetFlushState(self, request: Any, context: Any) -> Any:
        return milvus_pb2.GetFlushStateResponse(flushed=True)

    def Query(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        self._require_loaded(found)
        rows = self._passing(found, request.expr)
        names = list(request.output_fields)
        params = {pair.key: pair.value for pair in request.query_params}
        if "count(*)" in names:
            count = schema_pb2.FieldData(type=schema_pb2.Int64, field_name="count(*)")
            count.scalars.long_data.data.append(len(rows))
            return milvus_pb2.QueryResults(fields_data=[count], output_fields=names, session_ts=1)
        offset, limit = int(params.get("offset", 0)), int(params.get("limit", -1))
        if limit >= 0:
            if not 1 <= offset + limit <= _WINDOW:
                self.require("query_window", name=offset + limit)
            rows = sorted(rows, key=lambda row: row[found.key])[offset : offset + limit]
        if found.key not in names:
            names.append(found.key)
        return milvus_pb2.QueryResults(
            fields_data=encode_columns(rows, names, found.schema),
            output_fields=names,
            collection_name=found.name,
            session_ts=1,
            primary_field_name=found.key,
        )

    def Search(self, request: Any, context: Any) -> Any:
        found = self.collection(request.collection_name)
        self._require_loaded(found)
        params = {pair.key: pair.value for pair in request.search_params}
        k = int(params["topk"])
        if not 1 <= k <= _WINDOW:
            self.require("topk_window", name=k)
        rows = self._passing(found, request.dsl)
        queries = query_vectors(request.placeholder_group)
        metric = (found.index or {}).get("metric_type", "COSINE")
        hits: list[Row] = []
        scores: list[float] = []
        counts = []
        vectors = np.stack([row[params["anns_field"]] for row in rows]) if rows else None
        for query in range(len(queries)):
            best = []
            if vectors is not None:
                far = distances(queries[query : query + 1], vectors, metric)[0]
                is_near_best = metric in ("L2", "HAMMING")
                best = list(np.argsort(far if is_near_best else -far, kind="stable")[:k])
                scores += [float(far[row]) for row in best]
            hits += [rows[row] for row in best]
            counts.append(len(best))
        names = list(request.output_fields)
        result = schema_pb2.SearchResultData(
            num_queries=len(queries),
            top_k=k,
            scores=scores,
            topks=counts,
            fields_data=encode_columns(hits, names, found.schema),
            output_fields=names,
            primary_field_name=found.key,
        )
        ids = [row[found.key] for row in hits]
        if ids and isinstance(ids[0], str):
            result.ids.str_id.data.extend(ids)
        else:
            result.ids.int_id.data.extend(ids)
        return milvus_pb2.SearchResults(results=result, collection_name=found.name)

    def _passing(self, found: Collection, expression: str) -> list[Row]:
        try:
            return passing(found.rows, expression)
        except FilterRefused as refused:
            raise Refused(status_of(str(refused), self.version, name=expression)) from None

    def _require_loaded(self, found: Collection) -> None:
        if not found.is_loaded:
            self.require("not_loaded", id=found.number)

    def _written(self, found: Collection, count: int) -> Any:
        ids = [row[found.key] for row in found.rows[-count:]] if count else []
        result = milvus_pb2.MutationResult(
            insert_cnt=count, upsert_cnt=count, delete_cnt=count, succ_index=range(count)
        )
        if ids and isinstance(ids[0], str):
            result.IDs.str_id.data.extend(ids)
        else:
            result.IDs.int_id.data.extend(ids)
        return result


class _Gate(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Before each call: who asks, what they may, and what is to fail; refusals become statuses."""

    def __init__(self, server: ReplayServer) -> None:
        self._server = server

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if handler is None:
            return None
        method = details.method.rpartition("/")[2]
        given = dict(details.invocation_metadata).get("authorization", "")

        def call(request: Any, context: Any) -> Any:
            server = self._server
            with server._lock:
                server.calls.append(method)
                self._check_access(method, given, context)
                name = getattr(request, "collection_name", "")
                if server.faults[method]:
                    fault = server.faults[method].popleft()
                    if isinstance(fault, grpc.StatusCode):
                        context.abort(fault, "by script")
                    found = server.collections.get(server.aliases.get(name, name))
                    number = found.number if found else 4711
                    return _refusal(method, status_of(fault, server.version, name=name, id=number))
                try:
                    return handler.unary_unary(request, context)
                except Refused as refused:
                    return _refusal(method, refused.status)
                except Exception as error:
                    # pymilvus tries most statuses again for minutes, not this one.
                    context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method}: {error!r}")

        return grpc.unary_unary_rpc_method_handler(
            call, handler.request_deserializer, handler.response_serializer
        )

    def _check_access(self, method: str, given: str, context: Any) -> None:
        server = self._server
        if server.password:
            wanted = base64.b64encode(f"root:{server.password}".encode()).decode()
            if given != wanted:
                context.abort(
                    grpc.StatusCode.UNAUTHENTICATED,
                    "auth check failure, please check username and password are correct",
                )
        if method in server.denied:
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"Privilege{method}: permission deny to root in the `default` database",
            )


def _refusal(method: str, status: common_pb2.Status) -> Any:
    """Return a status as a response of this method."""
    service = milvus_pb2.DESCRIPTOR.services_by_name["MilvusService"]
    kind = GetMessageClass(service.methods_by_name[method].output_type)
    return status if kind is common_pb2.Status else kind(status=status)


@contextmanager
def replay(version: str, password: str = "") -> Iterator[ReplayServer]:
    """Run a server that answers as a version of Milvus does, on a port of the loopback address."""
    servicer = ReplayServer(version, password)
    server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=[_Gate(servicer)], options=[])
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    servicer.uri = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield servicer
    finally:
        server.stop(None).wait()
