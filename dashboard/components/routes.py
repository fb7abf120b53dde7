"""The dashboard's pages: one list, from which the menu and the switching between them are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.i18n.gettext import _
from search_core.access.roles import LOCAL, Access, Right


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it is, what the menu shows, and what draws it.

    ``url`` is its path; the ``first`` page is at the root, and ``url`` is only its name. ``title``
    is marked for translation, ``icon`` a Material symbol. Those without the ``right`` may not open
    it. A ``personal`` page is there for people who logged in, and is titled with their name. What
    ``badge`` returns for a user stands behind the title in the menu.
    """

    url: str
    title: str
    icon: str
    draw: Callable[[], None]
    right: Right | None = None
    first: bool = False
    personal: bool = False
    badge: Callable[[Access], str] | None = None

    def may_open(self, access: Access) -> bool:
        """Whether a user may open it."""
        return self.right is None or access.may(self.right)

    def titled(self, access: Access) -> str:
        """Return what the menu shows to a user."""
        if self.personal:
            return access.name
        title = _(self.title)
        badge = self.badge(access) if self.badge is not None else ""
        return f"{title} ({badge})" if badge else title

    def made(self, title: str = "") -> st.Page:
        """Return it as Streamlit has it."""
        path = None if self.first else self.url
        shown = title or _(self.title)
        return st.Page(self.draw, title=shown, icon=self.icon, url_path=path, default=self.first)


def pages() -> tuple[Page, ...]:
    """Return every page, in the order of the menu."""
    # Imported when they are asked for: pages import this module, to switch between them.
    from dashboard.auth.login import PAGE as ACCOUNT
    from dashboard.cameras.page import PAGE as CAMERAS
    from dashboard.cases.page import PAGE as CASES
    from dashboard.index.page import PAGE as INDEX
    from dashboard.library.page import PAGE as LIBRARY
    from dashboard.map.page import PAGE as MAP
    from dashboard.search.page import PAGE as SEARCH

    return (SEARCH, LIBRARY, MAP, CASES, CAMERAS, INDEX, ACCOUNT)


def pages_of(access: Access) -> list[st.Page]:
    """Return a user's pages; in place of forbidden ones a page that says so.

    The menu shows the former only.
    """
    there = [page for page in pages() if not page.personal or access is not LOCAL]
    return [
        page.made(page.titled(access)) if page.may_open(access) else _refused(page)
        for page in there
    ]


def switch_to(url: str, **address: str | Sequence[str]) -> None:
    """Open another page, with ``address`` as its query; nothing after it is drawn."""
    page = next(page for page in pages() if page.url == url)
    st.switch_page(page.made(), query_params=address)


def link_to(url: str, label: str, address: Mapping[str, Sequence[str]]) -> None:
    """Draw a link to a page, with ``address`` as its query."""
    page = next(page for page in pages() if page.url == url)
    st.page_link(page.made(), label=label, query_params=address, width="stretch")


def logged_out_page() -> st.Page:
    """Return what is seen when a session is over."""
    from dashboard.auth.login import logged_out

    return st.Page(logged_out, title=_("Logged out"), default=True)


def _refused(page: Page) -> st.Page:
    """Return what stands at a page's address for those who may not open it."""
    title = _(page.title)

    def refuse() -> None:
        st.info(_("Your role may not open {page}.").format(page=title))

    return st.Page(refuse, title=title, url_path=page.url, visibility="hidden")
