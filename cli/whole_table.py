"""A table that shows every cell whole, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from cli.escapes import one_line

_UNBOUNDED = 10_000  # wider than any cell
_USUAL_GAP, _NARROW_GAP = 3, 2
_BREAK_AT = 16  # where text without a space may be broken


class WholeTable(Table):
    """A table whose cells are never cropped: part of a number is another number.

    ``right`` columns hold numbers. Where there is no room, ``words`` columns fold between words and
    ``fold`` ones anywhere; then ``spare`` ones are left out, first to last, which is said beneath;
    at last each row becomes lines of its own.
    """

    def __init__(
        self,
        *names: str,
        right: Sequence[str] = (),
        fold: Sequence[str] = (),
        words: Sequence[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        super().__init__(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
        self._words, self._spare = tuple(words), tuple(spare)
        for name in names:
            self.add_column(
                name,
                justify="right" if name in right else "left",
                overflow="fold",
                no_wrap=name not in (*fold, *words),
            )

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; control characters in cells given as plain strings become escapes."""
        super().add_row(
            *(one_line(cell) if isinstance(cell, str) else cell for cell in cells), **options
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it as wide as it is, or as it fits."""
        spans = {at: self._span(at, console, options) for at in range(len(self.columns))}
        usual = sum(most for _, most in spans.values()) + _USUAL_GAP * (len(spans) - 1)
        if usual <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        left_out: list[str] = []
        for spare in (None, *self._spare):
            if spare is not None:
                left_out.append(spare)
            shown = [at for at in spans if self.columns[at].header not in left_out]
            widths = _fitted([spans[at] for at in shown], options.max_width)
            if widths is not None:
                yield self._narrowed(dict(zip(shown, widths, strict=True)))
                if left_out:
                    yield Text(f"Left out for want of room: {', '.join(left_out)}.", style="dim")
                return
        yield from self._stacked()

    def _span(self, at: int, console: Console, options: ConsoleOptions) -> tuple[int, int]:
        """Return how wide a column has to be, and how wide it would be."""
        column, free = self.columns[at], options.update(max_width=_UNBOUNDED)
        sizes = [console.measure(cell, options=free) for cell in (column.header, *column.cells)]
        most = max(size.maximum for size in sizes)
        if column.no_wrap:
            return most, most
        least = max(size.minimum for size in sizes)
        return (least if column.header in self._words else min(least, _BREAK_AT)), most

    def _narrowed(self, widths: dict[int, int]) -> Table:
        """Return a plain table of some columns, each so wide."""
        made = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            header_style="bold",
            show_edge=False,
            padding=(0, _NARROW_GAP - 1, 0, 0),
        )
        columns = [self.columns[at] for at in widths]
        for column, width in zip(columns, widths.values(), strict=True):
            made.add_column(
                column.header,
                justify=column.justify,
                overflow=column.overflow,
                no_wrap=column.no_wrap,
                width=width,
            )
        for cells, row in zip(_rows(columns), self.rows, strict=True):
            made.add_row(*cells, style=row.style)
        return made

    def _stacked(self) -> Iterator[RenderableType]:
        """Yield each row as lines of a name and a value."""
        for at, cells in enumerate(_rows(self.columns)):
            if at:
                yield Text()
            made = Table.grid(padding=(0, _NARROW_GAP))
            made.add_column(style="bold", no_wrap=True)
            made.add_column(overflow="fold")
            for column, cell in zip(self.columns, cells, strict=True):
                if cell != "":
                    made.add_row(column.header, cell, style=self.rows[at].style)
            yield made


def _rows(columns: Sequence[Column]) -> Iterator[tuple[RenderableType, ...]]:
    return zip(*(column.cells for column in columns), strict=True)


def _fitted(spans: Sequence[tuple[int, int]], room: int) -> list[int] | None:
    """Return widths that fit into ``room``, shared fairly; None where even the least do not."""
    widths = [least for least, _ in spans]
    left = room - sum(widths) - _NARROW_GAP * (len(spans) - 1)
    if left < 0:
        return None
    wanting = sorted((most - least, at) for at, (least, most) in enumerate(spans) if most > least)
    for done, (more, at) in enumerate(wanting):
        given = min(more, left // (len(wanting) - done))
        widths[at] += given
        left -= given
    return widths
