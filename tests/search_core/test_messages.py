"""Messages are the English sentences that they say, and keep what they were made of."""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.i18n.extraction import literals
from search_core import errors
from search_core.errors import MediaError, StoreError, in_words
from search_core.messages import Message, joined, restored, stored

ROOT = Path(__file__).parents[2]
NESTED = Message("{path} {reason}", path=Path("/a{b}"), reason=Message("holds {n:,}", n=1234))


def test_a_message_is_its_sentence() -> None:
    assert NESTED == "/a{b} holds 1,234"
    assert Message("a photo of {}") == "a photo of {}"  # without values it is no template
    assert f"{NESTED}." == "/a{b} holds 1,234."


@pytest.mark.parametrize(
    "again", [lambda m: pickle.loads(pickle.dumps(m)), deepcopy, lambda m: restored(stored(m))]
)
def test_a_message_keeps_its_parts_when_it_is_sent_copied_or_stored(
    again: Callable[[Message], Any],
) -> None:
    found = again(NESTED)
    assert found == NESTED and found.template == NESTED.template
    assert found.values["reason"].template == "holds {n:,}"


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.text().map(lambda text: f"\x1e{text}"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_holds_no_message_is_stored_as_it_is(value: object) -> None:
    assert restored(json.loads(json.dumps(stored(value)))) == value


def test_messages_are_stored_wherever_they_are() -> None:
    found = restored(json.loads(json.dumps(stored({"results": [{"why": NESTED}]}))))
    assert found["results"][0]["why"].values == NESTED.values


def test_names_of_files_that_are_not_unicode_can_be_stored() -> None:
    stored(Message("{path} is empty", path="\udcff")).encode()


def test_messages_are_joined_without_empty_ones() -> None:
    assert joined("", "") == ""
    assert joined("", NESTED) is NESTED
    assert joined("a", "", "b", "c", separator=", ") == "a, b, c"


def test_an_error_has_messages_and_what_it_says_can_be_a_part_of_another() -> None:
    error = StoreError("{path} is full.", "Remove {path}.", path=Path("/x"))
    assert (str(error), error.hint) == ("/x is full.", "Remove /x.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.message.template, again.hint.template) == ("{path} is full.", "Remove {path}.")
    words = in_words(error)
    assert words == "/x is full" and isinstance(words, Message)
    assert MediaError("is {broken}").message == "is {broken}"


def test_templates_are_literals_and_have_a_place_for_each_value() -> None:
    """What `make words` cannot find, nobody translates."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in ("search_core", "ingest", "dashboard")
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("messages.py", "errors.py")
        for call in _calls(path)
        if not _is_sound(call)
    ]
    assert wrong == []


def _calls(path: Path) -> Iterator[ast.Call]:
    """Yield the calls that make messages, and errors."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(ast.Name(name)) if name == "Message" or hasattr(errors, name):
                yield node


def _is_sound(call: ast.Call) -> bool:
    assert isinstance(call.func, ast.Name)
    texts = call.args[:1] if call.func.id == "Message" else call.args[:2]
    if any(isinstance(text, ast.JoinedStr | ast.BinOp) for text in texts):
        return False
    given = {keyword.arg for keyword in call.keywords}
    if not given or None in given:
        return True
    templates = [template for text in texts for template in literals(text)]
    places = {name for text in templates for _, name, _, _ in Formatter().parse(text) if name}
    return places == given
