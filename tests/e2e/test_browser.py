"""The dashboard as an operator uses it: `sightline serve`, a real browser, made footage.

What is visible when in the footage is known, so that the right keyframe is known too.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from search_core.encoders.catalogue import find_encoder, packaged_weights
from tests.e2e.clicks import clicks, count_clicks
from tests.support.made_once import made_once
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CAMERAS = ("junction-north", "loading-dock")
SENTENCE = "a person in a blue top riding a bicycle"
#: Keyframes come every two seconds: the nearest is up to this far from a moment's ends.
SLACK_MS = 1000
START_S = 90
JOB_MS = 300_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def data_dir(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose library holds two of the demo's clips, ingested by the command."""
    encoder = find_encoder("sightline-demo")
    assert encoder is not None
    if not list(packaged_weights(encoder).glob("*.safetensors")):
        pytest.skip("the demo encoder's weights are not in demo/encoder")
    made = made_once(tmp_path_factory, "library", _ingest)
    return shutil.copytree(made / "data", tmp_path_factory.mktemp("data"), dirs_exist_ok=True)


@pytest.fixture(scope="module")
def address(data_dir: Path) -> Iterator[str]:
    """Where `sightline serve` answers."""
    port = free_port()
    with subprocess.Popen([*_sightline(data_dir), "serve", "--port", str(port)]) as serve:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, serve)
            yield address
        finally:
            os.kill(serve.pid, signal.SIGINT)
            serve.wait(60)


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1366, "height": 768}, timezone_id="Europe/Berlin"
    )
    count_clicks(context)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    yield page
    context.close()


def test_a_sentence_finds_its_moment_and_plays_it(page: Page) -> None:
    from sightline.demo.footage import moments

    box = page.get_by_placeholder("Describe it in a sentence")
    box.fill(SENTENCE)
    box.press("Enter")
    first = page.locator(".st-key-card-1")
    first.locator("[data-testid=stImageCaption]").wait_for()
    camera, pts_ms = _read_card(first.inner_text())

    assert any(moment.holds(camera, pts_ms, SLACK_MS) for moment in moments(SENTENCE))
    page.wait_for_url("**/?q=a+person*")
    page.wait_for_function("document.querySelector('.st-key-card-1 img')?.naturalWidth > 100")
    assert "2026-03-02 09:15" in first.inner_text()  # 08:15 UTC, seen from Berlin

    page.get_by_role("button", name="Open 1", exact=True).click()
    video = page.locator("[role=dialog] video")
    video.wait_for()
    assert clicks(page) == 1
    page.wait_for_function(
        "start => document.querySelector('[role=dialog] video').currentTime >= start",
        arg=pts_ms // 1000,
    )
    assert video.evaluate("video => video.currentTime") < pts_ms / 1000 + 15
    assert video.evaluate("video => video.videoWidth") == 640

    page.get_by_role("button", name="More like this").click()
    page.wait_for_url("**like=*")
    page.get_by_text(re.compile(r"^\d+ hits$")).wait_for()
    assert not page.locator("[data-testid=stException]").count()


def test_an_upload_is_ingested_while_one_watches(page: Page, tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "..odd name';.png"
    Image.linear_gradient("L").convert("RGB").save(picture)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 and no more")
    more = [tmp_path / f"{number}.jpg" for number in range(100)]
    rng = np.random.default_rng(0)  # Pillow's own noise gives some pictures twice
    for path in more:  # enough of them for one to see the first before the last
        noise = Image.fromarray(rng.integers(0, 256, (20, 30), dtype=np.uint8))
        noise.resize((3000, 2000)).save(path)

    page.get_by_role("link", name="Library").click()
    page.get_by_text("Add footage").click()
    page.locator("input[type=file]").set_input_files([broken, picture, *more])
    page.get_by_role("button", name="Ingest 102 files").click()
    assert clicks(page) == 3

    running = page.locator("[class*=st-key-job-]", has_text="running")
    running.locator("[role=gridcell]", has_text="broken.jpg").wait_for(state="attached")
    page.get_by_text("102 of 102 files · 1 failed · 101 keyframes").wait_for(timeout=JOB_MS)
    page.get_by_text("Browse").click()
    page.locator(".st-key-card-1", has_text="uploads").wait_for()


def test_indexes_are_compared_and_one_is_applied(page: Page) -> None:
    page.get_by_role("link", name="Index").click()
    page.get_by_role("button", name="Compare indexes").click()
    page.get_by_text("Comparing", exact=True).wait_for()

    page.get_by_text("this advice stands").wait_for(timeout=JOB_MS)  # after the first pass
    page.get_by_role("button", name="Report").wait_for(timeout=JOB_MS)
    page.get_by_text("this advice stands").wait_for(state="detached")
    use = page.get_by_role("combobox", name="Use", exact=True)
    page.get_by_text(re.compile("^Use .* of the true neighbours")).wait_for()
    page.get_by_label("Recall against latency: Pictures").wait_for()
    with page.expect_download() as report:
        page.get_by_role("button", name="Report").click()
    assert "Index comparison" in report.value.path().read_text(encoding="utf-8")

    use.click()
    page.get_by_role("option", name=re.compile("^(★ )?HNSW")).click()
    page.get_by_text("Searches and ingest go on").wait_for()
    page.get_by_role("button", name="Apply HNSW").click()
    page.get_by_text("HNSW answers now").wait_for(timeout=JOB_MS)
    assert clicks(page) == 6
    index = page.locator(".st-key-current-index [data-testid=stMetricValue]").first
    index.get_by_text("HNSW").wait_for()

    page.get_by_role("link", name="Search").click()
    box = page.get_by_placeholder("Describe it in a sentence")
    box.fill(SENTENCE)
    box.press("Enter")
    page.locator(".st-key-card-1").wait_for()
    assert not page.locator("[data-testid=stException]").count()


def test_pictures_are_tagged_deleted_and_put_back(page: Page) -> None:
    page.get_by_role("link", name="Library").click()
    page.locator(".st-key-card-1 img").first.wait_for()
    boxes = page.locator("[class*=st-key-card-] .tick")
    bar = page.locator(".st-key-selection")
    boxes.nth(0).click()
    bar.get_by_text("1 picture selected").wait_for()
    boxes.nth(1).click()
    bar.get_by_text("2 pictures selected").wait_for()

    page.get_by_role("button", name="Tag …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Add", exact=True).fill("suspect")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # closes the list, which hides all else
    dialog.get_by_role("button", name="Change tags").click()
    page.get_by_text("Changed the tags of 2 pictures.").wait_for()
    assert clicks(page) == 5
    bar.wait_for(state="detached")

    boxes.nth(0).click()
    bar.get_by_text("1 picture selected").wait_for()
    page.get_by_role("button", name="Delete …").click()
    dialog.get_by_role("button", name="Delete 1 picture").click()
    page.get_by_text("Deleted 1 picture.").wait_for()

    page.get_by_text("Trash", exact=True).first.click()
    page.get_by_text("chosen by hand").wait_for()
    page.get_by_role("button", name="Restore").click()
    page.get_by_text("Restored 1 picture.").wait_for()
    assert clicks(page) == 5
    page.get_by_text("The trash is empty").wait_for()
    assert not page.locator("[data-testid=stException]").count()


def test_the_sidebar_names_the_library_that_is_shown(page: Page, address: str) -> None:
    from playwright.sync_api import expect

    page.goto(f"{address}/library?view=Libraries")
    for name in ("other", "second"):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Create").click()
        page.get_by_text(f"Created the library {name}.").wait_for()
    picker = page.locator("[data-testid=stSidebar] .st-key-library input")
    shown = page.locator(".st-key-overview [data-testid=stMetricValue]").first

    page.goto(f"{address}/library?library=other&view=Libraries")
    page.get_by_label("New name").fill("renamed")
    page.get_by_role("button", name="Rename").click()
    shown.get_by_text("renamed", exact=True).wait_for()
    expect(picker).to_have_value("renamed")

    for name in ("renamed", "second"):
        page.goto(f"{address}/library?library={name}&view=Libraries")
        page.get_by_label(f"Type {name} to confirm").fill(name)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Drop the library").click()
        shown.get_by_text("main", exact=True).wait_for()
        if name == "renamed":
            expect(picker).to_have_value("main")
    page.get_by_text("Rename main").wait_for()
    expect(picker).to_have_count(0)


def test_a_lasso_on_the_map_shows_its_pictures(page: Page) -> None:
    page.get_by_role("link", name="Map").click()
    page.get_by_text("Worth a look").wait_for()
    page.locator(".js-plotly-plot .points path").first.wait_for()
    area = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert area is not None
    left, top = area["x"] + 5, area["y"] + 40
    right, bottom = area["x"] + area["width"] - 5, area["y"] + area["height"] - 5
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 5)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()

    page.get_by_text("selected", exact=False).first.wait_for()
    assert clicks(page) == 2


#: Each page by its address, and what is there when it is drawn.
PAGES = {
    "": "[data-testid=stTextInput] input",
    "?q=a+white+car": ".st-key-card-1 img",
    "library": ".st-key-card-1 img",
    "library?view=Add+footage": ".st-key-adding",
    "library?view=Failures": ".st-key-overview",
    "library?view=Trash": ".st-key-overview",
    "library?view=Libraries": ".st-key-drop-main",
    "map": ".st-key-card-1 img",
    "cases": ".st-key-cases-head",
    "cameras": ".st-key-name-0",
    "index": ".st-key-current-index",
}
IN_THE_DARK = ("?q=a+white+car", "library?view=Libraries", "index")


def test_no_page_shuts_anybody_out(page: Page, address: str) -> None:
    """No grave finding of axe-core, no error in the console, nothing wider than a phone."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from tests.e2e.axe import Looked

    looked = Looked(page)
    schemes: dict[Literal["light", "dark"], Iterable[str]] = {"light": PAGES, "dark": IN_THE_DARK}
    for scheme, paths in schemes.items():
        page.emulate_media(color_scheme=scheme)
        for path in paths:
            page.goto(f"{address}/{path}")
            page.locator(PAGES[path]).first.wait_for()
            looked.at(f"/{path}, {scheme}")
            if path.startswith("?"):
                page.get_by_role("button", name="Open 1", exact=True).click()
                page.locator("[role=dialog] video").wait_for()
                looked.at(f"a moment, {scheme}")
    assert not looked.problems, "\n".join(dict.fromkeys(looked.problems))


def _ingest(folder: Path) -> None:
    """Render the clips, and take them into the library of ``folder``/data."""
    footage = folder / "footage"
    footage.mkdir()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        clips = list(pool.map(_render, CAMERAS, [footage] * len(CAMERAS)))
    ingest = [*_sightline(folder / "data"), "ingest", *map(str, clips)]
    subprocess.run(ingest, check=True, timeout=120)


def _render(camera: str, folder: Path) -> Path:
    from sightline.demo.footage import render_clip
    from sightline.demo.scenes.clips import CLIPS

    clip = next(clip for clip in CLIPS if clip.camera == camera)
    path = folder / camera / f"{camera}.mp4"
    path.parent.mkdir(exist_ok=True)
    render_clip(clip, path)
    return path


def _sightline(data_dir: Path) -> list[str]:
    return [sys.executable, "-m", "sightline.cli.main", "--data-dir", str(data_dir)]


def _wait_for(address: str, serve: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert serve.poll() is None, "sightline serve ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"sightline serve did not answer within {START_S} seconds")


def _read_card(text: str) -> tuple[str, int]:
    """Return the camera and the position in milliseconds that a card shows."""
    found = re.search(r"^(\S+)\s.*?\s(\d+):(\d\d)\.(\d)\s", text, re.DOTALL)
    assert found, text
    camera, minutes, seconds, tenths = found.groups()
    return camera, (int(minutes) * 60 + int(seconds)) * 1000 + int(tenths) * 100
