"""One job, as it is stored and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
#: States of jobs that are still to be done, or being done.
OPEN_STATES: tuple[JobState, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    ``progress`` goes from 0 to 1. ``counts`` of an ingest has total, finished, done, skipped,
    failed sources and keyframes; ``message`` says what is being done, or how it ended. ``report``
    is what it did, once it is over. Times are epoch milliseconds of the queue's own clock.

    ``request`` is what was asked, ``cancel`` whether a running job is to stop, ``attempts`` how
    often a worker took it, ``worker`` the hold of the one that has it, and ``beat_ms`` when that
    one last said that it lives.
    """

    id: str
    kind: str
    title: str
    state: JobState
    progress: float
    counts: dict[str, int]
    message: str
    created_ms: int
    started_ms: int | None = None
    finished_ms: int | None = None
    report: dict[str, Any] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    cancel: bool = False
    attempts: int = 0
    worker: str = ""
    beat_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in OPEN_STATES

    def to_dict(self) -> dict[str, Any]:
        """Return what people are shown of it, as plain JSON values."""
        hidden = ("cancel", "worker", "beat_ms")
        return {name: getattr(self, name) for name in FIELDS if name not in hidden}


#: The fields of a job, as tables store them.
FIELDS: tuple[str, ...] = tuple(item.name for item in fields(Job))
#: Those that hold JSON.
JSON_FIELDS = ("counts", "report", "request")
#: Some fields of a job and their values.
Fields = Mapping[str, Any]
