"""Milvus killed, or ended in order, and started again in the middle of an ingest: all rows, once.

Once each time; ten times in one ingest with SIGHTLINE_SOAK=1 (``make soak``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest
from PIL import Image
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.events import LiveKeyframe
from ingest.cameras.live_writer import LiveWriter
from ingest.cameras.status_log import Diary
from ingest.ledger import Ledger
from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreUnavailable
from search_core.indexes import IvfFlat
from search_core.settings import Settings
from search_core.store.endpoint import (
    ServeState,
    resolve_endpoint,
    serve_lock,
    write_serve_state,
)
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity
from tests.integration.real_ingest import Ingest
from tests.support.made_media import HistogramEncoder, make_clip, make_photo
from tests.support.waiting import free_port, wait_until

SOAK = bool(os.environ.get("SIGHTLINE_SOAK"))
RESTARTS = 10 if SOAK else 1
PICTURES, CLIPS, SECONDS = (3000 if SOAK else 150), 3, 10
only_in_soak = pytest.mark.skipif(not SOAK, reason="takes long: make soak")
#: One process decodes, and rows are written a few at a time: Milvus ends in the middle of it.
SLOWLY = {"SIGHTLINE_MEDIA_WORKERS": "1", "SIGHTLINE_ENCODER_BATCH_SIZE": "4"}


class Milvus(Protocol):
    """A Milvus that can be ended and started again, with its rows, at the same address."""

    def kill(self, number: signal.Signals) -> None: ...

    def start(self) -> None: ...


class Standalone:
    def __init__(self, server: Any) -> None:
        self._server = server

    def kill(self, number: signal.Signals) -> None:
        process = self._server.server_proc
        process.send_signal(number)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it waits for what cannot come any more
            process.kill()
        self._server.stop()

    def start(self) -> None:
        port = self._server.listen_port
        self._server.start()
        assert self._server.listen_port == port


class Lite:
    """Milvus Lite as `sightline serve` runs it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._arguments = [
            "--data-dir",
            str(folder),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self, number: signal.Signals) -> None:
        assert self._process is not None
        # What it closes its files on is Ctrl-C.
        self._process.send_signal(signal.SIGINT if number == signal.SIGTERM else number)
        self._process.wait()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "milvus_lite", "server", *self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture(params=["served", pytest.param("server", marks=pytest.mark.server)])
def milvus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Milvus, Settings]]:
    """A Milvus that runs, and the settings that mean it."""
    if request.param == "server":
        uri = request.getfixturevalue("milvus_process_uri")
        ingest = Ingest(tmp_path, tmp_path / "data", uri)
        ingest.settings.data_dir.mkdir()
        yield Standalone(request.getfixturevalue("milvus_server")), ingest.settings
        ingest.begin_anew()
        return
    settings = Settings(data_dir=tmp_path / "data")
    lite = Lite(settings.milvus_lite_dir)
    with serve_lock(settings):
        lite.start()
        uri = f"http://127.0.0.1:{lite.port}"
        write_serve_state(settings, ServeState(os.getpid(), uri, "", "", embedded=True))
        yield lite, settings
        lite.kill(signal.SIGKILL)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restarted")
    for number in range(PICTURES):
        make_photo(folder / f"{number}.png", (number % 250, number // 250 * 10, 90))
    for number in range(CLIPS):
        make_clip(folder / f"clip{number}.mp4", seconds=SECONDS, size=(64 + 16 * number, 48))
    return folder


def not_on_a_server(milvus: Milvus) -> None:
    """For what does not depend on the Milvus; a server takes its time for everything."""
    if isinstance(milvus, Standalone) and not SOAK:
        pytest.skip("the same on a server: make soak")


def some_are_done(settings: Settings, at_least: int) -> bool:
    if not settings.ledger_path.exists():
        return False
    with Ledger(settings.ledger_path) as ledger:
        return ledger.counts("main")["done"] >= at_least


def until_some_are_done(settings: Settings, at_least: int) -> None:
    wait_until(lambda: some_are_done(settings, at_least), f"{at_least} sources to be done", 120)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGTERM, id="ended", marks=only_in_soak),
    ],
)
def test_an_ingest_goes_on_when_milvus_is_back(
    milvus: tuple[Milvus, Settings], media: Path, how: signal.Signals
) -> None:
    server, settings = milvus
    ingest = Ingest(media, settings.data_dir, settings.milvus.uri, environment=SLOWLY)
    process = ingest.start(subprocess.PIPE)
    for turn in range(RESTARTS):
        until_some_are_done(settings, 20 + turn * PICTURES // RESTARTS)
        server.kill(how)
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "does not answer; waiting for it" in said, said
        server.start()
        said = process.stderr.readline()
        assert "answers again" in said, said
    out, said = process.communicate()

    report = json.loads(out)
    assert (report["done"], report["failed"]) == (PICTURES + CLIPS, 0), said
    # A server that has just started may answer one call and not yet the next.
    assert all("answer" in line for line in said.splitlines()), said
    ids = ingest.ids()
    assert len(ids) == len(set(ids)) == PICTURES + CLIPS * SECONDS
    assert ingest.findings() == []


def test_ctrl_c_ends_the_wait_and_the_same_command_goes_on(
    milvus: tuple[Milvus, Settings], media: Path
) -> None:
    server, settings = milvus
    not_on_a_server(server)
    ingest = Ingest(media, settings.data_dir, settings.milvus.uri, environment=SLOWLY)
    process = ingest.start(subprocess.PIPE)
    until_some_are_done(settings, 20)
    server.kill(signal.SIGKILL)
    assert process.stderr is not None
    assert "does not answer" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 1 and json.loads(out)["interrupted"], said
    assert "Traceback" not in said

    server.start()
    report = ingest.run()
    assert report["skipped"] >= 20 and report["failed"] == 0
    ids = ingest.ids()
    assert len(ids) == len(set(ids)) == PICTURES + CLIPS * SECONDS


def test_live_keyframes_wait_for_milvus(milvus: tuple[Milvus, Settings], tmp_path: Path) -> None:
    server, settings = milvus
    not_on_a_server(server)
    gate = Camera("gate", SecretStr("rtsp://cam/x"), "main")
    encoder = HistogramEncoder()
    with (
        closing(MilvusStore(resolve_endpoint(settings))) as store,
        Diary(settings.ledger_path) as diary,
    ):
        store.ensure_library("main", encoder.identity)
        diary.begin(gate, 0)
        writer = LiveWriter(settings, store, encoder, diary, "recipe")

        def see(second: int) -> float:
            pixels = encoder.preprocess(Image.new("RGB", (64, 36), (second * 50, 30, 60)))
            writer.put(gate, LiveKeyframe(second * 1000, 64, 36, pixels, "t.jpg", "/s.jpg"))
            writer.embed(0.0)
            return writer.write(0.0)

        assert see(0) == 0
        server.kill(signal.SIGKILL)
        assert see(1) > 0 and see(2) > 0
        server.start()
        wait_until(lambda: writer.write(0.0) == 0, "the keyframes to be written", 120)
        assert see(3) == 0
        assert {entity.captured_at for entity in store.entities("main")} == {0, 1000, 2000, 3000}
        assert diary.cameras()[0].dropped == 0


def test_a_library_is_as_it_was_when_milvus_is_back(
    milvus: tuple[Milvus, Settings], identity: EncoderIdentity
) -> None:
    node, settings = milvus
    vectors = clip_like_vectors(20, identity.dim)
    wait_until(lambda: answers(settings), "Milvus to answer", 60)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        store.ensure_library("main", identity)
        store.upsert("main", [make_entity(number) for number in range(20)], vectors)
        store.settle("main")
        store.rebuild("main", IvfFlat(nlist=4), in_place=True)
    node.kill(signal.SIGKILL)
    node.start()
    wait_until(lambda: answers(settings), "Milvus to answer again", 60)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        assert store.library("main").index == IvfFlat(nlist=4)
        [matches] = store.search("main", vectors[:1], k=5)
        assert len(matches) == 5
        for old, new in (("main", "other"), ("other", "main")):
            store.rename_library(old, new)  # nobody is thought to be at work on it


def answers(settings: Settings) -> bool:
    try:
        with closing(MilvusStore(resolve_endpoint(settings))) as store:
            store.server()
    except StoreUnavailable:
        return False
    return True
