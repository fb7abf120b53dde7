"""What every page must have, asked of each that the registry lists."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.routes import Page, pages
from dashboard.i18n.gettext import catalogue
from search_core.access.roles import RIGHTS, ROLES, Access
from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import Look, words

PAGES = {page.url: page for page in pages()}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]


def test_it_has_an_address_a_title_and_an_icon_of_its_own(page: Page) -> None:
    others = [other for other in pages() if other is not page]
    assert re.fullmatch(r"[a-z-]+", page.url) and page.url not in [one.url for one in others]
    assert page.title not in [one.title for one in others]
    assert re.fullmatch(r":material/\w+:", page.icon)
    assert page.icon not in [one.icon for one in others]


def test_its_title_is_translated(page: Page) -> None:
    assert catalogue("zh").gettext(page.title) != page.title


def test_it_is_open_to_roles_with_its_right(page: Page) -> None:
    opened = {role for role in ROLES if page.may_open(Access("otto", role))}
    assert "admin" in opened
    assert opened == {role for role in ROLES if page.right is None or page.right in RIGHTS[role]}


def test_it_opens(page: Page, look: Look, library: list[MediaEntity]) -> None:
    look("anna")
    app = AppTest.from_string(_SCRIPT.format(url=page.url), default_timeout=60).run()
    assert words(app) or app.get("image")
    assert "may not open" not in words(app)


def test_others_are_told_that_they_may_not(page: Page, look: Look) -> None:
    look("vera")
    app = AppTest.from_string(_SCRIPT.format(url=page.url), default_timeout=60).run()
    refused = words(app) == f"Your role may not open {page.title}."
    assert refused != page.may_open(Access("vera", "viewer"))


def test_one_page_is_the_first() -> None:
    assert [page.url for page in pages() if page.first] == ["search"]


#: The page alone, for whoever looks at it.
_SCRIPT = """
import streamlit as st
from dashboard.auth import identity
from dashboard.components.routes import pages, pages_of
url = "" if next(page for page in pages() if page.url == "{url}").first else "{url}"
st.navigation([one for one in pages_of(identity.begin_page()) if one.url_path == url]).run()
"""
