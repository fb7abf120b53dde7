"""Print how far a call walks: the modules it enters, its moves between them, its calls of Milvus.

``python -m benchmarks walks`` traces a warm search of 50 hits, the ingest of one picture and the
deletion of one, all through ``sightline.Library`` on an embedded Milvus. A *move* is a call from
one of this project's source files into another; a generator that is resumed is called again.
Generated code (a dataclass's ``__init__``) and what child processes do are not counted. With
``--moves`` the most frequent moves are listed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import sightline
from sightline.library import Library

_ROOT = Path(__file__).parents[1]
_TRACED = ("search_core", "ingest", "dashboard", "sightline")
_CLIENT = "pymilvus/milvus_client/milvus_client.py"
_HANDLER = "pymilvus/client/grpc_handler.py"
PICTURES = 60
HITS = 50
#: Whole pictures alone, as walks have been counted since before there were regions.
WHOLE = sightline.IngestOptions(regions="off")


@dataclass
class Walk:
    """What one call entered: ``moves`` by (from, to), ``calls`` of Milvus by name.

    ``described`` counts the descriptions of collections that went over the wire, pymilvus's own
    among them.
    """

    modules: set[str] = field(default_factory=set)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    described: int = 0

    def enter(self, frame: FrameType) -> None:
        """Take in the call of a function."""
        path = frame.f_code.co_filename
        name = frame.f_code.co_name
        if path.endswith(_CLIENT):
            caller = frame.f_back
            if (
                caller
                and not name.startswith("_")
                and "/pymilvus/" not in caller.f_code.co_filename
            ):
                self.calls[name] += 1
        elif path.endswith(_HANDLER) and name == "describe_collection":
            self.described += 1
        module = module_of(path)
        if not module or name == "<module>":
            return
        self.modules.add(module)
        before = _caller(frame)
        if before and before != module:
            self.moves[before, module] += 1


@cache
def module_of(path: str) -> str:
    """Return which of this project's modules a source file is, "" where it is none."""
    try:
        parts = Path(path).relative_to(_ROOT).with_suffix("").parts
    except ValueError:
        return ""
    return ".".join(parts) if parts[0] in _TRACED else ""


def _caller(frame: FrameType) -> str:
    """Return the module of ours that a function was called from, however indirectly."""
    link = frame.f_back
    while link is not None:
        if module := module_of(link.f_code.co_filename):
            return module
        link = link.f_back
    return ""


@contextmanager
def traced() -> Iterator[Walk]:
    """Trace what is done meanwhile, in this thread and in those that it starts."""
    walk = Walk()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            walk.enter(frame)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield walk
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def walks(folder: Path) -> dict[str, Walk]:
    """Trace each walk once, after the same was done before."""
    paths = [folder / f"{number}.png" for number in range(PICTURES + 2)]
    rng = np.random.default_rng(0)
    for path in paths:
        small = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
        small.resize((96, 64), Image.Resampling.BICUBIC).save(path)
    found: dict[str, Walk] = {}
    with sightline.open(folder / "data") as workspace:
        library = workspace.library("walks")
        library.ingest(paths[:PICTURES], WHOLE)
        kinds: dict[str, Callable[[int], object]] = {
            f"search of {HITS} hits": lambda turn: _searched(library),
            "ingest of one picture": lambda turn: library.ingest([paths[PICTURES + turn]], WHOLE),
            "delete of one picture": lambda turn: _deleted(library),
        }
        for kind, act in kinds.items():
            act(0)
            with traced() as found[kind]:
                act(1)
    return found


def _searched(library: Library) -> None:
    hits = library.search("a white car", k=HITS)
    if len(hits) != HITS or hits[0].strength is None:
        raise SystemExit(f"The search found {len(hits)} of {HITS} hits, or tells no strength.")


def _deleted(library: Library) -> None:
    [entity] = library.entities(limit=1)
    library.delete(sightline.Filter(ids=(entity.id,)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--moves", action="store_true", help="list the most frequent moves")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        found = walks(Path(folder))
    table = Table("walk", "modules", "moves", "described", "calls of Milvus")
    for kind, walk in found.items():
        calls = ", ".join(f"{name} {count}" for name, count in sorted(walk.calls.items()))
        moves = str(walk.moves.total())
        table.add_row(kind, str(len(walk.modules)), moves, str(walk.described), calls)
    console = Console()
    console.print(table)
    if asked.moves:
        for kind, walk in found.items():
            console.print(f"\n{kind}", style="bold")
            for (before, after), count in walk.moves.most_common():
                console.print(f"{count:6} {before} -> {after}", soft_wrap=True)


if __name__ == "__main__":
    main()
