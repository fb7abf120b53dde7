"""Live cameras against GStreamer's RTSP server, where the system has one: TCP, UDP, Digest."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.events import Lost, Seen
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.cameras.footage import watching
from tests.support.made_media import HistogramEncoder
from tests.support.waiting import free_port, wait_until

SCRIPT = Path(__file__).with_name("gstreamer_server.py")
PYTHON = Path("/usr/bin/python3")
PASSWORD = "hunter2"


@cache
def is_there() -> bool:
    probe = (
        "import gi; [gi.require_version(n, '1.0') for n in ('Gst', 'GstRtspServer')];"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "assert all(map(Gst.ElementFactory.find, ('x264enc', 'rtph264pay', 'videotestsrc')))"
    )
    return (
        PYTHON.exists()
        and not subprocess.run([PYTHON, "-c", probe], capture_output=True).returncode
    )


@contextmanager
def gstreamer(port: int) -> Iterator[subprocess.Popen[str]]:
    command = [str(PYTHON), str(SCRIPT), str(port), "admin", PASSWORD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_server_of_others_is_watched_killed_and_watched_again(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    transport: Literal["tcp", "udp"],
) -> None:
    if not is_there():
        pytest.skip("the system's Python has no GStreamer RTSP server")
    port = free_port()
    url = f"rtsp://{{}}@127.0.0.1:{port}/gate"
    gate = Camera("gate", SecretStr(url.format(f"admin:{PASSWORD}")), "main", None, transport)
    wrong = Camera("wrong", SecretStr(url.format("admin:no")), "main", None, transport)
    with gstreamer(port) as first, watching(settings, store, encoder, [gate, wrong]) as watched:
        wait_until(lambda: len(watched.entities) > 2, "the ball that bounces")
        wait_until(lambda: watched.of(Lost, "wrong"), "the refusal")
        first.kill()
        wait_until(lambda: watched.of(Lost, "gate"), "the loss")
        seen = len(watched.of(Seen, "gate"))
        with gstreamer(port):
            wait_until(lambda: len(watched.of(Seen, "gate")) > seen, "frames again")
    assert watched.of(Lost, "wrong")[0].reason == "refuses the name or the password"
    assert watched.entities[0].width == 320
