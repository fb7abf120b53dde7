"""Making another index a library's, and saying how far it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from search_core.indexes import IndexSpec, SearchParams
from search_core.store.library import LibraryInfo
from sightline.cli.terminal import err

if TYPE_CHECKING:
    from search_core.store.milvus.store import MilvusStore


def build_index(
    store: MilvusStore, library: str, spec: IndexSpec, search: SearchParams, *, in_place: bool
) -> LibraryInfo:
    """Build the index beside the serving collection and switch, or in place; return the library."""
    name = spec.index_type
    with native_warnings_away(), err().status(f"Building {name} …") as line:
        return store.rebuild(
            library,
            spec,
            search,
            on_progress=lambda doing, share: line.update(f"{name}: {doing}, {share:.0%} …"),
            in_place=in_place,
        )


@contextmanager
def native_warnings_away() -> Iterator[None]:
    """Keep off the terminal what native code writes to stderr past Python.

    The faiss in Milvus Lite writes a warning there when clusters have fewer than 39 vectors each.
    What Python prints goes to where it went.
    """
    try:
        stderr = sys.stderr.fileno()
    except OSError:  # nothing that native code could write to
        yield
        return
    before, kept = sys.stderr, os.dup(stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(kept, "w", encoding=before.encoding, errors="replace", buffering=1) as shown:
        before.flush()
        os.dup2(nowhere, stderr)
        sys.stderr = shown
        try:
            yield
        finally:
            sys.stderr = before
            shown.flush()
            os.dup2(kept, stderr)
            os.close(nowhere)
