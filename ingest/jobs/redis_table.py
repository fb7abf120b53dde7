"""The table of jobs on a Redis server: a hash per job, and two sorted sets that order them.

Each value is stored as JSON, so that what is read is of the type that was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from redis import ConnectionPool, Redis

from ingest.jobs.job import FIELDS, OPEN_STATES, Fields, Job
from ingest.jobs.redis_server import told_plainly
from search_core.messages import restored, stored

_PREFIX = "sightline:jobs"
_ALL, _OPEN, _COUNT = f"{_PREFIX}:all", f"{_PREFIX}:open", f"{_PREFIX}:count"

#: KEYS: the job, all, open, count. ARGV: the job's id, then its fields and values.
_INSERT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return end
local number = redis.call('INCR', KEYS[4])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('HSET', KEYS[1], 'number', number)
redis.call('ZADD', KEYS[2], number, ARGV[1])
redis.call('ZADD', KEYS[3], number, ARGV[1])
"""
#: KEYS: the job, open. ARGV: its id, "1" where it becomes open, "0" where it is over, "" where
#: that stays, the number of conditions, their fields and values, then those to be changed.
_UPDATE = """
local last = 3 + 2 * tonumber(ARGV[3])
for i = 4, last, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, last + 1))
if ARGV[2] == '1' then
    redis.call('ZADD', KEYS[2], redis.call('HGET', KEYS[1], 'number'), ARGV[1])
elseif ARGV[2] == '0' then
    redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
"""
#: KEYS: the job, all. ARGV: its id, when it was over. One that is tried again meanwhile stays.
_REMOVE = """
if redis.call('HGET', KEYS[1], 'finished_ms') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
"""
_AT_ONCE = 1000


class RedisJobTable:
    """The jobs of one database of a Redis server, for workers on any machine."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._redis: Any = Redis(connection_pool=pool)
        self._insert = self._redis.register_script(_INSERT)
        self._update = self._redis.register_script(_UPDATE)
        self._remove = self._redis.register_script(_REMOVE)

    def insert(self, job: Job) -> None:
        """Add a job, newer than all there are; where there is one of its id, do nothing."""
        given = {name: getattr(job, name) for name in FIELDS}
        with told_plainly():
            self._insert([_key(job.id), _ALL, _OPEN, _COUNT], [job.id, *_flat(given)])

    def get(self, job_id: str) -> Job | None:
        """Return one job, or None when there is none of that id."""
        found = self._jobs([job_id])
        return found[0] if found else None

    def newest(self, limit: int) -> list[Job]:
        """Return at most so many jobs, newest first."""
        with told_plainly():
            ids = self._redis.zrange(_ALL, 0, limit - 1, desc=True) if limit > 0 else []
        return self._jobs(ids)

    def open(self) -> list[Job]:
        """Return the jobs that are queued or running, oldest first."""
        with told_plainly():
            ids = self._redis.zrange(_OPEN, 0, -1)
        return self._jobs(ids)

    def update(self, job_id: str, where: Fields, changes: Fields) -> bool:
        """Change these fields if those of ``where`` have these values; return whether they had."""
        becomes = str(int(changes["state"] in OPEN_STATES)) if "state" in changes else ""
        values = [job_id, becomes, str(len(where)), *_flat(where), *_flat(changes)]
        with told_plainly():
            return bool(self._update([_key(job_id), _OPEN], values))

    def count_finished(self, before_ms: int) -> int:
        """Return how many jobs were over before a moment, epoch milliseconds."""
        with told_plainly():
            return sum(1 for _ in self._finished(before_ms))

    def remove_finished(self, before_ms: int) -> int:
        """Remove the jobs that were over before a moment; return how many those were."""
        with told_plainly():
            return sum(
                self._remove([_key(job_id), _ALL], [job_id, finished])
                for job_id, finished in list(self._finished(before_ms))
            )

    def now_ms(self) -> int:
        """Return the server's time, epoch milliseconds."""
        with told_plainly():
            seconds, micros = self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.connection_pool.disconnect()

    def _finished(self, before_ms: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield the ids of jobs that were over before a moment, and when, as it is stored."""
        ids = self._redis.zrange(_ALL, 0, -1)
        for start in range(0, len(ids), _AT_ONCE):
            asking = self._redis.pipeline(transaction=False)
            for job_id in ids[start : start + _AT_ONCE]:
                asking.hget(_key(job_id), "finished_ms")
            for job_id, written in zip(ids[start:], asking.execute(), strict=False):
                finished_ms = json.loads(written) if written else None
                if finished_ms is not None and finished_ms < before_ms:
                    yield job_id, written

    def _jobs(self, ids: Iterable[bytes | str]) -> list[Job]:
        with told_plainly():
            asking = self._redis.pipeline(transaction=False)
            for job_id in ids:
                asking.hgetall(_key(job_id))
            rows = asking.execute()
        return [_job(row) for row in rows if row]


def _key(job_id: bytes | str) -> str:
    return f"{_PREFIX}:{job_id.decode() if isinstance(job_id, bytes) else job_id}"


def _flat(fields: Fields) -> list[str]:
    """Return names and values in turn."""
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise ValueError(f"a job has no field {', '.join(unknown)}")
    return [part for name, value in fields.items() for part in (name, json.dumps(stored(value)))]


def _job(row: dict[bytes, bytes]) -> Job:
    found = {name.decode(): value for name, value in row.items()}
    return Job(**{name: restored(json.loads(found[name])) for name in FIELDS if name in found})
