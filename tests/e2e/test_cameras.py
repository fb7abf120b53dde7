"""A camera from the browser: added, tested, seen live, searched, removed; a real stream."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest.cameras.status_log import Diary
from search_core.encoders.catalogue import find_encoder, packaged_weights
from search_core.settings import Settings
from tests.e2e.test_browser import _sightline, _wait_for, chromium
from tests.ingest.cameras.footage import passing, quiet
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import free_port, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
__all__ = ["chromium"]

SECRET = "hunter2@:/"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    encoder = find_encoder("sightline-demo")
    if encoder is None or not list(packaged_weights(encoder).glob("*.safetensors")):
        pytest.skip("the demo encoder's weights are not in demo/encoder")
    return tmp_path / "data"


@pytest.fixture
def page(chromium: Browser, data_dir: Path) -> Iterator[Page]:
    """The page of cameras of an empty Sightline."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*_sightline(data_dir), "serve", "--port", str(port)]) as serve:
        try:
            _wait_for(address, serve)
            context = chromium.new_context(viewport={"width": 1366, "height": 768})
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{address}/cameras")
            yield page
            context.close()
        finally:
            os.kill(serve.pid, signal.SIGINT)
            serve.wait(60)


def test_a_camera_is_added_seen_live_searched_and_removed(page: Page, data_dir: Path) -> None:
    gate = Channel(quiet())
    told: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: told.append(repr(data))))
    page.reload()
    with RtspServer({"gate": gate}, user="admin", password=SECRET) as server:
        page.get_by_text("No camera is set up").wait_for()
        page.locator(".st-key-name-0").wait_for()
        page.get_by_label("Name", exact=True).fill("front-gate")
        page.get_by_label("Address", exact=True).fill(server.url("gate"))
        page.get_by_label("User name", exact=True).fill("admin")
        page.get_by_label("Password", exact=True).fill("wrong")
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text("refuses the name or the password").wait_for()
        page.get_by_label("Password", exact=True).fill(SECRET)
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text("The camera answers: 320 × 180, H.264").wait_for()
        page.get_by_alt_text("Picture from the camera front-gate").wait_for()

        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_text("Added front-gate. Watching begins within seconds.").wait_for()
        live = page.locator("[data-testid=stMetric]", has_text="Live")
        live.get_by_text("1", exact=True).wait_for()
        gate.show(passing())
        ledger = Settings(data_dir=data_dir).ledger_path
        with Diary(ledger) as diary:
            wait_until(lambda: diary.cameras()[0].keyframes > 1, "what passes to be searchable")

        page.get_by_role("link", name="Search").click()
        box = page.get_by_placeholder("Describe it in a sentence")
        box.fill("a red thing on a street")
        box.press("Enter")
        found = page.locator(".st-key-card-1", has_text="front-gate").first
        nearest = page.get_by_text("Show the nearest pictures")
        found.or_(nearest).first.wait_for()
        if nearest.is_visible():  # so few keyframes by now that none stands out
            nearest.click()
        found.wait_for()

        page.get_by_role("link", name="Cameras").click()
        page.get_by_text("Another address").click()
        page.get_by_role("button", name="Test it").wait_for()
        if find_spec("axe_playwright_python") is not None:
            from tests.e2e.axe import Looked

            looked = Looked(page)
            looked.at("/cameras, with one")
            assert not looked.problems, "\n".join(looked.problems)
        page.get_by_role("button", name="Remove …").click()
        page.get_by_role("dialog").get_by_text("Kept in the library").wait_for()
        page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
        page.get_by_text("No camera is set up").wait_for()
        log = data_dir / "logs" / "cameras.log"
        wait_until(lambda: "front-gate is not watched any more" in log.read_text(), "the removal")
    assert gate.connections == 2  # the test, and the watching
    assert not page.locator("[data-testid=stException]").count()
    assert told and not [text for text in told if SECRET in text or "hunter2%40" in text]
    for file in data_dir.rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes(), file
