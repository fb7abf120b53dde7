"""One job, as it is stored and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from search_core.messages import restored, stored

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


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

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Read what :meth:`to_text` wrote."""
        return cls(**restored(json.loads(text)))

    def to_text(self) -> str:
        """Return all of it as JSON, as tables store it."""
        return json.dumps(stored(self._values()))

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in ("queued", "running")

    def to_dict(self) -> dict[str, Any]:
        """Return what people are shown of it, as plain JSON values."""
        hidden = ("cancel", "worker", "beat_ms")
        return {name: value for name, value in self._values().items() if name not in hidden}

    def _values(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}
