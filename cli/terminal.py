"""What the command prints with: calm text for people, JSON for machines.

Answers go to stdout; progress, notes and errors to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from cli.escapes import escaped, escaped_json, one_line
from cli.whole_table import WholeTable
from search_core.errors import UsageError

_LEAST_WIDTH, _MOST_WIDTH = 20, 10_000
_PIPE_WIDTH = 400  # a line read by another program is not folded


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
    return escaped_json(json.dumps(value, indent=indent, ensure_ascii=not is_utf8))


def table(
    *columns: str,
    right: Sequence[str] = (),
    fold: Sequence[str] = (),
    words: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> Table:
    """Return an empty table that crops no cell; see :class:`WholeTable` for the kinds of columns.

    Cells given as plain strings are printed as they are: the consoles read no markup.
    """
    return WholeTable(*columns, right=right, fold=fold, words=words, spare=spare)


def facts(rows: Sequence[tuple[str, RenderableType]]) -> Table:
    """Return a table of names and values without a heading."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, one_line(value) if isinstance(value, str) else value)
    return made


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask before something is removed or changed; raises UsageError where nobody can answer."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "This asks before it removes or changes anything; there is no terminal to answer at.",
            "Add --yes to go ahead.",
        )
    return typer.confirm(one_line(question), err=True)


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


def size(count_bytes: int) -> str:
    """Return a number of bytes as people read it, e.g. ``3.4 GB``."""
    amount = float(count_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
