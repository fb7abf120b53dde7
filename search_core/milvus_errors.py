"""The one place where Milvus's exceptions become Sightline's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from pymilvus import exceptions as milvus
from pymilvus.exceptions import ErrorCode, MilvusException

from search_core.disk import FULL_HINT
from search_core.errors import (
    DiskFull,
    FilterError,
    IndexParameterError,
    LibraryNotFound,
    SightlineError,
    StoreError,
    StoreUnavailable,
)

_CONNECT_HINT = (
    "Check that Milvus runs and that SIGHTLINE_MILVUS_URI names it; "
    "`sightline doctor` tries the connection."
)
_REPORT_HINT = "`sightline doctor` shows the state of Milvus."

#: What each of pymilvus's exceptions means here. A test fails when pymilvus grows another.
MILVUS_EXCEPTIONS: dict[type[MilvusException], type[SightlineError]] = {
    MilvusException: StoreError,
    milvus.ParamError: StoreError,
    milvus.ConnectError: StoreUnavailable,
    milvus.MilvusUnavailableException: StoreUnavailable,
    milvus.CollectionNotExistException: LibraryNotFound,
    milvus.DescribeCollectionException: StoreError,
    milvus.PartitionAlreadyExistException: StoreError,
    milvus.IndexNotExistException: StoreError,
    milvus.AmbiguousIndexName: StoreError,
    milvus.CannotInferSchemaException: StoreError,
    milvus.SchemaNotReadyException: StoreError,
    milvus.DataTypeNotMatchException: StoreError,
    milvus.DataTypeNotSupportException: StoreError,
    milvus.DataNotMatchException: StoreError,
    milvus.SchemaMismatchRetryableException: StoreError,
    milvus.ConnectionNotExistException: StoreUnavailable,
    milvus.ConnectionConfigException: StoreUnavailable,
    milvus.PrimaryKeyException: StoreError,
    milvus.PartitionKeyException: StoreError,
    milvus.ClusteringKeyException: StoreError,
    milvus.FieldsTypeException: StoreError,
    milvus.FunctionsTypeException: StoreError,
    milvus.FieldTypeException: StoreError,
    milvus.AutoIDException: StoreError,
    milvus.InvalidConsistencyLevel: StoreError,
    milvus.ServerVersionIncompatibleException: StoreError,
}

#: What is said of a Milvus that cannot be reached, or that has just started and is not there yet.
_UNREACHABLE = (
    "connection refused",
    "connection reset",
    "unavailable",
    "deadline exceeded",
    "fail connecting",
    "retry timeout",
    "closed channel",
    "not ready",
    "not healthy",
    "not loaded",
    "not fully loaded",
    "no available",
    "not available",
    "node not found",
    "node offline",
    "channel not found",
    "is recovering",
)
_FULL = ("no space left", "disk quota exceeded", "disk full")


@contextmanager
def milvus_errors(doing: str, library: str = "") -> Iterator[None]:
    """Turn what Milvus raises while ``doing`` something into Sightline's errors."""
    try:
        yield
    except MilvusException as error:
        raise _mapped(error, doing, library) from error
    except grpc.RpcError as error:
        raise StoreUnavailable(f"Milvus did not answer while {doing}.", _CONNECT_HINT) from error


def _mapped(error: MilvusException, doing: str, library: str) -> SightlineError:
    reason = error.message.strip().splitlines()[0][:300] if error.message else "no reason was given"
    lowered = reason.lower()
    if error.code == ErrorCode.COLLECTION_NOT_FOUND or "collection not found" in lowered:
        return LibraryNotFound(
            f"There is no library {library} here.", "`sightline library list` shows what there is."
        )
    if "cannot parse expression" in lowered or "escape sequence" in lowered:
        return FilterError(f"Milvus cannot read the filter: {reason}.")
    if "invalid index params" in lowered or "out of range" in lowered:
        return IndexParameterError(f"Milvus refused a parameter while {doing}: {reason}.")
    if any(word in lowered for word in _FULL):
        return DiskFull(f"The disk that Milvus keeps its rows on is full ({doing}).", FULL_HINT)
    kind = MILVUS_EXCEPTIONS.get(type(error), StoreError)
    unreachable = error.retriable or any(word in lowered for word in _UNREACHABLE)
    if kind is StoreUnavailable or unreachable:
        return StoreUnavailable(f"Milvus cannot be reached while {doing}: {reason}.", _CONNECT_HINT)
    if kind is LibraryNotFound:
        return LibraryNotFound(f"There is no library {library} here.")
    return StoreError(f"Milvus failed while {doing}: {reason}.", _REPORT_HINT)
