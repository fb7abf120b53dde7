"""Times and cameras of the sentence in the box: chips, taken back and read again."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter, Hours
from search_core.search.query_log import QueryLog
from search_core.settings import Settings
from search_core.store.milvus.store import MilvusStore
from tests.dashboard.conftest import ROWS, Look, OpenPage, words
from tests.dashboard.searching import ask, opened

SENTENCE = "a red square at cam-1 in the morning"


def chips(app: AppTest) -> list[str]:
    """Return what each chip says, in order, without what escapes Markdown."""
    keyed = [button for button in app.button if (button.key or "").startswith(("chip-", "read-"))]
    return [button.label.replace("\\", "") for button in keyed]


def last_search(settings: Settings) -> tuple[str, Filter]:
    from search_core.encoders.loading import load_encoder

    log = QueryLog(settings.searches_path)
    [latest] = log.recent("main", load_encoder(settings).identity, 1)
    return latest.text, latest.where


def test_a_sentence_is_read_shown_and_taken_back(
    library: list[MediaEntity], open_page: OpenPage, settings: Settings
) -> None:
    app = ask(open_page("search"), SENTENCE)
    assert chips(app) == [
        "camera cam-1 :gray[“at cam-1”]",
        "daily 05:00 to 12:00 :gray[“in the morning”]",
    ]
    assert "No picture passes these filters" in words(app)  # they are of a minute after midnight

    app.button(key="read-1").click().run()
    assert chips(app) == ["camera cam-1 :gray[“at cam-1”]"]
    assert "in the morning" in app.query_params["words"]
    text, where = last_search(settings)
    assert text == "a red square in the morning" and where == Filter(cameras=("cam-1",))
    assert app.text_input(key="q").value == SENTENCE  # as it was typed

    app.button(key="unread-0").click().run()
    assert len(chips(app)) == 2
    assert "words" not in app.query_params

    app.button(key="read-0").click().run()
    ask(app, "a blue square")
    assert not chips(app) and "words" not in app.query_params
    assert last_search(settings) == ("a blue square", Filter())


def test_a_link_keeps_what_was_taken_back(
    library: list[MediaEntity], open_page: OpenPage, settings: Settings
) -> None:
    app = open_page("search", q=SENTENCE, words="in the morning")
    assert chips(app) == ["camera cam-1 :gray[“at cam-1”]"]
    assert opened(app)


def test_times_alone_show_the_newest_that_pass(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "on 1 January 1970 at cam-0")
    assert len(chips(app)) == 2
    assert "**9 pictures**, the newest first" in words(app)


def test_a_sentence_narrows_the_filters_beside_it(
    library: list[MediaEntity], open_page: OpenPage, settings: Settings
) -> None:
    app = open_page("search", q=SENTENCE, hour_from="00:00", hour_until="01:00")
    assert chips(app)[-1] == "camera cam-1 :gray[“at cam-1”]"
    text, where = last_search(settings)
    assert text == "a red square in the morning"
    assert where.hours == Hours(0, 60, "UTC") and where.cameras == ("cam-1",)
    app.multiselect(key="camera").set_value(["cam-0"]).run()
    assert "No picture passes these filters" in words(app)


def test_a_sentence_with_nothing_to_read_asks_the_store_no_more_than_before(
    library: list[MediaEntity], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("search")
    asked: list[str] = []
    for name in ("facets", "count", "entities", "search", "search_exact"):
        method = getattr(MilvusStore, name)

        def counted(
            *args: object, _of: str = name, _do: object = method, **named: object
        ) -> object:
            asked.append(_of)
            return _do(*args, **named)  # type: ignore[operator]

        monkeypatch.setattr(MilvusStore, name, counted)
    ask(app, "a red square")
    assert f"**{ROWS} hits**" in words(app)
    assert asked.count("facets") == 0


def test_a_camera_that_may_not_be_seen_is_no_camera(look: Look) -> None:
    app = ask(look("vera"), "a red square at cam-0")
    assert not chips(app)
    app = ask(app, "a red square at cam-1")
    assert chips(app) == ["camera cam-1 :gray[“at cam-1”]"]
