"""Files with the content of another one in the same ingest: they end as that one does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ingest.engines.base import Failed, Finished
from ingest.report import SourceOutcome

#: Where a file fails for what its content is, so that every copy of it does.
_BY_CONTENT = ("open", "decode")


@dataclass(slots=True)
class Duplicates:
    """Holds duplicates until the first file with their content has ended.

    ``again`` are those to be taken in themselves, because the first one failed for another reason
    than its content; the caller empties it.
    """

    again: list[SourceOutcome] = field(default_factory=list)
    _waiting: dict[str, list[SourceOutcome]] = field(default_factory=dict)
    _ended: dict[str, Finished | Failed] = field(default_factory=dict)

    def offer(self, duplicate: SourceOutcome) -> list[SourceOutcome]:
        """Take a duplicate; return the outcomes that are true now."""
        self._waiting.setdefault(duplicate.source_id, []).append(duplicate)
        first = self._ended.get(duplicate.source_id)
        return [] if first is None else self._settled(duplicate.source_id, first)

    def end(self, source_id: str, event: Finished | Failed) -> list[SourceOutcome]:
        """Note how the first file ended; return the outcomes of its duplicates so far."""
        self._ended[source_id] = event
        return self._settled(source_id, event)

    def _settled(self, source_id: str, event: Finished | Failed) -> list[SourceOutcome]:
        duplicates = self._waiting.pop(source_id, [])
        if isinstance(event, Finished):
            return duplicates
        if event.stage in _BY_CONTENT:
            return [
                replace(item, status="failed", stage=event.stage, reason=event.reason)
                for item in duplicates
            ]
        if duplicates:
            self._ended.pop(source_id)
            self.again += duplicates
        return []
