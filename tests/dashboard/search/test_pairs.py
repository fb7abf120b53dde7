"""A sentence of two things, one after the other: cards of two pictures."""

from __future__ import annotations

from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import OpenPage, words
from tests.dashboard.searching import ask, card_lines, opened, ticks

SENTENCE = "a red square, then a blue square, within 20 seconds"


def test_pairs_are_cards_of_two_pictures(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = ask(open_page("search"), SENTENCE)
    assert "pairs**" in words(app)
    pictures = [picture for block in app.get("image") for picture in block.proto.imgs]
    assert len(pictures) == 2 * len(opened(app)) > 0
    assert all("apart" in line and " → " not in line for line in card_lines(app))

    app.toggle(key="any_camera").set_value(True).run()
    assert any(" → " in line for line in card_lines(app))
    assert len({one["card"] for one in ticks(app)}) == len(
        opened(app)
    )  # one picture is in several pairs

    app.button(key="read-sequence").click().run()
    assert "pairs**" not in words(app) and "hits**" in words(app)
    app.button(key="unread-0").click().run()
    assert "pairs**" in words(app)


def test_an_opened_pair_shows_either_of_its_pictures(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), SENTENCE)
    next(button for button in app.button if button.label == "Open 1").click().run()
    first, then = (button for button in app.button if str(button.key).startswith("pair-"))
    assert app.query_params["moment"] == str(first.key).removeprefix("pair-")

    second = str(then.key).removeprefix("pair-")
    app = open_page("search", q=SENTENCE, moment=second)
    assert second in [code.value for code in app.code]
    assert [button.key for button in app.button if str(button.key).startswith("pair-")] == [
        first.key,
        then.key,
    ]


def test_pairs_below_the_minimum_score_are_not_shown(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search", min_score="0.99"), SENTENCE)
    assert "Nothing was followed by the other" in words(app)


def test_nothing_that_follows_is_said(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = ask(open_page("search"), "a red square, then a blue square, within 1 second")
    assert "Nothing was followed by the other" in words(app)
