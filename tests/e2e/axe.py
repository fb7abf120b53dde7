"""What axe-core, a browser's console and a phone's width say against a page."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, ViewportSize

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1366, "height": 768}
GRAVE = ("serious", "critical")
REDRAW_MS = 10_000
#: What Streamlit and its parts render, and cannot be told to render otherwise: the rule, what the
#: selector of the element holds, and why.
NOT_OURS: tuple[tuple[str, str, str], ...] = (
    ("svg-img-alt", ".brush_brush", "Vega's box in a chart, before anybody has drawn one"),
)
#: What Streamlit's page asks for to learn below which path it lies, when it is opened by its
#: address: that there is nothing is the answer.
ASKED_IN_VAIN = re.compile(r"/\w+/_stcore/(health|host-config)$")


class Looked:
    """Collects what is wrong with the pages that a browser shows."""

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self._page = page
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))

    def at(self, name: str) -> None:
        """Look at the page as it is now, called ``name``, and as it is on a phone."""
        settle(self._page)
        self.problems += grave_violations(self._page, name)
        self._page.set_viewport_size(PHONE)
        settle(self._page)
        fits = f"width => !({_TOO_WIDE})(width).length"
        with suppress(TimeoutError):  # charts are drawn for another width some time after it
            self._page.wait_for_function(fits, arg=PHONE["width"], timeout=REDRAW_MS)
        wide = self._page.evaluate(_TOO_WIDE, PHONE["width"])
        self.problems += [f"{name}: wider than a phone: {what}" for what in wide]
        self._page.set_viewport_size(DESK)
        settle(self._page)

    def _told(self, message: ConsoleMessage) -> None:
        url = str(message.location.get("url", ""))
        if message.type == "error" and not ASKED_IN_VAIN.search(url):
            self.problems.append(f"console: {message.text} {url}")


def grave_violations(page: Page, name: str) -> list[str]:
    """Return what axe-core finds against a page that is serious or critical, a line each."""
    return [
        f"{name}: {violation['id']} ({violation['help']}): {node['target']} "
        f"{node['html'][:200]} {_contrast(node)}"
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if not _is_not_ours(violation["id"], str(node["target"]))
    ]


def settle(page: Page) -> None:
    """Wait until a page is drawn: its script has ended, and two frames were painted since.

    The dashboard's own style comes with the page, not before it.
    """
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("getComputedStyle(document.documentElement).colorScheme !== 'normal'")
    page.evaluate("new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")


#: Whatever reaches beyond the width, but for what scrolls by itself or is meant to be out of sight.
_TOO_WIDE = """
width => {
  const scrolls = document.querySelector('[data-testid=stMain]') || document.scrollingElement;
  if (scrolls.scrollWidth <= Math.max(width, scrolls.clientWidth)) return [];
  const out = [...scrolls.querySelectorAll('*')].filter(
    e => e.getBoundingClientRect().right > width + 1
  );
  return out.slice(0, 3).map(e => e.outerHTML.slice(0, 160));
}
"""


def _is_not_ours(rule: str, target: str) -> bool:
    return any(rule == known and part in target for known, part, _ in NOT_OURS)


def _contrast(node: dict[str, Any]) -> str:
    data = node["any"][0]["data"] if node["any"] else None
    if isinstance(data, dict) and "contrastRatio" in data:
        return f"{data['contrastRatio']} {data['fgColor']} on {data['bgColor']}"
    return ""
