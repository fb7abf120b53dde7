from __future__ import annotations

import inspect

import pytest
from pymilvus import exceptions
from pymilvus.exceptions import ErrorCode, MilvusException

from search_core.errors import (
    FilterError,
    LibraryNotFound,
    SightlineError,
    StoreError,
    StoreUnavailable,
)
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.errors import MILVUS_EXCEPTIONS, milvus_errors
from search_core.store.milvus.store import MilvusStore
from tests.support.waiting import free_port

#: Exceptions of pymilvus that say nothing which their codes and words do not.
MEAN_NO_MORE = {
    MilvusException,
    exceptions.ParamError,
    exceptions.DescribeCollectionException,
    exceptions.PartitionAlreadyExistException,
    exceptions.AmbiguousIndexName,
    exceptions.CannotInferSchemaException,
    exceptions.SchemaNotReadyException,
    exceptions.DataTypeNotMatchException,
    exceptions.DataTypeNotSupportException,
    exceptions.DataNotMatchException,
    exceptions.PrimaryKeyException,
    exceptions.PartitionKeyException,
    exceptions.ClusteringKeyException,
    exceptions.FieldsTypeException,
    exceptions.FunctionsTypeException,
    exceptions.FieldTypeException,
    exceptions.AutoIDException,
    exceptions.InvalidConsistencyLevel,
    exceptions.ServerVersionIncompatibleException,
}


def test_every_exception_of_pymilvus_is_mapped() -> None:
    upstream = {
        item
        for _, item in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(item, MilvusException)
    }
    assert upstream == {*MILVUS_EXCEPTIONS, *MEAN_NO_MORE}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (MilvusException(ErrorCode.COLLECTION_NOT_FOUND, "gone"), LibraryNotFound),
        (MilvusException(65535, "cannot parse expression: x"), FilterError),
        (MilvusException(2, "server unavailable: connection refused"), StoreUnavailable),
        (exceptions.ParamError(message="odd"), StoreError),
    ],
)
def test_errors_say_what_was_being_done(raised: Exception, expected: type[SightlineError]) -> None:
    with pytest.raises(expected) as caught, milvus_errors("counting cars", "main"):
        raise raised
    assert (
        "main" in str(caught.value)
        or "counting cars" in str(caught.value)
        or "filter" in str(caught.value)
    )


def test_an_unreachable_server_is_one_sentence() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        MilvusStore(Endpoint(f"http://127.0.0.1:{free_port()}", timeout_s=1, embedded=False))
    assert "cannot be reached" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "SIGHTLINE_MILVUS_URI" in caught.value.hint


@pytest.mark.parametrize(
    "reason",
    [
        "attempt #0: stack trace: /go/tracer/stack_trace.go:51\n/go/main\nnode not found[node=3]",
        "attempt #1: channel not available[channel=by-dev-dml_1]",
        "fail to Search, QueryNode ID=3, reason=collection not found[collection=450]",
    ],
)
def test_what_a_restarting_server_wraps_in_its_general_code_is_not_ready_yet(reason: str) -> None:
    with (
        pytest.raises(StoreUnavailable, match="not ready yet") as caught,
        milvus_errors("flushing"),
    ):
        raise MilvusException(65535, reason)
    assert "stack trace" not in str(caught.value)
