"""An hour of 1080p taken in by the real command: how long it takes, and the most memory it needs.

``python -m benchmarks long_video [--hours H] [--keyframes WAY …]``. A minute of a noisy fixed
camera's footage, somebody passing twice, is encoded once and its packets repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table

from benchmarks.footage.static_footage import FPS, Passage, write_static
from benchmarks.index.milvus_server import CACHE

MINUTE_S = 60
PASSAGES = [
    Passage(11.0, 18.0, (90, 260), 560, (70, 120, 150)),
    Passage(40.0, 46.0, (420, 240), 620, (200, 150, 110)),
]
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """What one ingest took; memory in bytes, the most that was resident at any time.

    ``workers_bytes`` is of the decoding process that took most.
    """

    keyframes: int
    left_out: int
    seconds: float
    parent_bytes: int
    workers_bytes: int


def hour(folder: Path, hours: float) -> Path:
    """Return footage of so many hours, written when it is not there yet."""
    path = folder / f"long-{hours:g}h.mp4"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    minute = write_static(folder / "minute.mp4", MINUTE_S, PASSAGES)
    partial = path.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as out:
        stream = None
        for turn in range(round(hours * 60)):
            with av.open(str(minute)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    assert packet.time_base is not None
                    shift = round(Fraction(turn * MINUTE_S) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
    return partial.replace(path)


def ingest(path: Path, way: str) -> Cost:
    """Take a video into a fresh data directory with Milvus Lite, watching the memory it takes."""
    with tempfile.TemporaryDirectory() as data:
        command = ["-m", "sightline.cli.main", "--data-dir", data, "ingest", str(path), "--json"]
        process = subprocess.Popen(
            [sys.executable, *command, "--keyframes", way], stdout=subprocess.PIPE, text=True
        )
        began_s = time.monotonic()
        parent = workers = 0
        while process.poll() is None:
            parent = max(parent, _peak_bytes(process.pid))
            workers = max([workers, *map(_peak_bytes, _children(process.pid))])
            time.sleep(_LOOK_EVERY_S)
        seconds = time.monotonic() - began_s
        assert process.stdout is not None
        report = json.loads(process.stdout.read())
    return Cost(report["keyframes"], report["left_out"], seconds, parent, workers)


def _peak_bytes(pid: int) -> int:
    """Return the most memory a process had resident so far (Linux), 0 when it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    kib = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib[0]) * 1024 if kib else 0


def _children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from map(int, thread.read_text().split())
        except OSError:
            continue


def main() -> None:
    """Print what each way to choose keyframes costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--keyframes", nargs="+", default=["auto", "iframe"])
    given = parser.parse_args()
    path = hour(CACHE / "long_video", given.hours)
    size_mib = path.stat().st_size / 2**20
    table = Table(title=f"{given.hours:g} h of 1080p at {FPS} fps, {size_mib:.0f} MiB")
    for name in ("keyframes", "chosen", "left out", "seconds", "x real time", "parent", "worker"):
        table.add_column(name, justify="left" if name == "keyframes" else "right")
    for way in given.keyframes:
        cost = ingest(path, way)
        table.add_row(
            way,
            f"{cost.keyframes:,}",
            f"{cost.left_out:,}",
            f"{cost.seconds:.0f}",
            f"{given.hours * 3600 / cost.seconds:.0f}",
            f"{cost.parent_bytes / 2**20:.0f} MiB",
            f"{cost.workers_bytes / 2**20:.0f} MiB",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
