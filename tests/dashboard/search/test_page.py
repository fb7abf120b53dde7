"""The search page: asking, folding, filtering, what its address carries, and its errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard import resources
from dashboard.moment.grid import PER_PAGE
from search_core.encoders.base import EncoderIdentity
from search_core.encoders.catalogue import Calibration
from search_core.indexes import Hnsw
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, stored_lines
from search_core.search.engine import Query
from search_core.search.match_strength import Background
from search_core.search.query_log import QueryLog
from search_core.settings import Settings, load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.dashboard.conftest import HOSTILE, ROWS, OpenPage, words
from tests.dashboard.searching import ask, card_lines, opened


def test_says_how_to_begin_where_there_is_nothing(open_page: OpenPage) -> None:
    app = open_page("search")

    assert "This library is empty" in words(app)
    assert [button.label for button in app.button if "footage" in button.label] == ["Add footage"]


def test_offers_examples_before_anything_is_asked(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search")
    example = next(button for button in app.button if button.label == "a white car")

    example.click().run()

    assert app.text_input(key="q").value == "a white car"
    assert f"{ROWS} hits" in words(app)


def test_the_newest_pictures_are_shown_before_anything_is_asked(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search")

    assert f"**{ROWS} pictures**, the newest first" in words(app)
    assert "**1970-01-01**" in words(app)  # the day they are of
    assert "00\\:00\\:24" in card_lines(app)[0]
    assert "00\\:00\\:23" in card_lines(app)[1]


def test_a_time_among_the_newest_pictures_is_gone_to(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", at="1970-01-01T00:00:00Z/1970-01-01T00:00:10Z")
    assert "**10 pictures** until 1970\\-01\\-01 00\\:00\\:10, the newest first" in words(app)
    assert "00\\:00\\:09" in card_lines(app)[0]

    app.multiselect(key="camera").set_value(["cam-1"]).run()
    assert "**2 pictures** until" in words(app)
    next(button for button in app.button if button.label == "Back to the newest").click().run()
    assert "until" not in words(app).split("the newest first")[0]
    assert "00\\:00\\:22" in card_lines(app)[0]
    assert "at" not in app.query_params


@pytest.mark.parametrize(
    "at",
    ["yesterday", "0001-01-01T00:00Z/9999-12-31T23:59Z", "0001-01-01T00:00Z/0001-01-02T00:00Z"],
)
def test_a_time_in_the_address_that_is_odd_does_no_harm(
    library: list[MediaEntity], open_page: OpenPage, at: str
) -> None:
    app = open_page("search", at=at)
    assert len(opened(app)) == PER_PAGE and not app.exception and not app.error


def test_a_picture_with_a_wrong_clock_is_beside_the_timeline(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    wrong = replace(library[0], captured_at=4_070_908_800_000)
    with closing(MilvusStore(resolve_endpoint(load_settings()))) as store:
        store.upsert("main", [wrong], store.embedding("main", wrong.id)[None])

    app = open_page("search")
    [far] = [button for button in app.button if "far from the others" in button.label]
    assert far.label == "1 picture of 2099\\-01\\-01, far from the others"

    app = ask(app, "a red square")
    hits = len(opened(app))
    [far] = [button for button in app.button if "far from the others" in button.label]
    assert far.label == "1 hit of 2099\\-01\\-01, far from the others"
    far.click().run()
    assert f"1 of {ROWS} hits, 2099" in words(app)
    [line] = card_lines(app)
    assert "2099" in line
    [far] = [button for button in app.button if "far from the others" in button.label]
    far.click().run()
    assert len(opened(app)) == hits


def test_quoted_words_find_what_they_were_read_on_and_the_card_says_so(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    lines = [Line("J*C*N [x](y)", 0.9, (0.1, 0.1, 0.5, 0.2)), Line("other", 0.9, (0, 0, 1, 1))]
    read = replace(library[3], lettering=stored_lines(lines))
    with closing(MilvusStore(resolve_endpoint(load_settings()))) as store:
        store.upsert("main", [read], store.embedding("main", read.id)[None])

    app = ask(open_page("search"), '"JCN x y"')

    assert "**1 hit**" in words(app)
    [card] = card_lines(app)
    assert "read: **J\\*C\\*N \\[x\\]\\(y\\)**" in card
    assert f"{ROWS - 1} pictures have not been read yet" in words(app)
    next(button for button in app.button if button.label == "Open 1").click().run()
    facts = words(app)
    assert "Found by" in facts
    assert "what was read" in facts
    assert "other" in facts

    app = ask(open_page("search"), '"nowhere"')
    assert "These words were read on no picture that passes the filters." in words(app)


def test_filters_alone_answer(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("search", camera="cam-1")
    of_it = [entity for entity in library if entity.camera == "cam-1"]

    assert f"**{len(of_it)} pictures**, the newest first" in words(app)
    assert len(opened(app)) == len(of_it)
    assert all("cam\\-1" in line for line in card_lines(app))


def test_how_thoroughly_an_index_is_searched_is_chosen_for_one_search(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    assert not open_page("search", q="red").number_input  # a flat index has nothing to choose
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        store.rebuild("main", Hnsw())
    resources.forget_what_was_read()

    app = open_page("search", q="red", fold="never")
    app.number_input(key="effort_ef").set_value(100).run()
    assert f"**{ROWS} hits**" in words(app)
    app.number_input(key="effort_ef").set_value(0).run()
    assert "ef" in "".join(error.value for error in app.error)  # out of its range, in words


def test_each_active_filter_is_removed_by_a_click(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    asked = {"camera": ["cam-1", "cam-2"], "tag": "odd", "min_score": "0.1"}
    app = open_page("search", q="a red square", **asked)  # type: ignore[arg-type]
    chips = [button.label for button in app.button if str(button.key).startswith("chip-")]
    assert chips == ["cam\\-1", "cam\\-2", "odd", "Minimum score 0\\.1"]

    next(button for button in app.button if button.label == "cam\\-1").click().run()

    assert app.session_state["camera"] == ["cam-2"]
    assert all("cam\\-2" in line for line in card_lines(app))
    next(button for button in app.button if button.label.startswith("Minimum")).click().run()
    assert app.session_state["min_score"] == 0.0


def test_shows_hits_a_page_at_a_time(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = ask(open_page("search", fold="never"), "a red square")

    assert f"**{ROWS} hits** ·" in words(app)
    assert "encode" in words(app) and "Milvus" in words(app)
    assert opened(app) == [f"Open {number}" for number in range(1, 21)]

    app.pagination[0].set_value(2).run()

    assert opened(app) == [f"Open {number}" for number in range(21, ROWS + 1)]

    ask(app, "a blue square")

    assert opened(app) == [f"Open {number}" for number in range(1, 21)]


def test_another_order_begins_at_its_first_page(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", q="a red square", fold="never", page="2")
    app.segmented_control(key="sort").set_value("Newest").run()

    assert opened(app) == [f"Open {number}" for number in range(1, 21)]


def test_an_address_opens_the_page_it_names(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", q="a red square", fold="never", page="2")

    assert opened(app) == [f"Open {number}" for number in range(21, ROWS + 1)]


def test_hits_close_in_time_fold_into_moments(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "a red square")

    # Cameras 0, 1 and 2 by turns, a second each, 24 s in all; a moment is 20 s long at most.
    moments = len(opened(app))
    assert 4 < moments < ROWS and f"**{ROWS} hits** in {moments} moments" in words(app)
    folded = [re.search(r"(\d+) hits in (\d+) s", line) for line in card_lines(app)]
    counts = [(int(found[1]), int(found[2])) for found in folded if found]
    assert counts and all(seconds <= 20 for _, seconds in counts)
    assert sum(hits for hits, _ in counts) + folded.count(None) == ROWS


def test_hits_are_ordered_by_time_on_request(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", q="a red square", fold="never", sort="Oldest")
    oldest = [line.splitlines()[1] for line in card_lines(app)]
    assert oldest == sorted(oldest)

    app.get("button_group")
    app = open_page("search", q="a red square", fold="never", sort="Newest")
    assert card_lines(app)[0].splitlines()[1] > oldest[-1]


def test_pictures_that_look_the_same_fold(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    twin = replace(library[0], id="twin-0000000000", source_id="twin", camera="twin", captured_at=9)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        store.upsert("main", [twin], store.embedding("main", library[0].id)[None])
    app = ask(open_page("search", fold="never"), "a red square")
    every = len(opened(app)), words(app)
    app.toggle(key="alike").set_value(True).run()
    assert "26 hits** ·" in every[1]
    assert any("alike" in line for line in card_lines(app))


def test_something_can_be_left_out_in_the_sentence_and_beside_it(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("search", q="a red square without a hat or an umbrella", without="snow")

    assert "without **a hat**, **an umbrella**, **snow**" in words(app)
    encoder = MilvusStore(resolve_endpoint(settings)).library("main").encoder
    [asked] = QueryLog(settings.searches_path).recent("main", encoder, 5)
    assert asked.text == "a red square"


def test_hours_of_the_day_filter_in_the_viewers_zone(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", q="a red square", hour_from="00:00", hour_until="00:01")
    assert f"**{ROWS} hits**" in words(app)  # all captured within half a minute of midnight UTC

    app = open_page("search", q="a red square", hour_from="00:01", hour_until="23:59")
    assert "No picture passes these filters" in words(app)


def test_what_was_looked_for_lately_is_offered(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    ask(open_page("search"), "a red square")
    app = open_page("search")

    next(button for button in app.button if button.label == "a red square").click().run()

    assert app.text_input(key="q").value == "a red square"


def test_the_address_carries_the_search(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("search", q="a red square", camera="cam-0")

    assert app.text_input(key="q").value == "a red square"
    assert app.multiselect(key="camera").value == ["cam-0"]
    assert "**9 hits**" in words(app)


def test_filters_by_camera_and_by_score(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = ask(open_page("search"), "a red square")

    app.multiselect(key="camera").set_value(["cam-0"]).run()
    assert "**9 hits**" in words(app)
    assert all("cam" in line and "0" in line for line in card_lines(app))

    app.slider(key="min_score").set_value(1.0).run()
    assert "No picture passes these filters" in words(app)


def test_says_what_it_did_about_the_filter_and_records_what_was_asked(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        store.rebuild("main", Hnsw(), in_place=True)
        encoder = store.library("main").encoder
    app = ask(open_page("search"), "a red square")
    assert "without the index" not in words(app)
    app.multiselect(key="camera").set_value(["cam-0"]).run()
    assert "9 pictures pass the filter: compared exactly, without the index" in words(app).replace(
        "\\", ""
    )
    latest, first = QueryLog(settings.searches_path).recent("main", encoder, 5)
    assert (first.text, first.where) == ("a red square", Filter())
    assert (latest.kind, latest.where) == ("text", Filter(cameras=("cam-0",)))


def test_finds_more_like_an_entity_of_the_address(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", like=library[3].id)

    assert f"**{ROWS - 1} hits**" in words(app)


def test_an_id_that_is_gone_is_said_in_words(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", like="nothing-0000000000")

    assert "has no entity" in app.error[0].value


def test_other_peoples_names_are_never_markup(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "a red square")
    app.multiselect(key="camera").set_value([HOSTILE]).run()

    [line] = card_lines(app)
    assert "![z]" not in line and "<b>" not in line
    assert r"\!\[z\]" in line and r"\<b\>" in line


def test_another_encoders_library_is_refused_in_words(
    data_dir: Path, identity: EncoderIdentity, open_page: OpenPage
) -> None:
    store = MilvusStore(resolve_endpoint(load_settings()))
    store.ensure_library("main", identity)
    store.close()

    app = ask(open_page("search"), "a red square")

    assert "test\\-encoder" in app.error[0].value
    assert "\\-\\-model" in app.error[0].value
    assert not app.exception


def test_a_milvus_that_is_not_there_is_said_in_words(
    data_dir: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_MILVUS_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("SIGHTLINE_MILVUS_TIMEOUT_S", "1")

    app = open_page("search")

    assert "cannot be reached" in app.error[0].value
    assert not app.exception


def test_weak_matches_come_below_a_line_and_no_good_match_is_said(
    library: list[MediaEntity], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = Calibration(**dict.fromkeys(Calibration.__slots__, 0.0))
    resources.relevance().calibration = blank
    app = ask(open_page("search", fold="never"), "a red square")
    assert "0." not in "".join(card_lines(app))  # one measure of match: scores are with the facts
    found = resources.engine("main").answer(Query(text="a red square"))
    scores = [hit.score for hit in found.hits]

    _matches_from(best := scores[2] - 0.0005, monkeypatch)
    ask(app, "a red  square")
    strong = sum(score >= best for score in scores)
    assert f"**{ROWS} hits**" in words(app)
    assert len(opened(app)) == PER_PAGE  # the first of two pages
    assert all("match 100%" in line for line in card_lines(app)[:strong])
    assert all("weak, 0%" in line for line in card_lines(app)[strong:])
    assert "Less certain from here" in words(app)
    for order in ("Newest", "Oldest"):
        app.segmented_control(key="sort").set_value(order).run()
        assert all("match 100%" in line for line in card_lines(app)[:strong])
        assert all("weak, 0%" in line for line in card_lines(app)[strong:])

    _matches_from(2.0, monkeypatch)
    ask(app, "a blue square")
    assert "No good match" in words(app)
    assert "Less certain from here" not in words(app)
    assert "pass the filters" not in words(app)
    assert not opened(app)
    assert app.toggle(key="weak").label == f"Show the nearest pictures ({ROWS})"
    app.multiselect(key="camera").set_value(["cam-1"]).run()
    assert "Only pictures that pass the filters were searched." in words(app)
    app.toggle(key="weak").set_value(True).run()
    assert len(opened(app)) == 7  # not folded: what was chosen before holds


def _matches_from(score: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a hit a match from this score on."""

    def strengths(_: Background, scores: Sequence[float], __: Calibration) -> list[float]:
        return [float(found >= score) for found in scores]

    monkeypatch.setattr(Background, "strengths", strengths)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("library", "elsewhere"),
        ("camera", "nowhere"),
        ("tag", "nothing"),
        ("after", "last week"),
        ("before", "0001-01-01T00:00"),
        ("hour_from", "25:00"),
        ("type", "Film"),
        ("k", "7"),
        ("min_score", "2"),
    ],
)
def test_a_link_to_what_is_not_there_searches_nothing_until_the_reader_chooses(
    library: list[MediaEntity], open_page: OpenPage, name: str, value: str
) -> None:
    app = open_page("search", q="a red square", **{name: value})
    assert f"“{value}”" in app.warning[0].value.replace("\\", "") and not opened(app)
    app.run()
    assert not opened(app)

    next(button for button in app.button if button.label == "Ignore it and search").click().run()

    assert not app.warning and f"**{ROWS} hits**" in words(app)
