"""What each role sees and may do on the dashboard's pages."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.auth import identity
from dashboard.auth.identity import require_removing
from dashboard.components.image_input import read_picture
from dashboard.library.deletion import show_trash
from ingest.options import IngestOptions
from search_core.access.users import Users
from search_core.errors import NotAllowed, NotLoggedIn
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from tests.dashboard.asking import PASSWORD
from tests.dashboard.conftest import NAVIGATION, Look, words
from tests.dashboard.searching import card_lines, tick


def test_a_search_shows_what_may_be_seen_and_is_written_down(look: Look) -> None:
    app = look("vera")
    assert set(app.multiselect(key="camera").options) == {"cam-1"}
    app.text_input(key="q").set_value("a red square").run()

    assert "7 hits" in words(app)
    lines = card_lines(app)
    assert lines
    assert all("cam\\-1" in line for line in lines)
    [event] = identity.audit_log().events(action="search")
    assert (event.who, event.library) == ("vera", "main")
    assert event.detail["text"] == "a red square"

    other = look("anna")
    assert len(other.multiselect(key="camera").options) == 4
    other.text_input(key="q").set_value("a red square").run()
    assert "25 hits" in words(other)


def test_a_link_with_a_picture_needs_a_login_and_shows_what_may_be_seen(
    look: Callable[..., AppTest],
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 36), (200, 30, 30)).save(file, "PNG")
    picture = read_picture(file.getvalue(), 10_000)
    pictures = resources.query_pictures()
    assert pictures is not None
    assert pictures.keep(picture.data)

    app = look("vera", picture=picture.digest)
    assert "7 hits" in words(app)
    assert any(button.label == "Remove picture" for button in app.button)

    app = look("", picture=picture.digest)
    assert not app.get("image")


@pytest.mark.parametrize(
    ("name", "views"),
    [
        ("vera", ["Browse"]),
        ("otto", ["Browse", "Add footage", "Failures"]),
        ("anna", ["Browse", "Add footage", "Failures", "Trash", "Libraries"]),
    ],
)
def test_each_role_has_its_views(look: Look, name: str, views: list[str]) -> None:
    app = look(name, "library")

    words(app)
    assert app.segmented_control(key="view").options == views


@pytest.mark.parametrize("page", ["search", "library", "map"])
@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("vera", set()),
        ("otto", {"Tag …", "Correct …"}),
        ("anna", {"Tag …", "Correct …", "Move …", "Delete …"}),
    ],
)
def test_what_a_role_may_do_with_a_selection_is_offered(
    look: Look, page: str, name: str, offered: set[str]
) -> None:
    app = look(name, page)
    app = tick(app, number=1)

    assert "**1 picture** selected" in words(app)
    assert {button.label for button in app.button if button.label.endswith("…")} == offered
    assert app.button(key="select-more")


def test_who_opens_what_is_not_theirs_is_told(look: Look) -> None:
    look("vera")
    with pytest.raises(NotAllowed, match="not for a viewer"):
        resources.store().delete("main", Filter(ids=("source1-0000000000",)))
    with pytest.raises(NotAllowed, match="not for a viewer"):
        resources.jobs().submit_ingest(["/footage/x.mp4"], "main", IngestOptions(camera="cam-1"))
    assert resources.jobs().list() == []


def test_a_page_that_a_role_may_not_open_says_so(look: Look) -> None:
    look("otto")
    script = (
        "import streamlit as st\n"
        "from dashboard.auth import identity\n"
        "from dashboard.components import routes as pages\n"
        "st.navigation([one for one in pages.pages_of(identity.current())"
        " if one.url_path == 'index']).run()\n"
    )

    app = AppTest.from_string(script, default_timeout=60).run()

    assert words(app) == "Your role may not open Index."


@pytest.mark.parametrize("name", ["vera", "otto", "olga"])
def test_the_trash_is_for_admins_of_all_cameras(look: Look, users: Users, name: str) -> None:
    users.add("olga", "admin", ["cam-1"], PASSWORD)
    look(name)
    forbidden: tuple[Callable[[], None], ...] = (
        lambda: show_trash("main"),
        lambda: require_removing("purging"),
    )
    for doing in forbidden:
        with pytest.raises(NotAllowed):
            doing()

    look("anna")
    require_removing("purging")


def test_an_operator_of_some_cameras_adds_to_them_only(
    look: Look, users: Users, settings: Settings
) -> None:
    users.add("olga", "operator", ["cam-1"], PASSWORD)
    upload = str(settings.uploads_dir / "x" / "001-gate.mp4")
    look("anna")
    theirs = resources.jobs().submit_ingest([upload], "main", IngestOptions(camera="cam-0"))
    look("olga")
    jobs = resources.jobs()

    for path, camera in ((upload, "cam-0"), (upload, None), ("/footage/cam-0.mp4", "cam-1")):
        with pytest.raises(NotAllowed):
            jobs.submit_ingest([path], "main", IngestOptions(camera=camera))
    with pytest.raises(NotAllowed):
        jobs.submit_ingest(
            [f"{settings.uploads_dir}/../cam-0.mp4"], "main", IngestOptions(camera="cam-1")
        )
    with pytest.raises(NotAllowed):
        jobs.cancel(theirs)
    own = jobs.submit_ingest([upload], "main", IngestOptions(camera="cam-1"))
    assert [job.id for job in jobs.list()] == [own]
    assert jobs.get(theirs) is None
    assert jobs.cancel(own)


def test_a_page_whose_session_is_over_says_so(look: Look) -> None:
    app = look("")

    assert "logged out" in words(app)
    assert not app.text_input
    with pytest.raises(NotLoggedIn):
        resources.store()
    with pytest.raises(NotLoggedIn):
        resources.facets("main")


def test_the_account_page_logs_out(look: Look) -> None:
    app = look("vera", "account")
    assert "cam\\-1" in words(app)

    next(button for button in app.button if button.label == "Log out").click().run()
    with pytest.raises(NotLoggedIn):
        identity.current()
    assert [e.action for e in identity.audit_log().events()] == ["logout", "login"]


def test_without_users_everything_is_as_it_was(
    settings: Settings, library: list[MediaEntity]
) -> None:
    app = AppTest.from_file(str(NAVIGATION), default_timeout=60).run()
    app.text_input(key="q").set_value("a red square").run()

    assert "25 hits" in words(app)
    assert identity.audit_log().events(action="search")[0].who == "local"
    assert resources.store().delete("main", Filter(ids=(library[0].id,))) == 1
