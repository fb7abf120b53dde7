"""The count of an ingest under way: its report, and the progress it tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePath

from ingest.outcomes import IngestReport, Progress, SourceOutcome
from ingest.writer import Writer


class Accounts:
    """Counts sources as they are finished, and tells of it; ``keyframes`` is set from outside."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self.report = IngestReport(stages={"decode": 0.0, "embed": 0.0, "write": 0.0})
        self.sources_total = 0
        self.keyframes = 0
        self._on_progress = on_progress
        self._settled = 0
        self._uri = self._waiting = ""

    def settle(self, writer: Writer) -> None:
        """Count the sources whose rows were written since the last time."""
        for outcome in writer.settled(self._settled):
            self._settled += 1
            self.finish(outcome)

    def finish(self, outcome: SourceOutcome) -> None:
        """Count one source."""
        self.report.add(outcome)
        self.tell(outcome.uri)

    def leave_out(self, uris: Iterable[str]) -> None:
        """Count keyframes, named by the sources they are of, as left out after all."""
        repeated = Counter(uris)
        self.report.keyframes -= repeated.total()
        self.report.left_out += repeated.total()
        self.report.outcomes[:] = [
            replace(
                outcome,
                keyframes=outcome.keyframes - repeated[outcome.uri],
                left_out=outcome.left_out + repeated[outcome.uri],
            )
            if outcome.status == "done" and repeated[outcome.uri]
            else outcome
            for outcome in self.report.outcomes
        ]

    def wait(self, text: str) -> None:
        """Tell that Milvus is waited for; an empty text says that it answers again."""
        self._waiting = text
        self.tell(self._uri)

    def tell(self, uri: str) -> None:
        """Tell how far the ingest is, now that it heard of a source."""
        self._uri = uri
        if self._on_progress is None:
            return
        report = self.report
        self._on_progress(
            Progress(
                sources_total=self.sources_total,
                sources_finished=len(report.outcomes),
                keyframes=self.keyframes,
                current=PurePath(uri).name,
                done=report.done,
                skipped=report.skipped,
                failed=report.failed,
                waiting=self._waiting,
            )
        )
