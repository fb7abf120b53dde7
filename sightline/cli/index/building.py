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
from collections.abc import Callable

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from search_core.lab.options import Progress as LabProgress


def build_index(
    store: MilvusStore, library: str, spec: IndexSpec, search: SearchParams, *, in_place: bool
) -> LibraryInfo:
    """Build the index beside the serving collection and switch, or in place; return the library."""
    name = spec.index_type
    with native_warnings_away(), err().status(f"Building {name} …") as line:
        if in_place:
            store.set_index(library, spec, search)
            return store.library(library)
        return store.rebuild(
            library,
            spec,
            search,
            on_progress=lambda doing, share: line.update(f"{name}: {doing}, {share:.0%} …"),
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


@contextmanager
def progress_bar() -> Iterator[Callable[[LabProgress], None]]:
    """Show a bar on stderr, where that is a terminal; yields what to tell it."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("Comparing", style="bold"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left", style="dim"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
        console=err(),
        transient=True,
        disable=not err().is_terminal,
    )
    with bar:
        task = bar.add_task("connecting", total=None)
        doing = ""

        def show(progress: LabProgress) -> None:
            nonlocal doing
            total = progress.total or None
            if progress.doing != doing:
                doing = progress.doing
                bar.reset(task, total=total, description=doing)
            bar.update(task, completed=progress.done, total=total)

        yield show
