"""Messages: English sentences that remember the template and the values they were made of.

The dashboard translates the template. Everywhere else a message is the string that it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

Value = str | int | float

#: Begins a stored message; nothing else that is stored with messages begins so.
_MARK = "\x1e"


class Message(str):
    """A template with ``{name}`` for each value, formatted; without values, the template itself.

    The catalogues of translations are keyed by templates, so a template is a literal.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value | os.PathLike[str]) -> Message:
        """Format a template with values, of which some may be messages themselves."""
        kept = {name: _plain(value) for name, value in values.items()}
        made = super().__new__(cls, template.format(**kept) if kept else template)
        made.template, made.values = template, kept
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:
        # Messages are sent across processes and copied.
        return (self.template,), dict(self.values)

    def __getstate__(self) -> None:
        """Return nothing: what makes a message anew is all of it."""


def stored(text: str) -> str:
    """Return a text as it is kept in a file or a queue; :func:`restored` reads it."""
    if isinstance(text, Message) and text.values:
        return _MARK + json.dumps(_parts(text), ensure_ascii=False)
    return str(text)


def restored(text: str) -> str:
    """Return a text that was stored, a message as a message."""
    return _message(json.loads(text[1:])) if text.startswith(_MARK) else text


def _plain(value: Value | os.PathLike[str]) -> Value:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _parts(message: Message) -> list[object]:
    values = {
        name: _parts(value) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    return [message.template, values]


def _message(parts: list[dict[str, object]]) -> Message:
    template, values = parts
    return Message(
        template,
        **{
            name: _message(value) if isinstance(value, list) else value
            for name, value in values.items()
        },
    )
