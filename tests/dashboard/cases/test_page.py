from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.cases.page import PAGE
from ingest.evidence.cases import Cases, clip_item, note_item, picture_item
from ingest.media.video.clips import Span
from search_core.access.audit_log import AuditLog
from search_core.access.roles import Access
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.conftest import Look, OpenPage, words


@pytest.fixture
def cases(settings: Settings) -> Iterator[Cases]:
    with Cases(settings.cases_path) as cases:
        yield cases


@pytest.fixture
def gate(cases: Cases, library: list[MediaEntity]) -> Cases:
    """A case "Gate" of a picture of cam-1, a clip of cam-2, and a note by anna."""
    cases.create("Gate", "anna")
    cases.add(
        "Gate",
        [
            picture_item("main", library[1], "anna", asked="a red car"),
            clip_item("main", library[2], Span(0, 2000), "anna"),
            note_item("seen at *nine*", "anna"),
        ],
    )
    return cases


def button(app: AppTest, key: str) -> Any:
    return next(found for found in app.button if found.key == key)


def test_a_case_is_begun_and_shown(cases: Cases, open_page: OpenPage) -> None:
    app = open_page("cases")
    assert "A case collects pictures, clips and notes." in words(app)
    app.text_input(key="new-case-name").set_value("  Bike   theft ").run()
    button(app, "new-case").click().run()
    assert cases.names() == ["Bike theft"]
    assert app.selectbox(key="case").value == "Bike theft"
    assert "empty" in words(app)


def test_a_name_that_cannot_be_is_told(gate: Cases, open_page: OpenPage) -> None:
    app = open_page("cases")
    app.text_input(key="new-case-name").set_value("Gate").run()
    button(app, "new-case").click().run()
    assert "There is a case Gate already" in words(app)
    assert gate.names() == ["Gate"]


def test_items_are_shown_in_order_with_what_is_known_of_them(
    gate: Cases, open_page: OpenPage
) -> None:
    said = words(open_page("cases", case="Gate"))
    assert (
        said.index("**1** · cam\\-1") < said.index("**2** · cam\\-2") < said.index("**3** · Note")
    )
    assert "clip 0:00.0 to 0:02.0" in said
    assert "Found by: a red car" in said
    assert "seen at \\*nine\\*" in said  # other people's text is no Markdown


def test_items_are_moved_annotated_and_removed(gate: Cases, open_page: OpenPage) -> None:
    app = open_page("cases", case="Gate")
    button(app, "move-1-1").click().run()
    assert [item.number for item in gate.get("Gate").items] == [2, 1, 3]
    app.text_area(key="note-1").set_value("the van").run()
    button(app, "save-1").click().run()
    assert gate.get("Gate").item(1).note == "the van"
    button(app, "remove-2").click().run()
    assert [item.number for item in gate.get("Gate").items] == [1, 3]
    app.text_area(key="case-note").set_value("and at ten").run()
    next(found for found in app.button if found.label == "Add the note").click().run()
    assert gate.get("Gate").items[-1].note == "and at ten"


def test_a_note_cannot_be_emptied(gate: Cases, open_page: OpenPage) -> None:
    app = open_page("cases", case="Gate")
    app.text_area(key="note-3").set_value("  ").run()
    button(app, "save-3").click().run()
    assert "A note has 1 to" in words(app)
    assert gate.get("Gate").item(3).note == "seen at *nine*"


def test_a_region_is_blurred_and_is_not(gate: Cases, open_page: OpenPage) -> None:
    app = open_page("cases", case="Gate")
    button(app, "blur-1").click().run()
    assert "Draw the region to blur" in words(app)
    button(app, "blur-now-1").click().run()
    [box] = gate.get("Gate").item(1).boxes
    assert (box.left, box.right) == (0.25, 0.75)  # where the picker begins
    assert "1 blurred" in words(app)
    button(app, "blur-1").click().run()
    button(app, "blur-none-1").click().run()
    assert gate.get("Gate").item(1).boxes == ()


def test_changes_and_exports_are_audited(
    gate: Cases, open_page: OpenPage, settings: Settings
) -> None:
    app = open_page("cases", case="Gate")
    button(app, "move-1-1").click().run()
    with closing(AuditLog(settings.audit_path)) as log:
        [event] = log.events(action="case")
    assert event.detail == {"case": "Gate", "does": "move"}


def test_viewers_have_no_cases() -> None:
    assert not PAGE.may_open(Access("vera", "viewer"))
    assert PAGE.may_open(Access("otto", "operator"))


def test_a_user_of_one_camera_sees_its_items_alone(
    gate: Cases, look: Look, settings: Settings
) -> None:
    from search_core.access.users import Users
    from tests.dashboard.asking import PASSWORD

    Users(settings.users_path).add("olga", "operator", ["cam-1"], PASSWORD)
    said = words(look("olga", "cases"))
    assert "cam\\-1" in said
    assert "cam\\-2" not in said and "nine" not in said


def test_the_export_is_of_what_the_user_sees(
    gate: Cases, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    from dashboard.auth import identity

    original = identity.download

    def noting(library: str, detail: Any, make: Any) -> Any:
        made.append(make)
        return original(library, detail, make)

    monkeypatch.setattr(identity, "download", noting)
    open_page("cases", case="Gate")
    with zipfile.ZipFile(io.BytesIO(made[-1]())) as archive:
        names = archive.namelist()
    assert names[0].startswith("001-cam-1") and "SHA256SUMS" in names


def test_an_admin_deletes_a_case(gate: Cases, look: Look) -> None:
    app = look("otto", "cases")
    assert not any(found.label == "Delete the case" for found in app.button)
    app = look("anna", "cases")
    next(found for found in app.button if found.label == "Delete the case").click().run()
    assert gate.names() == []


def test_hits_of_a_search_go_into_a_case(
    cases: Cases, library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", q="red")
    app.text_input(key="case-name-hits").set_value("All").run()
    button(app, "case-add-hits").click().run()
    case = cases.get("All")
    assert len(case.items) > 1
    assert case.items[0].asked and case.items[0].score is not None
