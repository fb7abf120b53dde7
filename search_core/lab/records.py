"""What a comparison writes down: an IndexRun per measurement, and all it takes to repeat it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from search_core.indexes.milvus_version import ServerInfo
from search_core.messages import restored, stored
from search_core.system.machine import cores


def versions(server: ServerInfo) -> dict[str, str]:
    """Return the versions that decide what is measured, by name; ``?`` where there is none."""
    return {
        "sightline": _version("sightline"),
        "milvus": str(server),
        "pymilvus": _version("pymilvus"),
        "numpy": _version("numpy"),
        "torch": _version("torch"),
        "open_clip": _version("open_clip_torch"),
        "python": platform.python_version(),
    }


def machine() -> dict[str, str | int]:
    """Return this machine: its processor, the cores this process may use, memory, system."""
    return {
        "cpu": _processor(),
        "cores": cores(),
        "memory_bytes": _memory_bytes(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


#: The measurements of a comparison's first pass, in the folder that gets those of all of it.
FIRST_FILE = "first.jsonl"
#: ``search``: one query at a time; ``batch``: nq queries a request; ``throughput``: several clients
#: at once; ``build``: an index built, or one that could not be.
RunKind = Literal["search", "batch", "throughput", "build"]
#: Where the queries came from. Sentences lie elsewhere in the space than stored pictures do.
QueryKind = Literal["image", "text", "recorded_text", "recorded_image"]
#: ``fixed``: the search parameters as named; ``filter_aware``: raised or exact, as search does it.
Strategy = Literal["fixed", "filter_aware"]
SizeFrom = Literal["measured", "estimated", ""]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all measurements of one comparison share.

    ``rows`` vectors of ``dim`` dimensions were compared, of the ``library_rows`` the library has.
    ``versions`` names sightline, milvus, pymilvus, numpy and python; ``machine`` has ``cpu``,
    ``cores``, ``memory_bytes``, ``os``. ``started_at`` is ISO 8601 in UTC. ``target_recall`` is
    what was asked for; ``remarks`` say what a reader must know of all of it. ``identity`` is the
    encoder's (see EncoderIdentity), ``asked`` all options of the comparison.
    """

    run_id: str
    started_at: str
    library: str
    encoder: str
    metric: str
    dim: int
    rows: int
    library_rows: int
    k: int
    seed: int
    repeats: int
    versions: Mapping[str, str]
    machine: Mapping[str, str | int]
    target_recall: float = 0.95
    remarks: tuple[str, ...] = ()
    identity: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexRun:
    """One index, one search setting, one kind of query, one filter: measured.

    ``ann_recall_at_k`` has the 95 % interval ``recall_low`` to ``recall_high``. ``p50_ms``,
    ``p95_ms``, ``p99_ms`` are client-side times of one request, warm; ``p50_low_ms`` to
    ``p50_high_ms`` is the 95 % interval of the median over the interleaved repeats. ``nq`` queries
    are in a request, ``concurrency`` clients (threads of one process) ask at once, ``qps`` queries
    are answered a second. ``selectivity`` is the share of the rows that pass ``filter`` (a label,
    "" for none). ``index_bytes`` is the index's size on disk and ``memory_bytes`` what it holds
    loaded; ``index_from`` and ``memory_from`` say whether each was measured or estimated by
    formula. Runs of one ``lot`` were measured in turns; a reference asked in every lot was
    ``drift_low`` to ``drift_high`` (95 % interval) times as slow in this one as in the first.
    ``notes`` say what a reader must know (a parameter that changed nothing); ``error`` why a trial
    gave no numbers.
    """

    kind: RunKind
    index_type: str
    build_params: Mapping[str, Any]
    search_params: Mapping[str, Any] = field(default_factory=dict)
    query_kind: QueryKind = "image"
    strategy: Strategy = "fixed"
    filter: str = ""
    selectivity: float = 1.0
    k: int = 10
    rows: int = 0
    queries: int = 0
    nq: int = 1
    concurrency: int = 1
    ann_recall_at_k: float | None = None
    recall_low: float | None = None
    recall_high: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p50_low_ms: float | None = None
    p50_high_ms: float | None = None
    qps: float | None = None
    build_s: float | None = None
    load_s: float | None = None
    index_bytes: int | None = None
    memory_bytes: int | None = None
    index_from: SizeFrom = ""
    memory_from: SizeFrom = ""
    lot: int = 0
    drift_low: float = 1.0
    drift_high: float = 1.0
    notes: tuple[str, ...] = ()
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; milliseconds and shares to five significant digits."""
        return {
            name: float(f"{value:.5g}") if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> IndexRun:
        """Read what :meth:`to_dict` wrote."""
        values = {**record, "notes": tuple(record.get("notes", ()))}
        if "size_from" in values:  # written of both sizes together once
            values["index_from"] = values["memory_from"] = values.pop("size_from")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The measurements of one comparison and what they share."""

    context: RunContext
    runs: tuple[IndexRun, ...]

    @property
    def searches(self) -> tuple[IndexRun, ...]:
        """The runs of one query at a time that gave numbers."""
        return tuple(run for run in self.runs if run.kind == "search" and not run.error)


def write_jsonl(path: Path, context: RunContext, runs: Iterable[IndexRun]) -> None:
    """Append one JSON line per measurement; each holds the context too, so that it stands alone."""
    shared = asdict(context) | {"remark_templates": stored(context.remarks)}
    with path.open("a", encoding="utf-8") as file:
        for run in runs:
            line = {"context": shared, **run.to_dict()}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_jsonl(path: Path) -> Comparison:
    """Read what :func:`write_jsonl` wrote; raises OSError, and ValueError for other contents.

    A last line without its end is left out: the comparison was killed while it wrote it.
    """
    context: RunContext | None = None
    runs: list[IndexRun] = []
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    for line in whole.splitlines():
        record = json.loads(line)
        shared = record.pop("context")
        remarks = restored(shared.pop("remark_templates", shared.get("remarks", ())))
        context = RunContext(**{**shared, "remarks": tuple(remarks)})
        runs.append(IndexRun.from_dict(record))
    if context is None:
        raise ValueError(f"{path} holds no measurements")
    return Comparison(context, tuple(runs))
