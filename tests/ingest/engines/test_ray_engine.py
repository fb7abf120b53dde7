"""The same ingest on a Ray cluster: same rows, same outcomes, also when a machine of it is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ingest.engines.base import LocalEngine
from ingest.engines.ray.cluster import require_ray
from ingest.engines.ray.engine import RayEngine
from ingest.report import IngestReport, Progress, SourceOutcome
from search_core.errors import EncoderMismatch, EngineError
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import HistogramEncoder, make_clip, make_photo, make_sound

if TYPE_CHECKING:
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

HOSTILE = "tests.ingest.sources.hostile_worker:main"
STORE_BYTES = 80 * 1024**2


@pytest.fixture(scope="module", autouse=True)
def workers_find_the_tests() -> Iterator[None]:
    """Ray's workers unpickle encoders of this module, wherever earlier tests have left us."""
    root = str(Path(__file__).parents[3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
        yield


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without cores, where the ingest runs, and two machines of two cores each."""
    require_ray(alone=True)  # so that all of it listens on the loopback address
    try:
        cluster = head()
    except Exception:  # Ray's own, bare: on a busy machine no node came within its fixed 30 s
        cluster = head()
    for _ in range(2):
        add_machine(cluster)
    yield cluster
    cluster.shutdown()


def head() -> Cluster:
    from ray.cluster_utils import Cluster

    return Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "node_ip_address": "127.0.0.1",
            # A machine is known to be lost when its port was shut a few times.
            "_system_config": {
                "health_check_initial_delay_ms": 0,
                "health_check_period_ms": 500,
                "health_check_failure_threshold": 3,
            },
        },
    )


def add_machine(cluster: Cluster) -> None:
    cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES, node_ip_address="127.0.0.1")


class MarkedEncoder(HistogramEncoder):
    """Writes into a folder which raylets it was loaded by: they start the processes of actors."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        (folder / f"{os.getppid()}").touch()


class LoadMarked:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> MarkedEncoder:
        return MarkedEncoder(self.folder)


def rows(store: MemoryStore) -> dict[str, MediaEntity]:
    return {e.id: replace(e, ingested_at=0) for e in store.entities("main", limit=100_000)}


def outcomes(report: IngestReport) -> dict[str, SourceOutcome]:
    return {o.uri: replace(o, uri="") for o in report.outcomes}


def assert_same(store: MemoryStore, other: MemoryStore, settings: Settings) -> None:
    ids = rows(store).keys()
    assert rows(store) == rows(other)
    for id_ in ids:
        np.testing.assert_allclose(
            store.embedding("main", id_), other.embedding("main", id_), atol=1e-5
        )
    assert all((settings.data_dir / row.thumbnail).is_file() for row in rows(store).values())


def test_the_same_rows_and_outcomes_as_locally(
    take_in: TakeIn, media: Path, store: MemoryStore, settings: Settings, cluster: Cluster
) -> None:
    settings.encoder.batch_size = 4
    for number in range(10):
        make_photo(media / f"{number}.jpg", (number, 10 * number, 90))
    for number in range(3):
        make_clip(media / f"{number}.mp4", seconds=9 + number)
    whole = make_clip(
        media / "cut.mp4", seconds=20, size=(160, 120), container_options={"movflags": "faststart"}
    )
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    make_photo(media / "crash.png")
    make_photo(media / "hang.png", (1, 2, 3))
    make_clip(media / "late.mp4", seconds=4)
    make_sound(media / "sound.mp4")
    (media / "empty.jpg").touch()
    (media / "notes.txt").write_text("notes")
    (media / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    here = take_in(
        media, keyframes="iframe+distinct:0.5", engine=LocalEngine(1, entry=HOSTILE, hang_s=4.0)
    )
    local = MemoryStore()
    thumbnails = {path.read_bytes() for path in settings.thumbnails_dir.rglob("*.jpg")}
    settings.ledger_path.unlink()
    settings.thumbnails_dir.rename(settings.data_dir / "before")
    engine = RayEngine(
        settings, address=cluster.address, load_encoder=HistogramEncoder, entry=HOSTILE, hang_s=4.0
    )
    there = take_in(media, keyframes="iframe+distinct:0.5", store=local, engine=engine)
    assert outcomes(there) == outcomes(here)
    assert {o.reason for o in here.outcomes if "decoder" in o.reason} == {
        "made the decoder crash (signal 11, SIGSEGV)",
        "made the decoder crash (signal 9, SIGKILL); its first 1 keyframes are kept",
        "made the decoder hang: it gave nothing for 4 s",
    }
    assert here.left_out > 0  # the gate needs each source's keyframes in order
    assert_same(store, local, settings)
    assert {path.read_bytes() for path in settings.thumbnails_dir.rglob("*.jpg")} == thumbnails
    nowhere = RayEngine(settings, address="127.0.0.1:1", load_encoder=HistogramEncoder)
    again = take_in(media / "0.jpg", keyframes="iframe+distinct:0.5", store=local, engine=nowhere)
    assert again.skipped == 1  # what is known needs no cluster


def test_a_lost_machine_costs_nothing(
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    settings: Settings,
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    settings.encoder.batch_size = 4
    marks = tmp_path / "marks"
    marks.mkdir()
    for number in range(8):
        make_clip(media / f"{number:03}.mp4", seconds=40 + number)
    for number in range(160):  # more than may be under way at once: some come after the loss
        make_photo(media / f"photo{number:03}.png", (number, 255 - number, 90))
    lost: list[bool] = []

    def lose_the_encoders_machine(progress: Progress) -> None:
        if progress.keyframes >= 20 and not lost:
            lost.append(True)
            homes = {int(mark.name) for mark in marks.iterdir()}
            (machine, *_) = [node for node in cluster.worker_nodes if raylet_of(node) in homes]
            cluster.remove_node(machine, allow_graceful=False)

    engine = RayEngine(settings, address=cluster.address, load_encoder=LoadMarked(marks))
    report = take_in(
        media, keyframes="iframe", engine=engine, on_progress=lose_the_encoders_machine
    )
    add_machine(cluster)
    assert lost and len(list(marks.iterdir())) > 1  # an encoder was loaded elsewhere
    assert (report.done, report.failed, report.skipped) == (168, 0, 0)
    local = MemoryStore()
    settings.ledger_path.unlink()
    here = take_in(media, keyframes="iframe", store=local, engine=LocalEngine(2))
    assert (report.keyframes, outcomes(report)) == (here.keyframes, outcomes(here))
    assert_same(store, local, settings)


def raylet_of(node: Node) -> int:
    (raylet,) = node.all_processes["raylet"]
    return int(raylet.process.pid)


def test_another_encoder_on_the_cluster_is_refused(
    take_in: TakeIn, media: Path, settings: Settings, cluster: Cluster
) -> None:
    make_photo(media / "a.png")
    engine = RayEngine(settings, address=cluster.address, load_encoder=OtherEncoder)
    with pytest.raises(EncoderMismatch, match="histogram"):
        take_in(media, engine=engine)
    assert take_in(media).done == 1


class OtherEncoder(HistogramEncoder):
    def __init__(self) -> None:
        super().__init__("b" * 32)


@pytest.fixture
def first_start_times_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the first start of a cluster fail as Ray's own time limit does on a busy machine."""
    ray = require_ray(alone=True)
    start, begun = ray.init, list[str]()

    def init(address: str, **options: object) -> object:
        begun.append(address)
        if len(begun) == 1:
            raise Exception("The current node timed out during startup. This could happen …")
        return start(address, **options)

    monkeypatch.setattr(ray, "init", init)
    return begun


def test_stopping_ends_the_cluster_that_was_started(
    first_start_times_out: list[str],
    take_in: TakeIn,
    media: Path,
    store: MemoryStore,
    ledger_counts: Callable[[], int],
    settings: Settings,
) -> None:
    settings.encoder.batch_size = 1
    for number in range(100):
        make_photo(media / f"{number:02}.png", (number, 0, 0))
    seen = []
    report = take_in(
        media,
        engine=RayEngine(settings, load_encoder=HistogramEncoder),
        on_progress=lambda progress: seen.append(progress.done),
        should_stop=lambda: bool(seen and seen[-1] >= 3),
    )
    assert first_start_times_out == ["local", "local"]
    assert report.interrupted and 3 <= report.done < 100
    assert ledger_counts() == report.done
    assert not list(settings.data_dir.glob(".ray-*"))
    own = ["ps", "--ppid", str(os.getpid()), "-o", "args="]
    children = subprocess.run(own, capture_output=True, text=True).stdout
    assert "sightline-ray-" not in children
    assert take_in(media).done == 100 - report.done


@pytest.fixture
def ledger_counts(settings: Settings) -> Callable[[], int]:
    from ingest.ledger import Ledger

    def done() -> int:
        with Ledger(settings.ledger_path) as ledger:
            return ledger.counts("main")["done"]

    return done


def test_an_address_without_a_cluster_is_told(
    take_in: TakeIn, media: Path, settings: Settings
) -> None:
    make_photo(media / "a.png")
    for address, said in (("ray://127.0.0.1:1", "Ray client"), ("127.0.0.1:1", "reached")):
        engine = RayEngine(settings, address=address, load_encoder=HistogramEncoder)
        with pytest.raises(EngineError, match=said):
            take_in(media, engine=engine)


def test_without_ray_the_way_to_get_it_is_told(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None; from sightline.cli.main import main;"
        f"sys.argv = ['sightline', '--data-dir', {str(tmp_path)!r}, 'ingest', 'x'];"
        "sys.argv += ['--engine', 'ray'];"
        "sys.exit(main())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "pip install 'sightline[ray]'" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_ray_is_imported_only_when_it_is_asked_for() -> None:
    code = "import sys, ingest.pipeline, sightline.cli.ingest.ingest; print('ray' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
