"""Logging in as each role, and trying what is not allowed: `sightline serve`, a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_browser import _sightline, _wait_for, chromium, data_dir
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
__all__ = ["chromium", "data_dir"]

PASSWORD = "four words are long"
MINE, OTHERS = "junction-north", "loading-dock"
USERS = {
    "vera": ["--role", "viewer", "--camera", MINE],
    "otto": ["--role", "operator"],
    "anna": ["--role", "admin"],
}


@pytest.fixture(scope="module")
def address(data_dir: Path) -> Iterator[str]:
    """Where `sightline serve` answers, on every network, for there are users."""
    refused = subprocess.run(
        [*_sightline(data_dir), "serve", "--address", "0.0.0.0"], capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "sightline users add" in refused.stderr
    for name, options in USERS.items():
        command = [*_sightline(data_dir), "users", "add", name, *options]
        subprocess.run(command, input=PASSWORD, text=True, check=True)
    port = free_port()
    command = [*_sightline(data_dir), "serve", "--port", str(port), "--address", "0.0.0.0"]
    with subprocess.Popen(command) as serve:
        try:
            _wait_for(f"http://127.0.0.1:{port}", serve)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.kill(serve.pid, signal.SIGINT)
            serve.wait(60)


Enter = Callable[..., "Page"]


@pytest.fixture
def enter(chromium: Browser, address: str) -> Iterator[Enter]:
    """Return a function that logs in through the form and returns the page it leads to."""
    contexts: list[BrowserContext] = []

    def opened(name: str, path: str = "/") -> Page:
        context = chromium.new_context(viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}{path}")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.locator("[data-testid=stAppViewContainer]").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()


def test_each_role_sees_and_reaches_what_is_its_own(
    enter: Enter, address: str, data_dir: Path
) -> None:
    anna = enter("anna", "/?q=a+truck+with+JCN+on+it&camera=loading-dock")
    anna.wait_for_url("**/?q=a+truck*")
    anna.get_by_text(re.compile(r"^\d+ hits$")).wait_for()
    assert anna.get_by_role("link", name="Index").count() == 1
    thumbnail = _first_picture(anna)
    anna.get_by_role("button", name="Export").click()
    with anna.expect_download() as started:
        anna.get_by_role("button", name="JSON").click()
    exported = json.loads(started.value.path().read_text())
    assert {hit["camera"] for hit in exported["hits"]} == {OTHERS}
    anna.keyboard.press("Escape")
    anna.get_by_role("button", name="Open 1", exact=True).click()
    anna.locator("[role=dialog] video").wait_for()
    video = str(anna.locator("[role=dialog] video").get_attribute("src")).partition("#")[0]
    assert f"{address}/footage/main/" in video
    moment = video.rpartition("/")[2]
    for url in (thumbnail, video, started.value.url):
        assert anna.request.get(url).status == 200

    # A viewer of another camera: neither found, nor by an address that somebody passed on.
    vera = enter("vera", "/?q=a+person+in+a+blue+top+riding+a+bicycle")
    vera.get_by_text(re.compile(r"^\d+ hits$")).wait_for()
    cards = vera.locator("[class*='st-key-card-'] [data-testid=stImageCaption]")
    cards.first.wait_for()
    assert all(MINE in text for text in cards.all_inner_texts())
    assert vera.request.get(_first_picture(vera)).status == 200
    for url in (thumbnail, video, started.value.url):
        assert vera.request.get(url).status == 404
    vera.goto(video)
    assert vera.get_by_text("There is no such footage.").count() == 1
    for path in (f"/?moment={moment}", f"/?like={moment}", f"/?q=car&camera={OTHERS}"):
        vera.goto(address + path)
        vera.get_by_text(
            re.compile(r"is not in the library|has no entity|This link asks for")
        ).first.wait_for()
        # The link's own words are said back, whether there is such a camera or not.
        shown = vera.locator("body").inner_text().replace(f"camera “{OTHERS}”", "")
        assert shown.count(OTHERS) == 0
    assert vera.get_by_role("link", name="Index").count() == 0
    vera.goto(f"{address}/index")
    vera.get_by_text("Your role may not open Index.").wait_for()
    assert "Compare" not in vera.locator("body").inner_text()
    vera.goto(f"{address}/library?view=Libraries")
    vera.get_by_text("Keyframes and photos").wait_for()
    assert vera.get_by_text("Drop the library").count() == 0

    # Nobody at all.
    browser = vera.context.browser
    assert browser is not None
    nobody = browser.new_context()
    for url in (thumbnail, video, f"{address}/_stcore/stream"):
        assert nobody.request.get(url, max_redirects=0).status in (303, 401)
    nobody.close()

    who = {event["who"] for event in _audit(data_dir, "search")}
    assert {"anna", "vera"} <= who
    for action in ("play", "view", "export"):
        assert {event["who"] for event in _audit(data_dir, action)} == {"anna"}


def test_an_operator_adds_and_an_admin_deletes(enter: Enter, address: str) -> None:
    otto = enter("otto", "/library")
    otto.get_by_text("Add footage").wait_for()
    assert otto.get_by_text("Trash").count() == 0
    anna = enter("anna", "/library?view=Libraries")
    anna.get_by_text("Drop the library").first.wait_for()


def test_the_login_shuts_nobody_out(chromium: Browser, address: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    from tests.e2e.axe import PHONE, grave_violations

    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme, viewport=PHONE)
        page = context.new_page()
        page.goto(f"{address}/login")
        page.get_by_label("Name").wait_for()
        assert not grave_violations(page, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        context.close()


def test_a_session_is_over_at_once(enter: Enter, address: str, data_dir: Path) -> None:
    otto = enter("otto")
    otto.get_by_placeholder("Describe it in a sentence").wait_for()
    # What the page asks by itself is answered as before: the search has to find it out.
    otto.route("**/session", lambda route: route.fulfill(status=204))
    command = [*_sightline(data_dir), "users", "passwd", "otto"]
    subprocess.run(command, input="another long one", text=True, check=True)

    box = otto.get_by_placeholder("Describe it in a sentence")
    box.fill("a white car")
    box.press("Enter")
    otto.wait_for_url("**/login**")
    otto.get_by_label("Name").fill("otto")
    otto.get_by_label("Password").fill(PASSWORD)
    otto.get_by_role("button", name="Log in").click()
    otto.get_by_text("do not belong together").wait_for()

    vera = enter("vera", "/account")
    vera.get_by_text("May", exact=False).first.wait_for()
    vera.get_by_role("button", name="Log out").click()
    vera.wait_for_url("**/login")
    vera.goto(address)
    vera.wait_for_url("**/login")


def test_a_page_left_open_leads_to_the_login_and_back(enter: Enter, data_dir: Path) -> None:
    command = [*_sightline(data_dir), "users", "add", "lena", "--role", "operator"]
    subprocess.run(command, input=PASSWORD, text=True, check=True)
    lena = enter("lena", "/library?view=Failures")
    lena.get_by_text("Keyframes and photos").wait_for()
    command = [*_sightline(data_dir), "users", "passwd", "lena"]
    subprocess.run(command, input="another long one", text=True, check=True)

    lena.wait_for_url("**/login?next=%2Flibrary%3Fview%3DFailures")
    lena.get_by_label("Name").fill("lena")
    lena.get_by_label("Password").fill("another long one")
    lena.get_by_role("button", name="Log in").click()
    lena.wait_for_url("**/library?view=Failures")
    lena.get_by_text("Keyframes and photos").wait_for()


def _first_picture(page: Page) -> str:
    picture = page.locator(".st-key-card-1 img").first
    page.wait_for_function("document.querySelector('.st-key-card-1 img')?.naturalWidth > 100")
    return str(picture.evaluate("img => img.src"))


def _audit(data_dir: Path, action: str) -> list[dict[str, Any]]:
    command = [*_sightline(data_dir), "audit", "--json", "--action", action]
    found: list[dict[str, Any]] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return found
