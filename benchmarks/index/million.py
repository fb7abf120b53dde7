"""One million 512-d vectors on the standalone server: IVF_SQ8 and HNSW compared, and at what cost.

A library is filled with made vectors and kept between runs (a run that was ended goes on where it
was), then `sightline index compare` runs over all of it as a process of its own, whose peak memory
is told. The memory of the server and the size of its index files are sampled meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from benchmarks.index.clip_like import ClipLike
from benchmarks.index.index_lab import LIBRARY, fill
from benchmarks.index.milvus_server import CACHE, milvus_server
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore

SAMPLE_S = 5.0
ALLOWED_BYTES = 1.5e9


class Samples(threading.Thread):
    """The server's memory and the size of its index files, written down every few seconds."""

    def __init__(self, server: Path, path: Path) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._path = path
        self._stop_asked = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        """Sample until asked to stop."""
        started = time.monotonic()
        with self._path.open("w") as file:
            file.write("seconds,server_rss_bytes,index_files_bytes\n")
            while not self._stop_asked.wait(SAMPLE_S):
                memory, files = _server_memory(self._server), _size(self._server, "index_files")
                self.peak_bytes = max(self.peak_bytes, memory)
                file.write(f"{time.monotonic() - started:.0f},{memory},{files}\n")
                file.flush()

    def stop(self) -> None:
        """End it."""
        self._stop_asked.set()
        self.join()


def compare(uri: str, folder: Path, options: argparse.Namespace) -> int:
    """Run the command over the whole library and return its peak memory in bytes."""
    out = folder / "comparison"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "sightline.cli.main", "index", "compare", "--no-text"),
        *("--data-dir", str(folder / "data"), "--library", LIBRARY, "--max-rows", "0"),
        *("--types", options.types, "--queries", str(options.queries)),
        *("--time-limit", "14400", "--out", str(out)),
        *(part for sweep in options.sweep for part in ("--sweep", sweep)),
    ]
    milvus = {"SIGHTLINE_MILVUS_URI": uri, "SIGHTLINE_MILVUS_TIMEOUT_S": "3600"}
    process = subprocess.Popen(command, env=dict(os.environ) | milvus)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the comparison ended with {process.returncode}")
    return usage.ru_maxrss * 1024


def _server_memory(server: Path) -> int:
    """Return the resident memory of the server whose data lie in a folder, 0 when it is gone."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(server) in (process / "cmdline").read_text():
                pages = int((process / "statm").read_text().split()[1])
                return pages * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return 0


def _size(folder: Path, part: str) -> int:
    total = 0
    for file in folder.rglob(f"{part}/**/*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # a file may go meanwhile
            continue
    return total


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="million", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--types", default="IVF_SQ8,HNSW")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--sweep", action="append", default=[], help="as of `index compare`")
    options = parser.parse_args()
    folder = CACHE / f"million-{options.rows}"
    server = folder / "server"
    server.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    with milvus_server(server) as uri:
        store = MilvusStore(Endpoint(uri, timeout_s=3600, embedded=False))
        started = time.monotonic()
        added = fill(store, options.rows, ClipLike())
        store.close()
        seconds = time.monotonic() - started
        print(f"library of {options.rows:,}: {added:,} added in {seconds:.0f} s", flush=True)
        samples = Samples(server, folder / "samples.csv")
        samples.start()
        started = time.monotonic()
        peak = compare(uri, folder, options)
        seconds = time.monotonic() - started
        samples.stop()
    verdict = {
        "rows": options.rows,
        "comparison_s": round(seconds),
        "command_peak_bytes": peak,
        "server_peak_bytes": samples.peak_bytes,
    }
    (folder / "result.json").write_text(json.dumps(verdict, indent=1))
    Console().print(
        f"the comparison took {seconds:.0f} s; peak memory: the command {peak / 1e9:.2f} GB "
        f"(allowed {ALLOWED_BYTES / 1e9}), the server {samples.peak_bytes / 1e9:.1f} GB"
    )
    raise SystemExit(peak > ALLOWED_BYTES)


if __name__ == "__main__":
    main()
