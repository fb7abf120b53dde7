"""Decoding processes that crash or hang cost the source they were at, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.engines import base
from ingest.engines.base import LocalEngine
from ingest.report import IngestReport
from search_core.errors import SightlineError
from search_core.store.memory.store import MemoryStore
from search_core.system import machine
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_clip, make_photo

HOSTILE = "tests.ingest.sources.hostile_worker:main"


def photos(media: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        make_photo(media / f"{name}.png", (number, 10 * number, 90))
    return media


def reasons(report: IngestReport) -> dict[str, str]:
    return {o.uri.rsplit("/", 1)[1]: o.reason for o in report.outcomes if o.status == "failed"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_fails_one_source_and_the_rest_goes_on(
    take_in: TakeIn, media: Path, store: MemoryStore, workers: int
) -> None:
    photos(media, "a", "crash1", "b", "crash2", "c", "exit")
    report = take_in(media, engine=LocalEngine(workers, entry=HOSTILE))
    assert reasons(report) == {
        "crash1.png": "made the decoder crash (signal 11, SIGSEGV)",
        "crash2.png": "made the decoder crash (signal 11, SIGSEGV)",
        "exit.png": "made the decoder crash (exit status 3)",
    }
    assert (report.done, store.count("main")) == (3, 3)


def test_a_hang_is_ended_and_fails_one_source(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    photos(media, "a", "hang", "b")
    report = take_in(media, engine=LocalEngine(1, entry=HOSTILE, hang_s=0.5))
    assert list(reasons(report)) == ["hang.png"]
    assert "hang" in reasons(report)["hang.png"]
    assert (report.done, store.count("main")) == (2, 2)


def test_a_crash_in_the_middle_keeps_what_came_and_says_so(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_clip(media / "late.mp4", seconds=3)
    report = take_in(media, engine=LocalEngine(1, entry=HOSTILE))
    reason = "made the decoder crash (signal 9, SIGKILL); its first 1 keyframes are kept"
    assert reasons(report) == {"late.mp4": reason}
    assert store.count("main") == 1
    again = take_in(media)  # a failed source is pending: the next ingest tries it again
    assert (again.done, again.failed, store.count("main")) == (1, 0, 3)


def test_processes_that_cannot_start_stop_the_ingest_with_the_cause(
    take_in: TakeIn, media: Path
) -> None:
    photos(media, "a", "b")
    entry = "tests.ingest.sources.hostile_worker:fails_to_start"
    with pytest.raises(SightlineError, match="no decoder here"):
        take_in(media, engine=LocalEngine(1, entry=entry))


def test_decoding_processes_load_no_torch() -> None:
    code = "import sys, ingest.engines.decode_process, ingest.jobs; print('torch' in sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "False"


def test_jobs_and_ledger_load_no_decoder() -> None:
    code = (
        "import sys, ingest.jobs, ingest.ledger;"
        "print([name for name in ('av', 'torch', 'pymilvus') if name in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"


def test_workers_fit_the_cores_and_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "cores", lambda: 64)
    monkeypatch.setattr(base, "available_memory_bytes", lambda: None)
    assert LocalEngine().workers == 8
    monkeypatch.setattr(base, "available_memory_bytes", lambda: 2 * 1024**3)
    assert LocalEngine().workers == 4
    monkeypatch.setattr(base, "available_memory_bytes", lambda: 0)
    assert LocalEngine().workers == 1
    assert LocalEngine(3).workers == 3


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cgroup ``a/b`` in a file system of cgroups, and a machine with 8 GB to spare."""
    group = tmp_path / "cgroup" / "a" / "b"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    return group


def test_a_cgroups_limits_count_wherever_above_they_are(cgroup: Path) -> None:
    assert machine.available_memory_bytes() == 8000000 * 1024
    free = machine.cores()
    for folder, limit in ((cgroup, "max"), (cgroup.parent, "3000000000")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("2500000000\n")
        (folder / "memory.stat").write_text("anon 2100000000\ninactive_file 400000000\n")
        (folder / "cpu.max").write_text("max 100000\n")
    assert (machine.available_memory_bytes(), machine.cores()) == (900000000, free)
    (cgroup / "cpu.max").write_text("50000 100000\n")
    assert machine.cores() == 1
