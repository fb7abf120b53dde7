"""The comparisons kept in the data directory: a folder for each job that measured one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

from search_core.lab.recommendation import Recommendation, recommend
from search_core.lab.records import Comparison, RunContext, read_jsonl
from search_core.lab.report.frames import runs_frame

_RUNS = "runs.jsonl"
_REPORT = "report.html"
_READ_AT_ONCE = 64


@dataclass(frozen=True)
class KeptComparison:
    """One comparison and the job that measured it."""

    job_id: str
    folder: Path
    comparison: Comparison

    @property
    def context(self) -> RunContext:
        """What its measurements share."""
        return self.comparison.context

    @property
    def measured_ms(self) -> int:
        """When it began, epoch milliseconds."""
        return round(datetime.fromisoformat(self.context.started_at).timestamp() * 1000)

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end: what was cancelled has no report."""
        return self.report_path.is_file()

    @property
    def report_path(self) -> Path:
        """Its report, one page of HTML; there only where the comparison came to its end."""
        return self.folder / _REPORT

    @cached_property
    def index_types(self) -> tuple[str, ...]:
        """The index types it has searches of, in the order they were measured."""
        return tuple(dict.fromkeys(run.index_type for run in self.comparison.searches))

    @cached_property
    def advice(self) -> Recommendation | None:
        """The setting to use for the recall that was asked for; None where none gave numbers."""
        return recommend(self.comparison.runs, self.context.target_recall)

    def to_csv(self) -> str:
        """Return all its measurements, a line each."""
        return str(runs_frame([self.comparison]).to_csv(index=False))


def kept_comparisons(folder: Path, library: str) -> list[KeptComparison]:
    """Return the comparisons of a library in ``folder`` that have searches, newest first.

    What cannot be read as one is left out; the disk is asked about each file every time, and a
    file is read once.
    """
    found = []
    for path in folder.glob(f"*/{_RUNS}"):
        try:
            stat = path.stat()
            kept = _read(path, stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if kept.context.library == library and kept.comparison.searches:
            found.append(kept)
    return sorted(found, key=lambda kept: kept.measured_ms, reverse=True)


@lru_cache(maxsize=_READ_AT_ONCE)
def _read(path: Path, _changed_ns: int, _size: int) -> KeptComparison:
    kept = KeptComparison(path.parent.name, path.parent, read_jsonl(path))
    datetime.fromisoformat(kept.context.started_at)  # what is not a time is damage, found here
    return kept
