"""Clips of a time: which are offered to whom, and for what."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.auth import identity
from search_core.access.users import Users
from search_core.schema.entity import MediaEntity
from tests.dashboard.asking import post
from tests.dashboard.conftest import words

_SCRIPT = """
from dashboard.components.errors import shown_in_words
from dashboard.search.clips import offer_clips
with shown_in_words():
    offer_clips("main", {cameras}, 2_000, 4_500)
"""


def opened(cameras: tuple[str, ...] = ()) -> AppTest:
    app = AppTest.from_string(_SCRIPT.format(cameras=cameras), default_timeout=60).run()
    return app.button[0].click().run()


def test_clips_of_a_time_are_of_every_recording_of_it(library: list[MediaEntity]) -> None:
    app = opened(("cam-0", "cam-1"))
    # Recordings of a minute, one begun each second: those begun before the time's end.
    assert words(app).count("**cam\\-0**") == words(app).count("**cam\\-1**") == 2
    assert "00\\:00\\:02 – 00\\:00\\:04" in words(app)
    assert "gone or has changed" in words(app)
    assert [expander.label for expander in app.expander] == ["Add to a case"]


def test_a_time_without_recordings_says_so(library: list[MediaEntity]) -> None:
    assert "No video was recorded then" in words(opened(("elsewhere",)))


def test_clips_are_of_the_cameras_that_may_be_seen_and_cases_for_those_who_may_collect(
    library: list[MediaEntity], users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies = {identity.COOKIE: post("vera").token}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: cookies))
    app = opened()
    assert "cam\\-1" in words(app)
    assert "cam\\-0" not in words(app) and "cam\\-2" not in words(app)
    assert not app.expander
