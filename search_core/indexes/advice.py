"""Which index to start with: what fits the memory, reaches the recall, and is there to be had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from search_core.errors import IndexParameterError, UsageError
from search_core.indexes import FASTEST_FIRST, index_spec_to_dict, start_for
from search_core.indexes.base import IndexSpec, Start
from search_core.indexes.milvus_version import ServerInfo, release_of
from search_core.indexes.parameters import SearchParams
from search_core.indexes.sizing import IndexSize, estimate
from search_core.messages import Message

#: Milvus loads no more when this share of the memory is taken
#: (queryNode.overloadedMemoryThresholdPercentage in its configuration).
MEMORY_SHARE = 0.9
#: What comparing one number of one vector takes: 50,000 x 512 took 11 ms on a Milvus 2.3.5 with
#: two cores.
_COMPARE_S = 0.011 / (50_000 * 512)
#: A search of everything that takes no longer than this needs no index to make it faster.
_QUICK_S = 0.012
#: A search by an index that takes longer is slow: people wait for it.
_SLOW_S = 0.1
#: The oldest Milvus that people are still met with; of a newer one it is said that it is needed.
_OLD_MILVUS = "2.3"
ROWS_LIMIT = 10**12
#: Rows up to which Milvus Lite serves well, whatever the index; measured.
LITE_ROWS = 50_000
#: Milvus takes vectors of up to so many dimensions.
DIM_LIMIT = 32_768

Verdict = Literal["recommended", "fits", "slow", "finds too little", "too large", "not offered"]
_VERDICTS: tuple[Verdict, ...] = (
    *("recommended", "fits", "slow", "finds too little", "too large", "not offered"),
)


@dataclass(frozen=True, slots=True)
class Advice:
    """One index type for so many vectors: what it needs, what it reaches, where to start.

    ``recall`` is what ``spec`` searched with ``search`` found on CLIP-like vectors, None where
    nothing was measured. ``verdict`` sums up and ``because`` says what decided it; ``why`` is what
    the type is good for. ``seconds`` is about how long a search takes that compares the vectors
    this one does, on some two cores; None where nothing tells. ``needs`` says which Milvus it needs
    where any was meant and not every one has it, else "".
    """

    spec: IndexSpec
    search: SearchParams
    size: IndexSize
    recall: float | None
    verdict: Verdict
    because: str
    why: str
    seconds: float | None = None
    needs: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        spec = index_spec_to_dict(self.spec)
        return {
            "index_type": spec.pop("index_type"),
            "verdict": self.verdict,
            "because": self.because,
            "why": self.why,
            "build": spec,
            "search": self.search.given(),
            "expected_recall": self.recall,
            "expected_search_s": self.seconds,
            "needs": self.needs,
            **asdict(self.size),
        }


@dataclass(frozen=True, slots=True)
class _Need:
    """What is asked for; refuses numbers that cannot be."""

    rows: int
    dim: int
    memory_bytes: int
    target_recall: float
    server: ServerInfo | None

    def __post_init__(self) -> None:
        recall = self.target_recall
        if not 1 <= self.rows <= ROWS_LIMIT:
            raise UsageError(
                "There must be from 1 to {most:,} rows, not {rows:,}.",
                "One keyframe or photograph is a row.",
                most=ROWS_LIMIT,
                rows=self.rows,
            )
        if not 1 <= self.dim <= DIM_LIMIT:
            raise UsageError(
                "Vectors have from 1 to {most:,} dimensions, not {dim:,}.",
                "ViT-B-32 makes 512; `sightline doctor` lists encoders.",
                most=DIM_LIMIT,
                dim=self.dim,
            )
        if self.memory_bytes < 1:
            raise UsageError("The memory must be more than nothing.", "Write it as 16GiB.")
        if not 0 < recall <= 1:
            is_percent = 1 < recall <= 100
            raise UsageError(
                "The target recall is a share above 0 and up to 1, not {recall:g}.",
                "Write {recall:g} % as {share:g}."
                if is_percent
                else "0.95 finds 95 of 100 true neighbours.",
                recall=recall,
                share=recall / 100,
            )


def advise(
    rows: int, dim: int, memory_bytes: int, target_recall: float, server: ServerInfo | None = None
) -> list[Advice]:
    """Return every type for float vectors: the recommended one, what else would do, what would not.

    ``memory_bytes`` is all memory of the machine that serves. Without ``server`` any Milvus without
    a GPU is meant. Nothing is recommended where nothing both fits and reaches ``target_recall``;
    what nobody measured the recall of only where nothing else does.
    Raises UsageError for numbers that cannot be.
    """
    need = _Need(rows, dim, memory_bytes, target_recall, server)
    found = [advice for name in FASTEST_FIRST if (advice := _advice(name, need)) is not None]
    if (best := _best(found)) is not None:
        found[found.index(best)] = replace(best, verdict="recommended", because=best.why)
    return sorted(found, key=lambda advice: _VERDICTS.index(advice.verdict))


def usable_bytes(memory_bytes: int) -> int:
    """Return how much of a machine's memory Milvus fills before it refuses to load more."""
    return math.floor(memory_bytes * MEMORY_SHARE)


def on_older(found: Sequence[Advice]) -> Advice | None:
    """Return what to use where Milvus is too old for the recommended type; None where it is not."""
    if not found[0].needs:
        return None
    return _best([advice for advice in found if not advice.needs])


def _needs(spec: IndexSpec, server: ServerInfo | None) -> str:
    """Return which Milvus is needed, where any was meant and old ones lack the type."""
    new = release_of(spec.offer.since) > release_of(_OLD_MILVUS)
    if server is not None or not new:
        return ""
    return Message("Milvus {since} or later", since=spec.offer.since)


def _advice(index_type: str, need: _Need) -> Advice | None:
    """Return what is to be said of a type; None where it cannot index so many dimensions."""
    try:
        start = start_for(index_type, need.rows, need.dim, need.target_recall)
    except IndexParameterError:
        return None
    size = estimate(start.spec, need.rows, need.dim, need.server)
    compared = start.spec.compared(need.rows, start.search)
    seconds = None if compared is None else compared * need.dim * _COMPARE_S
    verdict, because = _verdict(start, size, need, seconds)
    why = start.spec.why
    return Advice(
        start.spec,
        start.search,
        size,
        start.recall,
        verdict,
        because or why,
        why,
        seconds,
        _needs(start.spec, need.server),
    )


def _verdict(
    start: Start, size: IndexSize, need: _Need, seconds: float | None
) -> tuple[Verdict, str]:
    """Return what decides, and how; "" where nothing stands against it."""
    offer = start.spec.offer
    missing = offer.gpu
    if need.server is not None:
        missing = bool(start.spec.refusal(need.server, surely=True))
    if missing:
        return "not offered", Message("not offered: {milvus} has it", milvus=offer.where)
    if size.memory_bytes > usable_bytes(need.memory_bytes):
        return "too large", Message("too large for this memory")
    if need.target_recall == 1 and start.recall != 1:
        return "finds too little", Message("finds too little: it is not exact")
    if start.recall is not None and start.recall < need.target_recall:
        return "finds too little", Message(
            "finds too little: {recall:.2f} at the most", recall=start.recall
        )
    exact = start.spec.exact
    if seconds is None or seconds <= (_QUICK_S if exact else _SLOW_S):
        return "fits", ""
    if exact:
        return "slow", Message(
            "slow: exact, in some {seconds:.2g} s a search on two cores", seconds=seconds
        )
    return "slow", Message("slow: some {seconds:.2g} s a search on two cores", seconds=seconds)


def _best(found: Sequence[Advice]) -> Advice | None:
    """Return the fastest that does; the exact one where it is quick, or where nothing else does.

    ``found`` is the fastest first. What is slow goes before what nobody measured the recall of.
    """
    does = [advice for advice in found if advice.verdict in ("fits", "recommended")]
    chosen = [advice for advice in does if advice.spec.tunable]
    quick = next((advice for advice in does if advice.spec.exact), None)
    known = next((advice for advice in chosen if advice.recall is not None), None)
    slow = next((advice for advice in found if advice.verdict == "slow"), None)
    return quick or known or slow or next(iter(chosen), None)
