"""`sightline index report`: the report of a comparison, or of several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search_core.errors import UsageError
from sightline.cli.options import JsonOption
from sightline.cli.terminal import err, print_json, say, shown_path

if TYPE_CHECKING:
    from search_core.lab.records import Comparison

_RUNS = "runs.jsonl"


def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR…",
            help="What `index compare --out` wrote; two or more are laid side by side.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where to write; the one DIR itself, or `report` beside the first of several.",
        ),
    ] = None,
    target_recall: Annotated[
        float | None,
        typer.Option(
            "--target-recall",
            min=0.0,
            max=1.0,
            help="The recall to advise for; what the comparison was asked for, unless given.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the report of a comparison: a page with charts, their pictures, and runs.csv.

    The page is one file and works without a network. Nothing is measured again.
    """
    comparisons = [_read(directory) for directory in directories]
    into = out or (directories[0] if len(directories) == 1 else directories[0].parent / "report")
    from search_core.lab.report.writer import write_report

    with err().status("Drawing the report …"):
        try:
            written = write_report(into, comparisons, target_recall=target_recall)
        except OSError as error:
            raise UsageError(
                f"The report cannot be written to {into}: {error.strerror}.",
                "Name another folder with --out.",
            ) from error
    if json:
        print_json([str(path) for path in written])
        return
    for path in written:
        say(shown_path(str(path)))


def _read(directory: Path) -> Comparison:
    """Read a comparison's runs; raises UsageError where there are none."""
    from search_core.lab.records import read_jsonl

    file = directory / _RUNS if directory.is_dir() else directory
    try:
        return read_jsonl(file)
    except OSError as error:
        raise UsageError(
            f"{directory} holds no comparison: {file.name} cannot be read.",
            "`sightline index compare --out DIR` writes one.",
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{file} does not hold the measurements of a comparison.",
            "`sightline index compare --out DIR` writes one.",
        ) from error
