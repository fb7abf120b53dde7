"""Asking on the search page, what its cards say, and their check boxes, which are one element."""

from __future__ import annotations

import json
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def ask(app: AppTest, sentence: str) -> AppTest:
    """Ask for a sentence; return the page as it is then."""
    app.text_input(key="q").set_value(sentence)
    return app.run()


def opened(app: AppTest) -> list[str]:
    """Return the labels of the buttons that open a moment, one a card."""
    return [button.label for button in app.button if button.label.startswith("Open ")]


def card_lines(app: AppTest) -> list[str]:
    """Return what is written below each card's picture."""
    pictures = [picture for block in app.get("image") for picture in block.proto.imgs]
    return [picture.caption for picture in pictures if picture.caption]


def ticks(app: AppTest) -> list[dict[str, Any]]:
    """Return each card's ``number``, its identity ``card``, ``label`` and whether ``checked``."""
    return list(_data(app)["ticks"].values()) if _elements(app) else []


def tick(
    app: AppTest, *, number: int | None = None, card: str = "", checked: bool = True
) -> AppTest:
    """Tick a card as the browser does, by its number or its identity; return the page then."""
    found = next(one for one in ticks(app) if one["number"] == number or one["card"] == card)
    data = _data(app)
    change = {
        "n": data["heard"] + 1,
        "shown": data["shown"],
        "first": found["number"],
        "last": found["number"],
        "ticked": checked,
    }
    [element] = _elements(app)
    states = app._tree.get_widget_states()
    value = json.dumps({"changes": [change]})
    states.widgets.append(WidgetState(id=element.proto.id, json_value=value))
    return app._run(states)


def _elements(app: AppTest) -> list[Any]:
    return [one for one in app.get("bidi_component") if one.key == "ticks"]


def _data(app: AppTest) -> dict[str, Any]:
    [element] = _elements(app)
    found: dict[str, Any] = json.loads(element.proto.json)
    return found
