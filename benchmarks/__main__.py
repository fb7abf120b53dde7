"""Run one benchmark: ``python -m benchmarks NAME [options]``, or ``make bench ARGS="NAME ..."``.

A benchmark is a module of this package that also runs by itself; without a name it is ``stages``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

RUNS_ITSELF = '\nif __name__ == "__main__":'


def benchmarks() -> dict[str, str]:
    """Return the modules of the benchmarks by their names."""
    folder = Path(__file__).parent
    files = sorted(path for path in folder.rglob("*.py") if path != Path(__file__))
    return {
        path.stem: ".".join(("benchmarks", *path.relative_to(folder).with_suffix("").parts))
        for path in files
        if RUNS_ITSELF in path.read_text(encoding="utf-8")
    }


if __name__ == "__main__":
    name = sys.argv.pop(1).replace("-", "_") if len(sys.argv) > 1 else "stages"
    if name not in benchmarks():
        sys.exit(f"There is no benchmark {name}; there is: {', '.join(benchmarks())}.")
    runpy.run_module(benchmarks()[name], run_name="__main__", alter_sys=True)
