"""Reaching the Redis server that workers share, and its errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import ConnectionPool, Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from search_core.errors import QueueUnavailable, in_words

_CONNECT_S = 5.0
_ANSWER_S = 15.0


def connect(url: str) -> ConnectionPool:
    """Return connections to a server; none is made yet."""
    return ConnectionPool.from_url(
        url, socket_connect_timeout=_CONNECT_S, socket_timeout=_ANSWER_S, health_check_interval=30
    )


def forgets(pool: ConnectionPool) -> bool:
    """Whether a server may lose what it was told last, as far as it says; raises QueueUnavailable.

    It is one that keeps no log of what it is told (appendonly).
    """
    with told_plainly():
        try:
            told = Redis(connection_pool=pool).info("persistence")
        except (NoPermissionError, ResponseError):  # some hosts do not tell
            return False
    return isinstance(told, dict) and told.get("aof_enabled") == 0


@contextmanager
def told_plainly() -> Iterator[None]:
    """Raise QueueUnavailable for whatever Redis raises."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise QueueUnavailable(
            "The job queue's Redis refuses this login: {reason}.",
            "Look at the name and the password in SIGHTLINE_QUEUE.",
            reason=in_words(error),
        ) from error
    except RedisError as error:
        raise QueueUnavailable(
            "The job queue's Redis does not answer: {error}.",
            "Look at SIGHTLINE_QUEUE, and whether that server runs.",
            error=in_words(error),
        ) from error
