"""The check boxes of cards, which are one element of a page."""

from __future__ import annotations

import json
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


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
