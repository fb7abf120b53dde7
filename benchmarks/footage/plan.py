"""Hold what `sightline plan` expects against what an ingest then does, on the sample footage.

Three sets: the sample footage of `sightline demo`; long recordings made of it, each clip many times
over, of which a plan sees only stretches; and whatever paths are given. Each is planned, then taken
into a fresh data directory, and both are printed side by side. Exits with 1 where sources,
keyframes, time or disk are off by more than a quarter.

Time is compared twice: on the clock, which nobody can foretell where other work comes and goes, and
in seconds of a core, which other work hardly changes: what an ingest uses beyond one that has
nothing to do.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

from sightline.demo.footage import render_footage

MOST_OFF = 0.25


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure, as it was expected and as it came."""

    what: str
    expected: float
    came: float

    @property
    def ratio(self) -> float:
        """Expected by what came."""
        return self.expected / self.came if self.came else float(self.expected == 0) or float("inf")


def command(*arguments: object) -> dict[str, Any]:
    """Run `sightline` and return the JSON it prints, whatever its exit code."""
    ran = subprocess.run(
        [sys.executable, "-m", "sightline.cli.main", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if not ran.stdout:
        sys.exit(ran.stderr)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def compared(paths: list[Path], data_dir: Path, budget_s: float) -> list[Pair]:
    """Plan paths, take them in, and return the figures of both."""
    plan = command("plan", *paths, "--data-dir", data_dir, "--budget", budget_s)
    used_s = _core_seconds()
    report = command("ingest", *paths, "--data-dir", data_dir)
    used_s = _core_seconds() - used_s
    nothing_s = _core_seconds()
    command("ingest", *paths, "--data-dir", data_dir)
    nothing_s = _core_seconds() - nothing_s
    thumbnails = bytes_below(data_dir / "thumbnails")
    index = next(item for item in plan["indexes"] if item["index_type"] == "HNSW")
    failing = len(plan["failures"])
    return [
        Pair("sources taken in", plan["sources"]["pending"] - _late(plan), report["done"]),
        Pair("sources that fail", failing, report["failed"]),
        Pair("keyframes", plan["keyframes"], report["keyframes"]),
        Pair("seconds on the clock", plan["seconds"], report["seconds"]),
        Pair("seconds of a core", sum(plan["core_seconds"].values()), used_s - nothing_s),
        Pair("thumbnails, MB", plan["thumbnail_bytes"] / 1e6, thumbnails / 1e6),
        Pair(
            "disk in all, MB",
            (plan["thumbnail_bytes"] + index["disk_bytes"]) / 1e6,
            (thumbnails + bytes_below(data_dir / "milvus.db")) / 1e6,
        ),
    ]


def _late(plan: dict[str, Any]) -> int:
    """Return how many sources were pending until their header or sample could not be read."""
    return sum(item["stage"] in ("open", "decode") for item in plan["failures"])


def _core_seconds() -> float:
    """Return what all processes that were started from here and ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bytes_below(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def repeated(clip: Path, target: Path, times: int) -> None:
    """Write a clip so many times over, its packets as they are."""
    with av.open(str(target), "w") as out:
        copy, after = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                copy = copy or out.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + after, packet.dts + after
                    packet.stream = copy
                    out.mux(packet)
                assert stream.duration is not None
                after += stream.duration


def main() -> int:
    """Compare the sets; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks plan", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="more footage to compare with")
    parser.add_argument("--footage", type=Path, help="where the sample footage is, or will be")
    parser.add_argument("--times", type=int, default=30, help="how often clips are repeated")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds a plan may sample")
    given = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        footage = render_footage(given.footage or folder / "footage")
        long = folder / "long"
        long.mkdir()
        for clip in footage.clips:
            repeated(clip.path, long / clip.path.name, given.times)
        sets = {
            "the sample footage": [footage.folder / "clips", footage.stills],
            f"its clips {given.times} times over": [long],
            **({"the paths given": given.paths} if given.paths else {}),
        }
        for number, (name, paths) in enumerate(sets.items()):
            pairs = compared(paths, folder / f"data-{number}", given.budget)
            show(name, pairs)
            worst = max(worst, *(abs(pair.ratio - 1) for pair in pairs))
    return int(worst > MOST_OFF)


def show(name: str, pairs: list[Pair]) -> None:
    """Print one set."""
    table = Table(title=name, title_justify="left")
    for column in ("", "expected", "came", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for pair in pairs:
        table.add_row(pair.what, f"{pair.expected:.1f}", f"{pair.came:.1f}", f"{pair.ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
