"""Correcting times and cameras on the page Library."""

from __future__ import annotations

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from dashboard import resources
from dashboard.auth import identity
from dashboard.i18n import gettext as language
from ingest.curation.corrections import Shift, apply_correction, plan_correction
from ingest.rows.journal import pending_correction
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from tests.dashboard.conftest import ROWS, Look, OpenPage, words
from tests.dashboard.searching import tick

HOUR_MS = 3_600_000


def press(app: AppTest, label: str) -> Button:
    return next(button for button in app.button if button.label == label)


@pytest.fixture
def form(library: list[MediaEntity]) -> AppTest:
    """The form of the dialog for the first two pictures; AppTest reruns no dialog."""
    ids = tuple(entity.id for entity in library[:2])
    script = (
        "from dashboard import resources\n"
        "from dashboard.library.corrections import correction_form\n"
        "from dashboard.moment.selection import Selection\n"
        "from search_core.schema.filters import Filter\n"
        f"selection = Selection(Filter(ids={ids!r}), 2, 'chosen by hand')\n"
        "correction_form('main', selection, resources.facets('main'))\n"
    )
    return AppTest.from_string(script, default_timeout=60)


def choose(app: AppTest, how: str) -> None:
    app.run().selectbox(key="correction-how").set_value(how).run()


def stored() -> list[MediaEntity]:
    return sorted(resources.store().entities("main"), key=lambda entity: entity.captured_at)


def test_shifts_a_selection_after_a_preview(library: list[MediaEntity], form: AppTest) -> None:
    before, app = stored(), form
    choose(app, "Shift the time")
    assert press(app, "Preview").disabled
    next(box for box in app.text_input if box.label == "By").set_value("+1h").run()

    press(app, "Preview").click().run()
    assert app.dataframe[-1].value["File"].tolist() == ["0.mp4", "1.mp4"]
    assert stored() == before
    press(app, "Correct 2 pictures").click().run()

    times = {e.id: e.captured_at for e in stored()}
    assert [times[e.id] - e.captured_at for e in before[:3]] == [HOUR_MS, HOUR_MS, 0]
    [event] = identity.audit_log().events(action="retime")
    assert (event.detail["shift"], event.detail["count"]) == ("+1h", 2)


def test_gives_a_selection_another_camera(form: AppTest) -> None:
    app = form
    choose(app, "Change the camera")
    boxes = [box for box in app.selectbox if box.label == "Camera"]
    boxes[-1].set_value("cam-2").run()

    press(app, "Preview").click().run()
    assert app.dataframe[-1].value["Will be"].tolist() == ["cam-2", "cam-2"]
    press(app, "Correct 2 pictures").click().run()

    assert [e.camera for e in stored()[:2]] == ["cam-2", "cam-2"]
    assert identity.audit_log().events(action="recamera")[0].detail["camera"] == "cam-2"


def test_a_preview_of_something_else_is_not_confirmed(form: AppTest) -> None:
    app = form
    choose(app, "Shift the time")
    by = next(box for box in app.text_input if box.label == "By")
    by.set_value("+1h").run()
    press(app, "Preview").click().run()

    by.set_value("+2h").run()

    assert not any(button.label == "Correct 2 pictures" for button in app.button)


def test_what_cannot_be_is_said_in_the_dialog(form: AppTest) -> None:
    app = form
    choose(app, "Shift the time")
    next(box for box in app.text_input if box.label == "By").set_value("soon").run()
    assert "'soon' is not a clock offset" in words(app)

    app.selectbox(key="correction-how").set_value("Set the start").run()
    start = next(box for box in app.text_input if box.label == "Start")
    start.set_value("yesterday").run()
    assert "yesterday is not a date and time" in words(app)


def test_the_form_speaks_chinese(form: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "preferred", lambda cookies, locales: "zh")
    app = form
    with language.speaking("zh"):  # AppTest formats options outside the page
        choose(app, "Set the start")
        start = next(box for box in app.text_input if box.label == "开始时间")
        start.set_value("2026-03-01 08:00:00").run()

        press(app, "预览").click().run()

        assert "这 2 段录像来自多个摄像头" in words(app)


def test_files_that_are_gone_are_listed_as_left(form: AppTest) -> None:
    app = form
    choose(app, "Read the time again")
    next(box for box in app.checkbox if box.label.startswith("Also where")).check().run()
    press(app, "Preview").click().run()

    assert r"1\.mp4: is not there any more" in words(app)
    assert press(app, "Correct 0 pictures").disabled


def test_what_was_stopped_midway_is_finished_here(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    before = {e.id: e.captured_at for e in stored()}

    def stop(written: int, total: int) -> None:
        raise KeyboardInterrupt

    store = resources.store()
    planned = plan_correction(settings, store, "main", Shift(timedelta(hours=1)), Filter())
    with pytest.raises(KeyboardInterrupt):
        apply_correction(settings, store, planned, stop)

    app = open_page("library")
    assert f"stopped after {ROWS} of {ROWS} pictures" in words(app)
    app.button(key="finish-correction").click().run()

    assert pending_correction(settings, "main") is None
    assert {e.id: e.captured_at - HOUR_MS for e in stored()} == before
    assert "stopped after" not in words(app)
    assert identity.audit_log().events(action="retime")[0].detail["resumed"] is True


def test_operators_may_correct_and_viewers_may_not(library: list[MediaEntity], look: Look) -> None:
    app = look("vera", "library")
    tick(app, card=library[1].id)
    assert not any(button.label == "Correct …" for button in app.button)

    app = look("otto", "library")
    tick(app, card=library[-1].id)
    press(app, "Correct …").click().run()
    assert "**1 picture** (chosen by hand)" in words(app)
    assert press(app, "Preview").disabled
