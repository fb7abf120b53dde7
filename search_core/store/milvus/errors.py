"""Map what Milvus raises to Sightline's errors: the one place that knows its codes and its words.

A server since 2.3 answers with a ``code`` and, for clients of 2.2, a legacy ``error_code``; which
of the two is set depends on the version (tests/support/milvus_replay/statuses.tsv). Both are read.
Words are matched only where no code tells: what 2.3.5 wraps into code 65535, what an object store
or the parser of filters says, and what Milvus Lite and pymilvus say themselves. A test holds the
list of places that match words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import grpc
from pymilvus import exceptions as milvus
from pymilvus.exceptions import MilvusException

from search_core.errors import (
    DiskFull,
    FilterError,
    IndexParameterError,
    LibraryNotFound,
    QuotaExceeded,
    SightlineError,
    StoreAccessDenied,
    StoreError,
    StoreUnavailable,
    without_class_names,
)
from search_core.messages import Message
from search_core.system.machine import FULL_HINT


class Meaning(Enum):
    """What an answer of Milvus means to Sightline."""

    MISSING = auto()  # the collection or the alias does not exist
    NOT_READY = auto()  # it exists and cannot be searched yet: loading, released, recovering
    UNREACHABLE = auto()
    UNAUTHENTICATED = auto()
    DENIED = auto()  # the user lacks a privilege
    RATE_LIMITED = auto()
    QUOTA = auto()
    DISK_FULL = auto()
    MEMORY_FULL = auto()
    SCHEMA_CHANGED = auto()  # pymilvus's copy of the schema is stale; the same call works again
    NO_INDEX = auto()
    FILTER = auto()
    PARAMETER = auto()
    OTHER = auto()


#: ``status.code``, by pkg/util/merr/errors.go of Milvus 2.3 to 3.0.
CODES: dict[int, Meaning] = {
    3: Meaning.MEMORY_FULL,
    7: Meaning.DISK_FULL,
    8: Meaning.RATE_LIMITED,
    9: Meaning.QUOTA,
    **dict.fromkeys((11, 110), Meaning.NOT_READY),  # the time tick, the schema's version lag behind
    100: Meaning.MISSING,
    **dict.fromkeys((101, 103, 106), Meaning.NOT_READY),  # not loaded, not fully, recovering
    109: Meaning.SCHEMA_CHANGED,
    **dict.fromkeys((201, 202, 400, 401), Meaning.NOT_READY),  # a partition, a replica
    **dict.fromkeys((500, 501, 503), Meaning.NOT_READY),  # a channel
    **dict.fromkeys((600, 601, 602), Meaning.NOT_READY),  # a segment
    700: Meaning.NO_INDEX,
    701: Meaning.PARAMETER,  # index type not supported
    **dict.fromkeys((901, 902, 903, 905), Meaning.NOT_READY),  # a node
    1600: Meaning.MISSING,  # alias not found
}
#: ``status.error_code``, by common.proto. Milvus Lite's own numbers here (6, 11, 26, 35, 101, 200)
#: mean other things than the enumeration says, so those are left out.
LEGACY_CODES: dict[int, Meaning] = {
    4: Meaning.MISSING,
    25: Meaning.NO_INDEX,
    46: Meaning.NOT_READY,  # no replica available
    48: Meaning.QUOTA,  # force deny
    49: Meaning.RATE_LIMITED,
    52: Meaning.MEMORY_FULL,
    54: Meaning.DISK_FULL,
    56: Meaning.NOT_READY,  # server not ready
    62: Meaning.SCHEMA_CHANGED,
}
GRPC_CODES: dict[grpc.StatusCode, Meaning] = {
    grpc.StatusCode.UNAUTHENTICATED: Meaning.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: Meaning.DENIED,
    grpc.StatusCode.UNAVAILABLE: Meaning.UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Meaning.UNREACHABLE,
}
#: gRPC's codes for a call that the server cannot take, whenever it is made.
_REFUSED = (
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of Milvus that mean something no code tells; ``who`` says them, and since when."""

    text: str
    meaning: Meaning
    who: str


#: In order: the first that is found counts. Compared in lower case.
PHRASES: tuple[Words, ...] = (
    # First, since what follows them is the filter, with words of the user.
    Words("cannot parse expression", Meaning.FILTER, "2.3.5: 65535; later 1100; Milvus Lite"),
    Words("failed to create query plan", Meaning.FILTER, "2.3.5: 65535; later 1100"),
    Words("predicate is not a boolean expression", Meaning.FILTER, "2.3.5: 65535; later 1100"),
    Words("unsupported expression", Meaning.FILTER, "2.5 and later, code 1100"),
    Words("escape sequence", Meaning.FILTER, "Milvus Lite"),
    Words("fail to search, querynode", Meaning.NOT_READY, "2.3.5, code 65535, around any reason"),
    Words("fail to query, querynode", Meaning.NOT_READY, "2.3.5, code 65535, around any reason"),
    Words("no acitvate sheard leader", Meaning.NOT_READY, "2.5 and later, code 65535"),
    Words("node not found", Meaning.NOT_READY, "2.3.5, code 65535, around a retry's attempts"),
    Words("node offline", Meaning.NOT_READY, "2.3.5, code 65535, around a retry's attempts"),
    Words("channel not found", Meaning.NOT_READY, "2.3.5, code 65535, around a retry's attempts"),
    Words("not available", Meaning.NOT_READY, "2.3.5, code 65535: a node, a channel, a replica"),
    Words("no available", Meaning.NOT_READY, "2.3.5, code 65535: a node, a channel, a replica"),
    Words("is recovering", Meaning.NOT_READY, "2.3.5, code 65535"),
    Words("call load() before", Meaning.NOT_READY, "Milvus Lite"),
    Words("not loaded", Meaning.NOT_READY, "2.3.5, code 65535; Milvus Lite"),
    Words("not fully loaded", Meaning.NOT_READY, "2.3.5, code 65535"),
    Words("invalid index params", Meaning.PARAMETER, "2.3.5: 65535; later 1100"),
    Words("invalid index type", Meaning.PARAMETER, "2.3.5: 65535; later 1100"),
    Words("index type not supported", Meaning.PARAMETER, "2.3.5 and 2.4 around code 701"),
    Words("metric type not", Meaning.PARAMETER, "2.3.5: 65535; later 1100"),
    Words("should be in range", Meaning.PARAMETER, "65535: topk, the window of offset and limit"),
    Words("out of range", Meaning.PARAMETER, "2.3.5: 65535; later 1100; Milvus Lite"),
    Words("minimum free drive threshold", Meaning.DISK_FULL, "MinIO, code 1001 or 2001"),
    Words("xminiostoragefull", Meaning.DISK_FULL, "MinIO, code 1001 or 2001"),
    Words("disk space is not enough", Meaning.DISK_FULL, "2.3.5 and 2.4.0, code 65535"),
    Words("no space left", Meaning.DISK_FULL, "the operating system, any version"),
    Words("disk quota exceeded", Meaning.DISK_FULL, "the operating system; Milvus has code 9"),
    Words("disk full", Meaning.DISK_FULL, "the operating system, any version"),
    Words("connection refused", Meaning.UNREACHABLE, "gRPC"),
    Words("connection reset", Meaning.UNREACHABLE, "gRPC"),
    Words("fail connecting", Meaning.UNREACHABLE, "pymilvus"),
    Words("closed channel", Meaning.UNREACHABLE, "pymilvus"),
    Words("retry timeout", Meaning.UNREACHABLE, "pymilvus"),
    Words("deadline exceeded", Meaning.UNREACHABLE, "gRPC; a Milvus node of another"),
    Words("unavailable", Meaning.UNREACHABLE, "gRPC; a Milvus node of another"),
    Words("not ready", Meaning.NOT_READY, "2.3.5: a node of another; proxy: any version"),
    Words("not healthy", Meaning.NOT_READY, "2.3.5: a node of another"),
)
#: A QueryNode names a collection by its number: released or dropped under a search, not missing.
_BY_NUMBER = re.compile(r"\[collection=\d+\]")

#: What pymilvus's own exceptions mean where nothing else tells; the others mean nothing more. A
#: test fails when pymilvus grows another.
MILVUS_EXCEPTIONS: dict[type[MilvusException], Meaning] = {
    milvus.ConnectError: Meaning.UNREACHABLE,
    milvus.MilvusUnavailableException: Meaning.UNREACHABLE,
    milvus.CollectionNotExistException: Meaning.MISSING,
    milvus.IndexNotExistException: Meaning.NO_INDEX,
    milvus.SchemaMismatchRetryableException: Meaning.SCHEMA_CHANGED,
    milvus.ConnectionNotExistException: Meaning.UNREACHABLE,
    milvus.ConnectionConfigException: Meaning.UNREACHABLE,
}


_NOT_READY = (
    StoreUnavailable,
    Message("Milvus is not ready yet ({doing}): {reason}."),
    Message("It is starting, loading or recovering; try again in a moment."),
)
_FAILED = (
    StoreError,
    Message("Milvus failed while {doing}: {reason}."),
    Message("`sightline doctor` shows the state of Milvus."),
)
#: What each meaning is to the user: an error, what happened, and what to do.
_ERRORS: dict[Meaning, tuple[type[SightlineError], str, str]] = {
    Meaning.MISSING: (
        LibraryNotFound,
        Message("There is no library {name} here."),
        Message("`sightline library list` shows what there is."),
    ),
    Meaning.NOT_READY: _NOT_READY,
    Meaning.SCHEMA_CHANGED: _NOT_READY,
    Meaning.UNREACHABLE: (
        StoreUnavailable,
        Message("Milvus cannot be reached while {doing}: {reason}."),
        Message(
            "Check that Milvus runs and that SIGHTLINE_MILVUS_URI names it; "
            "`sightline doctor` tries the connection."
        ),
    ),
    Meaning.UNAUTHENTICATED: (
        StoreAccessDenied,
        Message("Milvus refuses the user name or the password ({doing})."),
        Message("Set SIGHTLINE_MILVUS_TOKEN to USER:PASSWORD."),
    ),
    Meaning.DENIED: (
        StoreAccessDenied,
        Message("The user of Milvus lacks a privilege ({doing}): {reason}."),
        Message(
            "docs/milvus.md lists the privileges that Sightline needs; an administrator grants "
            "them."
        ),
    ),
    Meaning.RATE_LIMITED: (
        StoreUnavailable,
        Message("Milvus limits how often this may be done ({doing}): {reason}."),
        Message(
            "By default Milvus flushes a collection once in 10 seconds. Try again in a moment, or "
            "raise quotaAndLimits.flushRate.collection.max in milvus.yaml."
        ),
    ),
    Meaning.QUOTA: (
        QuotaExceeded,
        Message("Milvus refuses to go on ({doing}): {reason}."),
        Message(
            "Its quotas are under quotaAndLimits in milvus.yaml. Give Milvus more memory or disk, "
            "or delete what is not needed, then run the same command again: it goes on from there."
        ),
    ),
    Meaning.DISK_FULL: (
        DiskFull,
        Message("The disk that Milvus keeps its rows on is full ({doing})."),
        FULL_HINT,
    ),
    Meaning.MEMORY_FULL: (
        StoreError,
        Message("Milvus has too little memory ({doing}): {reason}."),
        Message(
            "Give Milvus more memory, or use an index that needs less: `sightline index advise`."
        ),
    ),
    Meaning.FILTER: (FilterError, Message("Milvus cannot read the filter: {reason}."), ""),
    Meaning.PARAMETER: (
        IndexParameterError,
        Message("Milvus refused a parameter while {doing}: {reason}."),
        "",
    ),
}


def meaning_of(error: BaseException) -> Meaning:
    """Return what an exception of pymilvus or gRPC means: by its codes, else by its words.

    pymilvus wraps errors when it retries or connects, and loses codes by it: the innermost of the
    chain of causes that has a meaning counts.
    """
    chain = list(_chain(error))[::-1]
    meanings = [*map(_by_code, chain), *map(_by_words, chain)]
    if known := next((meaning for meaning in meanings if meaning is not Meaning.OTHER), None):
        return known
    if any(isinstance(link, MilvusException) and link.retriable for link in chain):
        return Meaning.NOT_READY
    rpc = [link for link in chain if isinstance(link, grpc.RpcError)]
    if rpc and not any(_grpc_code(link) in _REFUSED for link in rpc):
        return Meaning.UNREACHABLE
    kinds: dict[type[Any], Meaning] = dict(MILVUS_EXCEPTIONS)
    return kinds.get(type(error), Meaning.OTHER)


def is_missing(error: MilvusException) -> bool:
    """Whether Milvus answers that a collection or an alias does not exist."""
    return meaning_of(error) is Meaning.MISSING


def is_not_ready(error: MilvusException) -> bool:
    """Whether a collection exists and cannot be searched yet, or any more: the same may work soon.

    Includes that Milvus knows of a newer schema than pymilvus remembers.
    """
    return meaning_of(error) in (Meaning.NOT_READY, Meaning.SCHEMA_CHANGED)


def is_access(error: BaseException) -> bool:
    """Whether Milvus refuses the user: no waiting helps."""
    return meaning_of(error) in (Meaning.UNAUTHENTICATED, Meaning.DENIED)


def reason_of(error: BaseException) -> str:
    """Return what Milvus said in one line, at most 300 characters, without a full stop.

    That is the first line, but where 2.3.5 puts a stack trace before the reason the last one.
    """
    if isinstance(error, grpc.RpcError):
        said = str(error.details() or error.code()) if isinstance(error, grpc.Call) else ""
    elif isinstance(error, MilvusException):
        # pymilvus hands what the server says of a stale schema over in place of the code.
        said = error.message or (error.code if isinstance(error.code, str) else "")
    else:
        said = str(error)
    lines = said.strip().splitlines()
    if not lines:
        return "it gave no reason"
    line = lines[-1].strip() if "stack trace:" in lines[0] else lines[0]
    return without_class_names(line)[:300].rstrip(". ") or "it gave no reason"


@contextmanager
def milvus_errors(doing: str, library: str = "") -> Iterator[None]:
    """Turn what Milvus raises while ``doing`` something into Sightline's errors."""
    try:
        yield
    except (MilvusException, grpc.RpcError) as error:
        raise to_error(error, doing, library) from error


def to_error(error: BaseException, doing: str, library: str = "") -> SightlineError:
    """Return the error of Sightline's that an exception of pymilvus or gRPC means."""
    meaning = meaning_of(error)
    kind, said, hint = _ERRORS.get(meaning, _FAILED)
    reason = _denied(error) if meaning is Meaning.DENIED else reason_of(error)
    return kind(Message(said, name=library, doing=doing, reason=reason), hint)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:  # pymilvus raises errors from themselves
        seen.add(id(link))
        yield link
        link = link.__cause__


def _by_code(error: BaseException) -> Meaning:
    if isinstance(error, grpc.RpcError):
        return GRPC_CODES.get(_grpc_code(error), Meaning.OTHER)
    if not isinstance(error, MilvusException):
        return Meaning.OTHER
    code: Any = error.code
    if isinstance(code, grpc.StatusCode):
        return GRPC_CODES.get(code, Meaning.OTHER)
    if isinstance(error, milvus.SchemaMismatchRetryableException):
        return Meaning.SCHEMA_CHANGED
    meaning = CODES.get(code, Meaning.OTHER) if isinstance(code, int) else Meaning.OTHER
    if meaning is Meaning.OTHER:
        meaning = LEGACY_CODES.get(error.compatible_code, Meaning.OTHER)
    if meaning is Meaning.MISSING and _BY_NUMBER.search(error.message):
        return Meaning.NOT_READY
    return meaning


def _grpc_code(error: grpc.RpcError) -> Any:
    """Return the status of a call that failed, None where it has none."""
    return error.code() if isinstance(error, grpc.Call) else None


def _by_words(error: BaseException) -> Meaning:
    said = error.message if isinstance(error, MilvusException) else ""
    if isinstance(error, grpc.RpcError):
        said = reason_of(error)
    said = str(said or "").lower()
    return next((words.meaning for words in PHRASES if words.text in said), Meaning.OTHER)


def _denied(error: BaseException) -> str:
    links = [link for link in _chain(error) if _by_code(link) is Meaning.DENIED]
    return reason_of(links[-1])
