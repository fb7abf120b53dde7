"""What errors say to people: words, and never the name of an exception's class."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_core.errors import MediaError, in_words

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("image file is truncated."), "image file is truncated"),
        (ValueError("first line\nsecond line"), "first line"),
        (ValueError(), "no reason was given"),
        (RuntimeError("OSError: broken data stream"), "broken data stream"),
        (RuntimeError("requests.exceptions.ReadTimeout: no answer"), "no answer"),
        (RuntimeError("Exception"), "no reason was given"),
        (OSError(28, "No space left on device", "/x"), "No space left on device"),
        (KeyError("width"), "an internal error"),
        (AttributeError("'NoneType' object has no attribute 'x'"), "an internal error"),
        (TypeError("f() takes 1 positional argument"), "an internal error"),
        (MediaError("is empty."), "is empty"),
    ],
)
def test_an_error_is_told_in_words(error: Exception, words: str) -> None:
    assert in_words(error) == words


@given(st.text(), st.sampled_from([ValueError, RuntimeError, OSError, KeyError, EOFError]))
def test_any_error_is_told_in_one_line(text: str, kind: type[Exception]) -> None:
    words = in_words(kind(text))
    assert words and len(words.splitlines()) == 1
    assert not words.startswith(kind.__name__)


def test_no_message_is_made_of_an_exceptions_class() -> None:
    """Nowhere is ``type(error).__name__`` or ``repr(error)`` put into what is said."""
    found = []
    for package in ("search_core", "ingest", "cli", "dashboard"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if _names_a_class(node):
                    found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def _names_a_class(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(ast.Call(ast.Name("type"), [ast.Name("error")]), "__name__"):
            return True
        case ast.Call(ast.Name("repr"), [ast.Name("error")]):
            return True
        case ast.FormattedValue(ast.Name("error"), 114):  # {error!r}
            return True
    return False
