"""Selecting pictures among cards, and what the bar below them does with them."""

from __future__ import annotations

import json
import re

from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.moment.selection import Selection
from dashboard.moment.selection_bar import export_of_selection
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.search.engine import Query
from tests.dashboard.conftest import ROWS, OpenPage, words
from tests.dashboard.searching import ask, card_lines, tick, ticks


def ids_found(app: AppTest) -> list[str]:
    return [one["card"] for one in ticks(app)]


def test_a_folded_moment_selects_all_that_it_folds(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "a red square")
    number, hits = next(
        (number, int(found[1]))
        for number, line in enumerate(card_lines(app), start=1)
        if (found := re.search(r"(\d+) hits in", line))
    )

    tick(app, number=number)

    assert f"**{hits} pictures** selected, {hits - 1} of them folded below others" in words(app)


def test_a_selection_stays_while_pages_are_turned_and_others_are_searched(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search", fold="never"), "a red square")
    tick(app, number=3)
    app.pagination[0].set_value(2).run()
    tick(app, number=21)
    assert "**2 pictures** selected" in words(app)

    ask(app, "a blue square")
    assert "**2 pictures** selected" in words(app)
    assert sum(one["checked"] for one in ticks(app)) <= 2

    app.button(key="select-shown").click().run()
    assert f"**{ROWS} pictures** selected" in words(app)
    assert all(one["checked"] for one in ticks(app))
    app.button(key="select-nothing").click().run()
    assert "selected" not in words(app) and not any(one["checked"] for one in ticks(app))


def test_a_selection_ends_with_its_library(library: list[MediaEntity], open_page: OpenPage) -> None:
    resources.store().ensure_library("second", resources.encoder().identity)
    app = open_page("library", library="main")
    tick(app, number=1)
    assert "**1 picture** selected" in words(app)

    app.selectbox(key="library").set_value("second").run()
    app.selectbox(key="library").set_value("main").run()

    assert "selected" not in words(app) and not any(one["checked"] for one in ticks(app))


def test_searches_by_what_is_selected(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = ask(open_page("search", fold="never"), "a red square")
    first, second, *_ = ids_found(app)
    tick(tick(app, number=1), number=2)
    app.button(key="select-leave-out").click().run()
    assert app.query_params["not_like"] == [first, second]
    assert "selected" not in words(app)
    assert app.text_input(key="q").value == "a red square"
    assert not {first, second} & set(ids_found(app))

    third = ids_found(app)[0]
    tick(app, number=1)
    app.button(key="select-less").click().run()
    assert app.query_params["less_like"] == third
    app.button(key="stop-not_like").click().run()
    assert "not_like" not in app.query_params

    fourth = ids_found(app)[0]
    tick(app, number=1)
    app.button(key="select-more").click().run()
    assert app.query_params["like"] == fourth and "less_like" not in app.query_params
    assert app.text_input(key="q").value == ""
    assert f"**{ROWS - 1} hits**" in words(app) and fourth not in ids_found(app)


def test_a_selection_is_exported_in_its_order_with_the_scores_it_was_found_with(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search", fold="never"), "a red square")
    found = resources.engine("main").answer(Query(text="a red square")).hits
    tick(tick(app, number=2), number=1)
    picked = list(app.session_state["selected_pictures"].values())
    selection = Selection(Filter(ids=tuple(one.entity.id for one in picked)), 2, "", tuple(picked))

    record = json.loads(export_of_selection("main", selection).as_json())

    assert record["asked"] == "“a red square” (selected by hand)"
    assert [hit["rank"] for hit in record["hits"]] == [1, 2]
    assert [hit["id"] for hit in record["hits"]] == [found[1].entity.id, found[0].entity.id]
    assert record["hits"][0]["score"] == round(found[1].score, 6)


def test_a_selection_is_added_to_a_case(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("library")
    tick(app, number=2)
    tick(app, number=1)
    app.text_input(key="case-name-selection").set_value("Bike theft").run()
    app.button(key="case-add-selection").click().run()

    items = resources.cases().get("Bike theft").items
    assert [item.entity for item in items] == [library[-2], library[-1]]
    assert [item.score for item in items] == [None, None]
