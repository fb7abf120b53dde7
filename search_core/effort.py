"""How hard a filtered search tries: as it stands, with a wider search, or exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from search_core.index_specs import IndexSpec, SearchParams

EffortStrategy = Literal["default", "raised", "exact"]
#: Up to so many rows that pass a filter, all of them are compared, without the index.
EXACT_ROWS = 300


@dataclass(frozen=True, slots=True)
class Effort:
    """What a search does about its filter.

    ``default``: search the index with ``params`` as they stand; ``raised``: with ``params`` raised;
    ``exact``: fetch what passes the filter and compare all of it, the index left out. ``reason``
    says in words what was done and why, "" where nothing was.
    """

    strategy: EffortStrategy
    params: SearchParams
    reason: str = ""


def plan_effort(spec: IndexSpec, params: SearchParams, k: int, rows: int, share: float) -> Effort:
    """Return how to search ``rows`` vectors of which a filter lets ``share`` (0 to 1) pass.

    ``params`` are what an unfiltered search would use; unset ones mean the index's defaults.
    """
    if share >= 1.0:
        return Effort("default", params)
    passing = round(rows * share)
    if passing <= EXACT_ROWS:
        return Effort("exact", params, f"compared all {passing:,} that pass the filter")
    usual = spec.search_params(params.for_hits(k), k)
    if (nprobe := usual.get("nprobe")) is not None:
        nlist: int = getattr(spec, "nlist")  # noqa: B009
        raised = min(nlist, round(nprobe / share))
        if raised > nprobe:
            return Effort("raised", replace(params, nprobe=raised), f"nprobe {nprobe} → {raised}")
    return Effort("default", params)
