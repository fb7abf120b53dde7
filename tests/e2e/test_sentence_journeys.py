"""What a sentence says besides what to look for: chips, saved searches, one thing after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_browser import (  # noqa: F401
    address,
    chromium,
    data_dir,
    page,
)
from tests.e2e.test_search_journeys import FIRST, ask, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BOX = ".st-key-search-bar .stTextInput input"


def test_a_camera_in_the_sentence_is_a_chip_and_the_search_is_saved(page: Page) -> None:  # noqa: F811
    ask(page, q="a lorry lettered JCN at the loading dock")
    chip = page.get_by_role("button", name="camera loading-dock “at the loading dock”")
    chip.first.wait_for()
    settle(page)
    assert "junction-north" not in page.locator(".st-key-results").inner_text()

    chip.first.click()
    page.wait_for_url("**words=at+the+loading+dock*")
    page.get_by_role("button", name="Read “at the loading dock” again").click()
    page.wait_for_url(lambda url: "words=" not in url)
    chip.first.wait_for()
    settle(page)

    page.get_by_role("button", name="Saved").click()
    page.get_by_label("Save this search as").fill("JCN at the dock")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="JCN at the dock").wait_for()

    page.goto(page.url.split("?")[0])
    page.locator(".st-key-examples").wait_for()
    settle(page)
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("link", name="JCN at the dock").click()
    chip.first.wait_for()
    assert page.locator(BOX).input_value() == "a lorry lettered JCN at the loading dock"


def test_one_thing_and_then_another_are_a_card_with_two_pictures(page: Page) -> None:  # noqa: F811
    ask(page, q="a red bus, then a white van, within 2 minutes")
    page.get_by_text("apart").first.wait_for()
    settle(page)
    card = page.locator(FIRST)
    assert card.locator("img").count() == 2
    assert "junction-north" in card.inner_text()

    page.get_by_role("button", name="“a red bus”, then “a white van” within 2 min").first.click()
    page.wait_for_url("**words=then*")
    page.get_by_role("button", name="Read “then” again").wait_for()
    settle(page)
    assert page.get_by_text("apart").count() == 0
