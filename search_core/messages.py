"""Messages: English sentences that remember the template and the values they were made of.

The dashboard translates the template. Everywhere else a message is the string that it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import reduce
from typing import Any

Value = str | int | float

#: Begins a stored message. A text that begins so by itself is stored with one more.
MARK = "\x1e"


class Message(str):
    """A template with ``{name}`` for each value, formatted; without values, the template itself.

    Values may be messages themselves. A template is a literal: catalogues of translations are keyed
    by templates, and `make words` finds them in the code.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value | os.PathLike[str]) -> Message:
        """Return a template formatted with values."""
        kept = {name: _value(value) for name, value in values.items()}
        made = super().__new__(cls, template.format(**kept) if kept else template)
        made.template, made.values = template, kept
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:
        # Messages are copied, and sent across processes.
        return (self.template,), dict(self.values)

    def __getstate__(self) -> None:
        """Return nothing: what a message is made of is all of it."""

    def without_full_stop(self) -> Message:
        """Return it as a part of another sentence."""
        return Message(self.template.rstrip("."), **self.values)


def joined(*parts: str, separator: str = "; ") -> str:
    """Return messages as one, without empty ones; each is translated by itself."""
    said = [part for part in parts if part]
    template = f"{{first}}{separator}{{then}}"
    return reduce(lambda first, then: Message(template, first=first, then=then), said or [""])


def stored(value: Any) -> Any:
    """Return a text, or what JSON can hold, with its messages as texts that keep their parts.

    :func:`restored` reads it.
    """
    if isinstance(value, Message) and value.values:
        return MARK + json.dumps(_parts(value))
    if isinstance(value, str):
        return MARK + value if value.startswith(MARK) else str(value)
    if isinstance(value, Mapping):
        return {key: stored(item) for key, item in value.items()}
    return [stored(item) for item in value] if isinstance(value, list | tuple) else value


def restored(value: Any) -> Any:
    """Return what was stored, with its messages."""
    if isinstance(value, str) and value.startswith(MARK):
        text = value.removeprefix(MARK)
        return text if text.startswith(MARK) else _message(json.loads(text))
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


def _value(value: Value | os.PathLike[str]) -> Value:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _parts(message: Message) -> list[Any]:
    return [
        message.template,
        {
            name: _parts(value) if isinstance(value, Message) else _storable(value)
            for name, value in message.values.items()
        },
    ]


def _storable(value: Value) -> Value:
    """Return a value as files hold it: names of files need not be valid Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _message(parts: list[Any]) -> Message:
    template, values = parts
    return Message(
        template,
        **{name: _message(v) if isinstance(v, list) else v for name, v in values.items()},
    )
