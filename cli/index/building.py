"""Making another index a library's, and saying how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.terminal import err
from search_core.index_specs import IndexSpec, SearchParams
from search_core.library import LibraryInfo

if TYPE_CHECKING:
    from search_core.store import MilvusStore


def build_index(
    store: MilvusStore, library: str, spec: IndexSpec, search: SearchParams, *, in_place: bool
) -> LibraryInfo:
    """Build the index beside the serving collection and switch, or in place; return the library."""
    name = spec.index_type
    with err().status(f"Building {name} …") as line:
        if in_place:
            store.set_index(library, spec, search)
            return store.library(library)
        return store.rebuild(
            library,
            spec,
            search,
            on_progress=lambda doing, share: line.update(f"{name}: {doing}, {share:.0%} …"),
        )
