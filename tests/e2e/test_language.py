"""The dashboard in Chinese, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_browser import SENTENCE, address, chromium, data_dir

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
__all__ = ["address", "chromium", "data_dir"]

Open = Callable[[str], "Page"]


@pytest.fixture
def open_in(chromium: Browser, address: str) -> Iterator[Open]:
    """Return a function that opens the dashboard in a browser of a locale."""
    contexts = []

    def opened(locale: str) -> Page:
        context = chromium.new_context(locale=locale, viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


def test_the_language_is_switched_remembered_and_searched_in(open_in: Open) -> None:
    page = open_in("en-GB")
    page.get_by_role("link", name="Search").wait_for()
    page.get_by_role("button", name="中文").click()
    page.get_by_role("link", name="搜索").wait_for()
    page.wait_for_function("document.documentElement.lang === 'zh-CN'")

    box = page.get_by_placeholder("用一句话描述")
    box.fill(SENTENCE)
    box.press("Enter")
    page.locator(".st-key-card-1").wait_for()
    page.get_by_text(re.compile(r"^\d+ 条结果")).first.wait_for()
    page.get_by_text("最新", exact=True).click()
    page.wait_for_url("**sort=Newest*")

    box.fill("белая машина")
    box.press("Enter")
    page.get_by_text("只懂英文和中文").wait_for()

    page.get_by_role("link", name="索引").click()
    page.get_by_role("button", name="比较索引").wait_for()
    page.reload()
    page.get_by_role("button", name="比较索引").wait_for()
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Compare indexes").wait_for()
    assert not page.locator("[data-testid=stException]").count()


def test_a_browsers_own_language_comes_first(open_in: Open, address: str) -> None:
    page = open_in("zh-CN")
    page.get_by_role("link", name="素材库").wait_for()

    page.goto(f"{address}/library?view=Trash")  # as somebody with an English page sent it
    page.get_by_text("回收站是空的").wait_for()


def test_what_streamlit_says_itself_is_in_the_language_too(open_in: Open, address: str) -> None:
    page = open_in("zh-CN")
    page.goto(f"{address}/library?view=Add+footage")
    dropzone = page.get_by_test_id("stFileUploaderDropzone")
    dropzone.get_by_role("button", name="上传").wait_for()
    assert re.search("每个文件最多 .+B$", dropzone.inner_text())

    page.get_by_role("button", name="English").click()
    dropzone.get_by_role("button", name="Upload", exact=True).wait_for()
    assert "per file" in dropzone.inner_text()
