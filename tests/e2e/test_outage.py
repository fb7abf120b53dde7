"""A Milvus that goes away and comes back, as a real browser shows it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.e2e.test_browser import _sightline, _wait_for, chromium, data_dir
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
__all__ = ["chromium", "data_dir"]


@contextmanager
def milvus(folder: Path, port: int) -> Iterator[None]:
    """Serve a folder of Milvus Lite as a server of its own; killed at the end."""
    command = ["-m", "milvus_lite", "server", "--data-dir", str(folder), "--host", "127.0.0.1"]
    with subprocess.Popen(
        [sys.executable, *command, "--port", str(port)], stderr=subprocess.DEVNULL
    ) as server:
        try:
            MilvusStore(Endpoint(f"http://127.0.0.1:{port}", timeout_s=60.0)).close()
            yield
        finally:
            server.kill()


def test_a_page_comes_back_with_its_milvus(chromium: Browser, data_dir: Path) -> None:
    milvus_port, port = free_port(), free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "SIGHTLINE_MILVUS_URI": f"http://127.0.0.1:{milvus_port}"}
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    shown = page.locator(".st-key-card-1 img").first
    waiting = page.get_by_text("This page retries automatically.")
    command = [*_sightline(data_dir), "serve", "--port", str(port)]
    with ExitStack() as stack:
        with milvus(data_dir / "milvus.db", milvus_port):
            serve = stack.enter_context(subprocess.Popen(command, env=environment))
            stack.callback(os.kill, serve.pid, signal.SIGINT)
            _wait_for(address, serve)
            page.goto(f"{address}/library")
            shown.wait_for()
        page.reload()
        waiting.wait_for()
        page.get_by_text("Milvus cannot be reached").wait_for()
        with milvus(data_dir / "milvus.db", milvus_port):
            shown.wait_for()
            waiting.wait_for(state="detached")
        page.close()


def test_a_page_comes_back_with_its_server(chromium: Browser, data_dir: Path) -> None:
    port = free_port()
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    shown = page.locator(".st-key-card-1 img").first
    command = [*_sightline(data_dir), "serve", "--port", str(port)]

    def served(stack: ExitStack) -> None:
        serve = stack.enter_context(subprocess.Popen(command))
        stack.callback(os.kill, serve.pid, signal.SIGINT)
        _wait_for(f"http://127.0.0.1:{port}", serve)

    with ExitStack() as first:
        served(first)
        page.goto(f"http://127.0.0.1:{port}/library")
        shown.wait_for()
    page.get_by_text("Sightline does not answer.").wait_for()
    assert not shown.is_visible()
    with ExitStack() as second:
        served(second)
        shown.wait_for()
        page.get_by_text("Sightline does not answer.").wait_for(state="detached")
        page.close()
