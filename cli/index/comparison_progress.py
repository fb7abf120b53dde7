"""The bar that shows how far a comparison is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cli.terminal import err
from search_core.lab.options import Progress as LabProgress


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
