"""The latest index comparison of each library, kept in the data directory for all sessions."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search_core.lab.records import IndexRun
from search_core.library import check_library_name


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs measured together, and when: epoch milliseconds."""

    measured_ms: int
    runs: tuple[IndexRun, ...]


def latest(data_dir: Path, library: str) -> Comparison | None:
    """Return a library's latest comparison; None when there is none that can be read."""
    try:
        record = json.loads(_path(data_dir, library).read_text(encoding="utf-8"))
        return Comparison(
            int(record["measured_ms"]), tuple(IndexRun.from_dict(run) for run in record["runs"])
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(data_dir: Path, library: str, runs: Sequence[IndexRun], measured_ms: int) -> None:
    """Write a comparison in place of the one before, in one step."""
    path = _path(data_dir, library)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.tmp")
    record = {"measured_ms": measured_ms, "runs": [run.to_dict() for run in runs]}
    part.write_text(json.dumps(record, indent=1), encoding="utf-8")
    part.replace(path)


def _path(data_dir: Path, library: str) -> Path:
    return data_dir / "comparisons" / f"{check_library_name(library)}.json"
