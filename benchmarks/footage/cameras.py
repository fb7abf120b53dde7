"""Load test of live cameras: `sightline serve` watching many at once, what is dropped, how late.

    python -m benchmarks cameras --minutes 20

A process of its own serves the cameras over RTSP: 640 x 360, 5 frames a second, a noisy still view
past which something large goes for three seconds now and then. `sightline serve` watches them with
the embedded Milvus. Another connection searches ten times a second for what is new, so that an
event's latency is from its first frame being sent to a search that returns a keyframe of it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.footage.live_footage import EVENT_S, FPS, SIZE_PX, serve_cameras
from search_core.errors import LibraryNotFound
from search_core.schema.filters import Filter
from search_core.settings import load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.library import Store

LOOK_EVERY_S = 0.1
SAMPLE_EVERY_S = 10.0
#: An event without a keyframe after this long was missed.
MISSED_S = 15.0
START_S = 180.0


@dataclass
class Observed:
    """What was seen from outside: keyframes by the time a search first returned them."""

    found_at: dict[str, float] = field(default_factory=dict)
    captured: dict[str, tuple[str, float]] = field(default_factory=dict)
    searches_ms: list[float] = field(default_factory=list)
    memory: list[tuple[float, dict[str, float]]] = field(default_factory=list)


def look(store: Store, library: str, query: np.ndarray[Any, Any], observed: Observed) -> None:
    """Search for what was captured in the last seconds, and note what is new."""
    since = datetime.fromtimestamp(time.time() - MISSED_S, UTC)
    began_s = time.monotonic()
    try:
        [matches] = store.search(library, query, k=200, where=Filter(after=since))
    except LibraryNotFound:
        return
    observed.searches_ms.append((time.monotonic() - began_s) * 1000)
    now_s = time.time()
    for match in matches:
        entity = match.entity
        if entity.id not in observed.found_at:
            observed.found_at[entity.id] = now_s
            if len(observed.searches_ms) > 1:  # what the first one finds was there before
                observed.captured[entity.id] = (entity.camera, entity.captured_at / 1000)


def processes_below(pid: int) -> dict[int, str]:
    """Return the processes below one, each with what it is."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    for process in parents:
        above = process
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and process != pid:
            with suppress(OSError):
                command = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
                found[process] = _part(command)
    return found


def _part(command: str) -> str:
    for word, part in (
        ("ingest.cameras.decode_process", "decoders"),
        ("sightline.cli.serve.cameras", "cameras"),
        ("milvus_lite", "milvus"),
        ("sightline.cli.main worker", "worker"),
        ("streamlit", "dashboard"),
    ):
        if word in command:
            return part
    return "other"


def memory_mb(pid: int) -> dict[str, float]:
    """Return each part's memory in MB, shared pages counted once (PSS)."""
    total: dict[str, float] = {}
    for process, part in processes_below(pid).items():
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            pss = next(line for line in lines if line.startswith("Pss:"))
            total[part] = total.get(part, 0.0) + int(pss.split()[1]) / 1000
    return total


def cpu_s(pid: int) -> dict[str, float]:
    """Return the seconds of processor time each part has used."""
    total: dict[str, float] = {}
    ticks = os.sysconf("SC_CLK_TCK")
    for process, part in processes_below(pid).items():
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total[part] = total.get(part, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
    return total


@contextmanager
def serving(
    folder: Path, urls: dict[str, str], model: str, regions: str
) -> Iterator[subprocess.Popen[str]]:
    """Run `sightline serve` on a fresh data directory, watching these addresses."""
    tables = "".join(
        f'[cameras.{name}]\nurl = "{url}"\nregions = "{regions}"\n' for name, url in urls.items()
    )
    (folder / "sightline.toml").write_text(tables)
    command = [
        sys.executable,
        "-m",
        "sightline.cli.main",
        "serve",
        "--port",
        "8890",
        "--model",
        model,
    ]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder / "data")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


def wait_until_all_are_live(folder: Path, count: int) -> None:
    """Wait until each camera has been seen."""
    deadline_s = time.monotonic() + START_S
    while sum(bool(state["last_frame"]) for state in states(folder)) < count:
        if time.monotonic() > deadline_s:
            sys.exit("The cameras did not come up; see the logs in the data directory.")
        time.sleep(1)


def states(folder: Path) -> list[dict[str, Any]]:
    """Return what `sightline cameras` says."""
    command = [sys.executable, "-m", "sightline.cli.main", "cameras", "--json"]
    said = subprocess.run(
        [*command, "--data-dir", str(folder / "data")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    found: list[dict[str, Any]] = json.loads(said.stdout or "[]")
    return found


def measure(pid: int, folder: Path, minutes: float) -> tuple[Observed, dict[str, float], float]:
    """Search and sample for so many minutes; return it with the processor time of each part."""
    from search_core.store.milvus.store import MilvusStore

    settings = load_settings(data_dir=folder / "data")
    observed = Observed()
    before, began_s = cpu_s(pid), time.monotonic()
    sampled_s = float("-inf")
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        dim = store.library(settings.library).encoder.dim
        query = np.full((1, dim), dim**-0.5, np.float32)
        while (now_s := time.monotonic()) - began_s < minutes * 60:
            look(store, settings.library, query, observed)
            if now_s - sampled_s >= SAMPLE_EVERY_S:
                sampled_s = now_s
                observed.memory.append((now_s - began_s, memory_mb(pid)))
            time.sleep(max(0.0, LOOK_EVERY_S - (time.monotonic() - now_s)))
    used = {part: spent - before.get(part, 0.0) for part, spent in cpu_s(pid).items()}
    return observed, used, time.monotonic() - began_s


def report(
    observed: Observed,
    used: dict[str, float],
    elapsed_s: float,
    counted_s: float,
    shown: dict[str, list[float]],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
) -> None:
    """Print what was measured."""
    ended_s = time.time() - MISSED_S
    latencies, missed = event_latencies(observed, shown, ended_s)
    delays = [
        observed.found_at[key] - captured_s for key, (_, captured_s) in observed.captured.items()
    ]
    frames = sum(s["frames"] for s in after) - sum(s["frames"] for s in before)
    dropped = sum(s["dropped"] for s in after) - sum(s["dropped"] for s in before)
    lost = sum(len(s["gaps"]) for s in after)
    print(f"{len(after)} cameras, {SIZE_PX[0]} x {SIZE_PX[1]}, {FPS} frames/s, {elapsed_s:.0f} s;")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    expected = len(after) * FPS * counted_s
    print(f"frames arrived     {frames:,} ({frames / expected:.3f} of what was sent)")
    print(f"frames dropped     {dropped:,} ({dropped / max(1, frames):.4%})")
    print(f"connections lost   {lost}")
    print(f"events             {len(latencies) + missed}, missed {missed}")
    print(f"event to search    {spread(latencies)} s")
    print(f"keyframe to search {spread(delays)} s, {len(delays)} keyframes")
    print(f"one search         {spread(observed.searches_ms)} ms")
    for part in sorted(used):
        print(f"CPU {part:<14} {used[part] / elapsed_s:.2f} of a core")
    print(f"CPU in all         {sum(used.values()) / elapsed_s:.2f} of a core")
    _print_memory(observed)


def event_latencies(
    observed: Observed, shown: dict[str, list[float]], ended_s: float
) -> tuple[list[float], int]:
    """Return seconds from each event to a search that finds it, and how many were not found."""
    latencies, missed = [], 0
    began_s = min(observed.found_at.values(), default=0.0)
    for camera, moments in shown.items():
        mine = sorted(
            (observed.found_at[key], captured_s)
            for key, (name, captured_s) in observed.captured.items()
            if name == camera
        )
        for moment in moments:
            if not began_s < moment < ended_s:
                continue
            found = [at for at, captured_s in mine if moment - 0.1 <= captured_s < moment + EVENT_S]
            latencies.extend([found[0] - moment] if found else [])
            missed += not found
    return latencies, missed


def spread(values: list[float]) -> str:
    """Return median, 95th percentile and maximum."""
    if not values:
        return "nothing"
    p50, p95 = np.percentile(values, [50, 95])
    return f"p50 {p50:.2f}, p95 {p95:.2f}, max {max(values):.2f}"


def _print_memory(observed: Observed) -> None:
    first, last = observed.memory[0], observed.memory[-1]
    for part in sorted(last[1]):
        most = max(sample.get(part, 0.0) for _, sample in observed.memory)
        print(
            f"memory {part:<11} {first[1].get(part, 0.0):.0f} MB at first, {last[1][part]:.0f} MB "
            f"after {last[0]:.0f} s, at most {most:.0f} MB"
        )


def main() -> None:
    """Run the load test."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--model", default="sightline-demo")
    parser.add_argument("--regions", default="off")
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    server = spawn.Process(target=serve_cameras, args=(given.cameras, theirs), daemon=True)
    server.start()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-cameras-")))
        stack.callback(server.kill)
        process = stack.enter_context(serving(folder, ours.recv(), given.model, given.regions))
        wait_until_all_are_live(folder, given.cameras)
        ours.send("begin")
        before, began_s = states(folder), time.monotonic()
        observed, used, elapsed_s = measure(process.pid, folder, given.minutes)
        after, counted_s = states(folder), time.monotonic() - began_s
        ours.send("stop")
        report(observed, used, elapsed_s, counted_s, ours.recv(), before, after)


if __name__ == "__main__":
    main()
