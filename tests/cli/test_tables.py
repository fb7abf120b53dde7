"""No terminal is too narrow for a number to be read whole."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.table import Table

from search_core.lab.recommendation import recommend
from sightline.cli.index.tables import (
    batches_table,
    builds_table,
    clients_table,
    filters_table,
    searches_table,
)
from sightline.cli.terminal import table
from tests.search_core.lab.made_runs import comparison

RUNS = comparison().runs
TABLES = {
    "searches": searches_table(RUNS, recommend(RUNS)),
    "filters": filters_table(RUNS),
    "batches": batches_table(RUNS),
    "clients": clients_table(RUNS),
    "builds": builds_table(RUNS),
}
_NUMBER = re.compile(r"[A-Za-z_]*[=@]?\d[\d,.]*")


def drawn(made: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(made)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", TABLES)
def test_every_number_of_a_comparison_is_whole(name: str, width: int) -> None:
    made = TABLES[name]
    assert made is not None
    said = drawn(made, width)
    assert max(map(len, said.splitlines())) <= width
    shown = _NUMBER.findall(said)
    wanted = [
        number
        for column in made.columns
        for number in _NUMBER.findall(" ".join(map(str, column.cells)))
    ]
    assert sorted(set(wanted) - set(shown)) == []
    # Nor is there one that nobody measured: what is left of a cropped one.
    headings = {word for column in made.columns for word in _NUMBER.findall(str(column.header))}
    assert sorted(set(shown) - set(wanted) - headings) == []


@pytest.mark.parametrize("width", [80, 100])
def test_settings_fold_between_parameters_and_no_column_is_left_out(width: int) -> None:
    said = drawn(TABLES["searches"] or table(), width)
    assert "Recall@10 (95 %)  p50 p95 p99 ms" in said
    assert "efConstruction=200" in said
    assert "★  " in said


def test_where_nothing_else_helps_each_row_becomes_lines() -> None:
    made = table("Camera", "Keyframes", "Why", right=("Keyframes",), fold=("Why",))
    made.add_row("loading-dock-north", "1,234,567", "it was lost")
    made.add_row("gate", "2", "")
    assert [line.rstrip() for line in drawn(made, 30).splitlines()] == [
        "Camera     loading-dock-north",
        "Keyframes  1,234,567",
        "Why        it was lost",
        "",
        "Camera     gate",
        "Keyframes  2",
    ]


def test_in_a_wide_terminal_nothing_is_folded() -> None:
    made = table("Camera", "Why", fold=("Why",))
    made.add_row("gate", "it was lost, and tried again until it came back")
    assert "until it came back" in drawn(made, 120)
    assert "until it came back" not in drawn(made, 30)
