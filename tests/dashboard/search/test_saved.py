"""Saved searches on the page: saved by a name, opened as a link, each user's own."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dashboard import resources
from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import Look, OpenPage
from tests.dashboard.searching import ask


def save(app: AppTest, name: str) -> AppTest:
    app.text_input(key="saved-name").set_value(name)
    return next(button for button in app.button if button.label == "Save").click().run()


def test_a_search_is_saved_listed_and_deleted(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "a red square")
    app.query_params["q"] = "a red square"  # which the browser does
    app = save(app.run(), "Red")
    [made] = resources.saved_searches().of("local")
    assert (made.name, made.query) == ("Red", "q=a+red+square&library=main")
    assert app.text_input(key="saved-name").value == ""

    app.button(key="delete-saved-0").click().run()
    assert resources.saved_searches().of("local") == []


def test_a_name_that_can_be_none_is_said_in_words(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = save(open_page("search", q="a red square"), " ")
    assert "cannot be the name of a saved search" in app.error[0].value


def test_each_user_has_their_own(look: Look) -> None:
    save(look("vera", q="a red square"), "Mine")
    assert [one.name for one in resources.saved_searches().of("vera")] == ["Mine"]
    other = look("otto", q="a red square")
    assert not any((button.key or "").startswith("delete-saved") for button in other.button)
