"""Asking on the search page, and what its cards say."""

from __future__ import annotations

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
