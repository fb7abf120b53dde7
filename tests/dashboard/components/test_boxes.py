"""The region that a hit was found by, drawn over its picture."""

from __future__ import annotations

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.components.cards import cards_of_moments
from dashboard.components.image_input import outlined
from search_core.search.engine import Hit
from search_core.search.grouping import fold_moments
from tests.conftest import make_entity

BOX = (0.5, 0.5, 0.75, 1.0)


def test_a_cards_box_is_that_of_its_best_hit() -> None:
    hits = [Hit(1, 0.9, make_entity(1), box=BOX), Hit(2, 0.8, make_entity(2))]
    assert [card.box for card in cards_of_moments(fold_moments(hits, 0))] == [BOX, None]


def test_the_outline_is_round_the_region_and_the_picture_below_it_stays() -> None:
    image = Image.new("RGB", (400, 200), (90, 90, 90))
    marked = np.asarray(outlined(image, BOX))
    changed = (marked != 90).any(axis=2)
    assert changed[100, 200] and changed[199, 299] and changed[150, 200]
    assert not changed[150, 250] and not changed[:99].any() and not changed[:, :199].any()
    assert image.getpixel((200, 100)) == (90, 90, 90)


def _page() -> None:
    from dashboard.components.theme import mark_boxes
    from tests.conftest import make_entity

    mark_boxes({"card-1": (make_entity(1), (0.5, 0.5, 0.75, 1.0))})
    mark_boxes({})


def test_only_cards_with_a_region_have_one_drawn() -> None:
    page = AppTest.from_function(_page).run()
    assert not page.exception
    [style] = [element.proto.body for element in page.get("html")]
    assert ".st-key-card-1 " in style and "viewBox%3D%270%200%20640%20360%27" in style
    assert "x%3D%27320.0%27" in style and "height%3D%27180.0%27" in style
