"""Take the documentation's screenshots: `python docs/screenshots.py ADDRESS`.

The address is that of a running dashboard, http://127.0.0.1:8501 by default. Given the path of a
report.html that `sightline index report` wrote, it takes a screenshot of that. Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).parent / "images"
MANY, ONE = "a person riding a bicycle", "a person in a blue top riding a bicycle"
DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
REPORT = {"width": 1240, "height": 1180}
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
JPEG_QUALITY = 88


def take(browser: Browser, address: str) -> None:
    """Take all of them."""
    many, one = (f"{address}/?{urllib.parse.urlencode({'q': said})}" for said in (MANY, ONE))
    _shoot(browser, many, "dashboard-search", DESK)
    _shoot(browser, one, "dashboard-moment", DESK, dark=True, first=_open_first)
    _shoot(browser, many, "dashboard-phone", PHONE)
    _shoot(browser, f"{address}/library", "dashboard-library", DESK)
    _shoot(browser, f"{address}/index", "dashboard-index", DESK, first=_compare)


def take_report(browser: Browser, report: Path) -> None:
    """Take the first screen of a report."""
    page = browser.new_page(viewport={"width": REPORT["width"], "height": REPORT["height"]})
    page.goto(report.resolve().as_uri())
    page.wait_for_selector("html[data-drawn]")
    page.screenshot(path=FOLDER / "index-report.jpg", type="jpeg", quality=JPEG_QUALITY)
    page.close()


def _shoot(
    browser: Browser,
    address: str,
    name: str,
    size: dict[str, int],
    *,
    dark: bool = False,
    first: Callable[[Page], None] | None = None,
) -> None:
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.goto(address)
    _settle(page)
    if first is not None:
        first(page)
        _settle(page)
    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=JPEG_QUALITY)
    context.close()


def _settle(page: Page) -> None:
    app = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(500)
    app.wait_for(timeout=300_000)
    page.wait_for_timeout(1500)


def _open_first(page: Page) -> None:
    page.get_by_role("button", name="Open 1", exact=True).click()
    page.locator("[role=dialog] video").wait_for()
    page.wait_for_function("document.querySelector('[role=dialog] video').currentTime > 0")


def _compare(page: Page) -> None:
    if not page.locator("[data-testid=stVegaLiteChart]").count():
        page.get_by_role("button", name="Compare indexes").click()
        page.locator("[data-testid=stVegaLiteChart]").first.wait_for(timeout=300_000)
    page.mouse.move(0, 0)


def main() -> int:
    """Take the screenshots of the dashboard at the address given, or of a report."""
    from playwright.sync_api import sync_playwright

    address = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8501"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("Chromium is not installed.\n")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        if address.endswith(".html"):
            take_report(browser, Path(address))
        else:
            take(browser, address)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
