"""How fast the ways to choose keyframes are, what they find, and how much memory they need.

Run ``python -m benchmarks keyframes``. The footage is written first (some five minutes on one core)
and kept in ``--folder`` if one is given. Contenders take turns, each on one thread; the figure is
the median of their processor seconds, which other programs on the machine disturb less than time.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table

from benchmarks.footage.static_footage import (
    Passage,
    frequent_passages,
    rare_passages,
    write_patterns,
    write_static,
)
from ingest.media.decoding import listen_to_libav, open_media
from ingest.media.keyframes.registry import parse_selector
from sightline.demo.footage import render_footage
from sightline.demo.training.truth import ground_truth

REPEATS = 5
#: What takes longer has one turn; and ways that decode everything have short footage only.
_SLOW_S, _SHORT_S = 8.0, 60.0
LEAST_APPEARANCE_MS = 2_000
_ENOUGH_PIXELS = 100_000_000

Footage = tuple[Path, float, Sequence[Passage]]


def run(folder: Path | None = None) -> None:
    """Write the footage where it is missing, and print all comparisons."""
    listen_to_libav()
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            run(Path(temporary))
        return
    folder.mkdir(parents=True, exist_ok=True)
    made = _made(folder)
    for name, (path, seconds, _) in made.items():
        speeds(name, path, seconds)
    recall_on_passages(made)
    recall_on_demo(folder / "demo")
    memory(folder, made["noisy, little happens"][0])


def _made(folder: Path) -> dict[str, Footage]:
    scripts: dict[str, tuple[str, float, list[Passage], str]] = {
        "test patterns": ("patterns", 60, [], "crf"),
        "noisy, little happens": ("quiet", 300, rare_passages(300), "crf"),
        "noisy, busy": ("busy", 90, frequent_passages(90), "crf"),
        "noisy, little happens, constant bit rate": ("cbr", 120, rare_passages(120), "cbr"),
    }
    made: dict[str, Footage] = {}
    for name, (stem, seconds, passages, rate) in scripts.items():
        path = folder / f"{stem}.mp4"
        if not path.exists():
            if stem == "patterns":
                write_patterns(path, seconds)
            else:
                write_static(path, seconds, passages, rate)
        made[name] = (path, seconds, passages)
    return made


def chosen(path: Path, selector: str) -> tuple[list[tuple[int, int]], int]:
    """Return (pts_ms, span_ms) of the keyframes, whose pictures are made too, and the left out."""
    with closing(open_media(path, max_pixels=_ENOUGH_PIXELS)) as media:
        frames = media.frames(parse_selector(selector), lambda: None)
        return [(frame.pts_ms, frame.span_ms) for frame in frames], media.left_out


def speeds(name: str, path: Path, seconds: float) -> None:
    """Compare the selectors with ffmpeg, with decoding everything and with demultiplexing only."""
    contenders: dict[str, Callable[[], object]] = {
        selector: partial(chosen, path, selector)
        for selector in ("iframe", "motion", "auto", "interval:10")
    }
    if seconds <= _SHORT_S:
        contenders["interval:1"] = partial(chosen, path, "interval:1")
        contenders["scene"] = partial(chosen, path, "scene")
    contenders["PyAV, all decoded, 1 frame/s"] = lambda: _everything(path)
    contenders["PyAV, demultiplexed only"] = lambda: _demultiplexed(path)
    if shutil.which("ffmpeg"):
        contenders["ffmpeg -skip_frame nokey, thrown away"] = lambda: _ffmpeg(path)
        contenders["ffmpeg -skip_frame nokey, to RGB"] = lambda: _ffmpeg(path, "-pix_fmt", "rgb24")
    medians = _interleaved(contenders)
    table = Table(title=f"{name}: 1080p, {seconds:.0f} s", title_justify="left")
    table.add_column("")
    for column in ("CPU s", "times real time", "ratio to iframe", "keyframes", "left out"):
        table.add_column(column, justify="right")
    for contender, value in medians.items():
        result = contenders[contender]() if contender[0] in "imas" else None
        kept, left_out = (
            (str(len(result[0])), str(result[1])) if isinstance(result, tuple) else ("", "")
        )
        ratio = f"{value / medians['iframe']:.2f}"
        table.add_row(contender, f"{value:.3f}", f"{seconds / value:,.0f}", ratio, kept, left_out)
    Console().print(table)


def _interleaved(contenders: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return each contender's median processor seconds; the slow ones take fewer turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(REPEATS):
        for name, work in contenders.items():
            if turn and seconds[name][0] > _SLOW_S:
                continue
            before = _cpu_s()
            work()
            seconds[name].append(_cpu_s() - before)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _cpu_s() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _everything(path: Path) -> int:
    taken = due_s = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if frame.time is not None and frame.time >= due_s:
                frame.to_ndarray(format="rgb24")
                taken, due_s = taken + 1, int(frame.time) + 1
    return taken


def _demultiplexed(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(container.streams.video[0]))


def _ffmpeg(path: Path, *options: str) -> None:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-skip_frame", "nokey"]
    command += ["-i", str(path), "-an", "-fps_mode", "passthrough", *options, "-f", "null", "-"]
    subprocess.run(command, check=True)


def recall_on_passages(made: Mapping[str, Footage]) -> None:
    """Count the passages of two seconds or more of which there is a keyframe."""
    table = Table(title="Passages with a keyframe", title_justify="left")
    for column in ("", "selector", "keyframes", "1 frame/s", "passages", "found"):
        table.add_column(column, justify="right" if column not in ("", "selector") else "left")
    for name, (path, seconds, passages) in made.items():
        shown = [
            (max(0.0, p.start_s) * 1000, min(seconds, p.end_s) * 1000)
            for p in passages
            if min(seconds, p.end_s) - max(0.0, p.start_s) >= LEAST_APPEARANCE_MS / 1000
        ]
        for selector in ("iframe", "motion", "auto") if shown else ():
            kept, _ = chosen(path, selector)
            found = sum(any(a <= pts < b for pts, _ in kept) for a, b in shown)
            row = (selector, len(kept), round(seconds), len(shown), found)
            table.add_row(name, *map(str, row))
    Console().print(table)


def recall_on_demo(folder: Path) -> None:
    """Count the sample footage's appearances of two seconds or more that have a keyframe."""
    render_footage(folder)
    table = Table(title="Sample footage: appearances with a keyframe", title_justify="left")
    for column in ("selector", "keyframes", "of 1 frame/s", "appearances", "found"):
        table.add_column(column, justify="left" if column == "selector" else "right")
    every_second = sum(-(-clip["duration_ms"] // 1000) for clip in ground_truth()["clips"])
    for selector in ("iframe", "interval:1", "motion", "auto"):
        shown = found = keyframes = 0
        for clip in ground_truth()["clips"]:
            kept, _ = chosen(folder / clip["file"], selector)
            keyframes += len(kept)
            for start_ms, end_ms in _appearances(clip["appearances"]):
                shown += 1
                found += any(start_ms <= pts_ms < end_ms for pts_ms, _ in kept)
        share = f"{keyframes / every_second:.1%}"
        table.add_row(selector, str(keyframes), share, str(shown), str(found))
    Console().print(table)


def _appearances(found: list[dict[str, int]]) -> Iterator[tuple[int, int]]:
    for appearance in found:
        if appearance["end_ms"] - appearance["start_ms"] >= LEAST_APPEARANCE_MS:
            yield appearance["start_ms"], appearance["end_ms"]


def memory(folder: Path, path: Path) -> None:
    """Print the peak memory of a process that goes through 5 minutes and through an hour."""
    table = Table(title="Peak memory, MB", title_justify="left")
    table.add_column("selector")
    table.add_column("5 minutes", justify="right")
    table.add_column("1 hour", justify="right")
    hour = folder / "hour.mp4"
    if not hour.exists():
        _repeat(path, hour, 12)
    for selector in ("iframe", "motion", "auto"):
        table.add_row(selector, *(f"{_peak_mb(file, selector):.0f}" for file in (path, hour)))
    Console().print(table)


def _repeat(path: Path, into: Path, times: int) -> None:
    """Write the same packets again and again, each time later."""
    with av.open(str(into), "w") as out:
        with av.open(str(path)) as container:
            copy = out.add_stream_from_template(container.streams.video[0])
        start = 0
        for _ in range(times):
            with av.open(str(path)) as container:
                source = container.streams.video[0]
                for packet in container.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + start, packet.dts + start
                    packet.stream = copy
                    out.mux(packet)
                start += source.duration or 0


def _peak_mb(path: Path, selector: str) -> float:
    # What getrusage calls the peak begins at that of the process which started this one.
    code = (
        "import re, sys; from pathlib import Path; from benchmarks.footage.keyframes import chosen;"
        "chosen(Path(sys.argv[1]), sys.argv[2]);"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    command = [sys.executable, "-c", code, str(path), selector]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.footage.keyframes", description=__doc__
    )
    parser.add_argument("--folder", type=Path, help="where the footage is, or is to be kept")
    run(parser.parse_args().folder)
