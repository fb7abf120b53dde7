"""How many clicks a job takes: what an operator does all day is counted.

Playwright aims a click again where something moved below it, and keeps the first from the page by a
listener at the window. One at the document counts only those that reach the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

_COUNT = """
document.addEventListener("pointerdown", (event) => {
  if (event.isTrusted) sessionStorage.clicks = 1 + Number(sessionStorage.clicks ?? 0);
}, { capture: true });
"""
_TAKE = """
() => {
  const clicks = Number(sessionStorage.clicks ?? 0);
  sessionStorage.clicks = 0;
  return clicks;
}
"""


def count_clicks(context: BrowserContext) -> None:
    """Count the clicks on the pages of a context, from when they are opened."""
    context.add_init_script(_COUNT)


def clicks(page: Page) -> int:
    """Return how many clicks a page has had, and begin anew."""
    return int(page.evaluate(_TAKE))
