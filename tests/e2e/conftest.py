"""What a journey that fails leaves behind: what its pages said."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what each open page shows."""
    report = yield
    if report.when == "call" and report.failed:
        for number, page in enumerate(_open_pages(item)):
            with suppress(Exception):  # the browser itself may be what failed
                text = page.locator("body").inner_text(timeout=5_000)
                report.sections.append((f"page {number}: {page.url}", text))
    return report


def _open_pages(item: pytest.Item) -> list[Any]:
    chromium = getattr(item, "funcargs", {}).get("chromium")
    if chromium is None:
        return []
    return [page for context in chromium.contexts for page in context.pages]
