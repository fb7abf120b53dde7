"""What the command prints with: calm text for people, JSON for machines.

Answers go to stdout; progress, notes and errors to stderr.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

import typer
from rich import box
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from search_core.errors import UsageError
from search_core.settings import Settings
from sightline.workspace import Workspace

#: C0 without tab and line feed, DEL, C1, line separators, bidirectional controls, and surrogates,
#: which stand for bytes of a file name that are not UTF-8.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_CONTROLS}]")
_IN_LINE = re.compile(f"[\t\n{_CONTROLS}]")


def escaped(text: str) -> str:
    r"""Return text with control characters as escapes such as ``\x1b``; lines stay lines."""
    return _IN_TEXT.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return text with control characters and line ends as escapes such as ``\x1b`` and ``\n``."""
    return _IN_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


_LEAST_WIDTH, _MOST_WIDTH = 20, 10_000
_PIPE_WIDTH = 400  # a line read by another program is not folded
_UNBOUNDED = 10_000  # wider than any cell
_GAP = 2  # between two columns of a table
#: No column is folded to less, so that no parameter of an index is broken.
_FOLDED = len("efConstruction=200")


class _Console(Console):
    """A console that prints control characters in a text as escapes, and reads no markup."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield what to print; control characters that rich itself adds are kept."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped(segment.text))

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Return a context manager that shows what is being done; rich would read markup."""
        return super().status(Text(status) if isinstance(status, str) else status, **options)


def make_printable() -> None:
    """Let whatever is printed come out, at this terminal or in this file.

    What a stream's encoding lacks is printed as an escape, and a width at which nothing fits, as
    some programs hand it on in COLUMNS, is not believed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    width = os.environ.get("COLUMNS", "")
    if width and not (width.isdecimal() and _LEAST_WIDTH <= int(width) <= _MOST_WIDTH):
        del os.environ["COLUMNS"]


def out() -> Console:
    """Return the console of stdout."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console of stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return _Console(
        stderr=stderr,
        width=_PIPE_WIDTH if piped else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def say(message: RenderableType = "") -> None:
    """Print an answer."""
    out().print(message)


def say_done(*message: str | tuple[str, str]) -> None:
    """Print that something was done; parts may be given with their style."""
    say(Text.assemble(("✓ ", "green"), *message))


def note(message: str) -> None:
    """Print something beside the answer, to stderr."""
    err().print(_indented(message), style="dim")


def warn(message: str) -> None:
    """Print a warning to stderr."""
    err().print(Text.assemble(("! ", "bold yellow"), _indented(message)))


def _indented(message: str) -> str:
    # So that a name with a line end in it cannot look like a message of its own.
    return message.replace("\n", "\n  ")


def print_error(message: str, hint: str = "") -> None:
    """Print what went wrong and the way out, to stderr."""
    console = err()
    console.print(Text.assemble(("✗ ", "bold red"), _indented(message)), soft_wrap=True)
    if hint:
        console.print(Text("  " + hint, style="dim"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value, and nothing else, to stdout."""
    typer.echo(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON in which control characters are escapes."""
    is_utf8 = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
    text = json.dumps(value, indent=indent, ensure_ascii=not is_utf8)
    return _IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def table(*names: str, right: Sequence[str] = (), fold: Sequence[str] = ()) -> Table:
    """Return an empty table whose cells are never cropped: part of a number is another number.

    ``right`` columns hold numbers, ``fold`` ones take several lines where there is little room.
    Cells given as plain strings are printed as they are: the consoles read no markup.
    """
    made = _Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        header_style="bold",
        show_edge=False,
    )
    for name in names:
        justify: JustifyMethod = "right" if name in right else "left"
        made.add_column(name, justify=justify, overflow="fold", no_wrap=name not in fold)
    return made


class _Table(Table):
    """A table that becomes a list of names and values where its columns do not fit."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; control characters in cells given as plain strings become escapes."""
        super().add_row(
            *(one_line(cell) if isinstance(cell, str) else cell for cell in cells), **options
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the columns, which rich folds down to _FOLDED, or each row as lines of its own."""
        least = _GAP * (len(self.columns) - 1)
        for column in self.columns:
            cells = Group(column.header, *column.cells)
            width = console.measure(cells, options=options.update(max_width=_UNBOUNDED)).maximum
            least += width if column.no_wrap else min(width, _FOLDED)
        if least <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        columns = [(str(column.header), list(column.cells)) for column in self.columns]
        for row in range(self.row_count):
            if row:
                yield Text()
            yield facts([(name, cells[row]) for name, cells in columns if cells[row]])


def facts(rows: Sequence[tuple[str, RenderableType]]) -> Table:
    """Return a table of names and values without a heading."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, one_line(value) if isinstance(value, str) else value)
    return made


class ShowProgress(Protocol):
    """Reports progress to a bar."""

    def __call__(self, done: float, total: float | None, current: str = "") -> None:
        """Show how much is done of how much (None: not known), and the item at hand."""
        ...


@contextmanager
def progress_bar(title: str, unit: str = "", *, steps: bool = False) -> Iterator[ShowProgress]:
    """Show a bar on stderr, where that is a terminal.

    With ``steps`` the items are the steps of one work: each starts the bar anew, as a percentage.
    """
    counts = TaskProgressColumn() if steps else MofNCompleteColumn()
    bar = Progress(
        SpinnerColumn(),
        TextColumn(title, style="bold"),
        BarColumn(bar_width=24),
        counts,
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left", style="dim"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
        console=err(),
        transient=True,
        disable=not err().is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)
        before = ""

        def show(done: float, total: float | None, current: str = "") -> None:
            nonlocal before
            if steps and current != before:
                bar.reset(task, total=total)
                before = current
            bar.update(task, completed=done, total=total, description=current)

        yield show


@contextmanager
def downloading(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar of bytes on stderr, where that is a terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn(what, style="bold", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=err(),
        transient=True,
        disable=not err().is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _TerminalMessages:
    """What a workspace says meanwhile, on stderr."""

    def note(self, text: str) -> None:
        note(text)

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        with err().status(text) as status:
            yield status.update

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty() and err().is_terminal

    def agree(self, question: str) -> bool:
        return typer.confirm(one_line(question), default=True, err=True)

    def downloading(self, what: str) -> AbstractContextManager[Callable[[int, int | None], None]]:
        return downloading(what)


def open_workspace(settings: Settings) -> Workspace:
    """Return the workspace of a command's settings; what it does meanwhile is said on stderr."""
    return Workspace(settings, _TerminalMessages())


def confirm(question: str, *, yes: bool, otherwise: str) -> None:
    """Ask before something is done; say what is ``otherwise`` and end the command on a no.

    Raises UsageError without a terminal.
    """
    if not confirmed(question, yes=yes):
        note(otherwise)
        raise typer.Exit(1)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask before something is removed or changed; raises UsageError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "This asks before it removes or changes anything; there is no terminal to answer at.",
            "Add --yes to go ahead.",
        )
    return typer.confirm(one_line(question), err=True)


def ask_secret(what: str) -> str:
    """Ask for something at the terminal, which does not show the answer.

    What is typed ahead of the question is dropped; from when it is seen on, nothing is: Click's own
    prompt asks first and drops what comes before it hides the answer.
    """
    try:
        return getpass.getpass(f"{what}: ", stream=sys.stderr)
    except (KeyboardInterrupt, EOFError):
        raise typer.Abort from None


def local_time(epoch_ms: int) -> str:
    """Return epoch milliseconds as local date and time, to the second."""
    return datetime.fromtimestamp(epoch_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def shown_path(uri: str, room: int = 56) -> str:
    """Return a path as short as it can be said: from this folder, or in a terminal its end."""
    with suppress(ValueError, FileNotFoundError):  # this folder may have been deleted
        uri = str(Path(uri).relative_to(Path.cwd()))
    uri = one_line(uri)
    if len(uri) <= room or out().width == _PIPE_WIDTH:
        return uri
    kept = ""
    for part in reversed(Path(uri).parts):
        if kept and len(part) + len(kept) + 3 > room:
            break
        kept = f"{part}/{kept}" if kept else part
    return f"…/{kept}"


def counted(number: int, noun: str) -> str:
    """Return e.g. ``1 keyframe`` or ``1,204 keyframes``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
