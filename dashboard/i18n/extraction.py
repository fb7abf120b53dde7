"""Finds what is to be translated, for Babel: the dashboard's messages and those of the core.

Those of the dashboard are marked with ``_``, ``N_`` and ``ngettext``, those of search_core and
ingest are what :class:`~search_core.messages.Message` and the errors are made of.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

from search_core import errors

_ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.SightlineError)
}


def extract(
    file: IO[bytes], keywords: Collection[str], comment_tags: object, options: Mapping[str, Any]
) -> Iterator[tuple[int, str | None, str | tuple[str, ...], list[str]]]:
    """Yield the messages of a Python file as Babel's extraction methods do."""
    for node in ast.walk(ast.parse(file.read())):
        match node:
            case ast.Call(ast.Name("ngettext"), [one, many, *_]):
                yield node.lineno, "ngettext", (*literals(one), *literals(many)), []
            case ast.Call(ast.Name("_" | "N_" | "Message"), [text, *_]):
                yield from ((node.lineno, None, found, []) for found in literals(text))
            case ast.Call(ast.Name(name), texts) if name in _ERRORS:
                for text in texts[:2]:
                    yield from ((node.lineno, None, found, []) for found in literals(text))


def literals(node: ast.expr) -> Iterator[str]:
    """Yield the text of a literal, or of both branches of a condition."""
    match node:
        case ast.Constant(str(text)) if text:
            yield text
        case ast.IfExp():
            yield from literals(node.body)
            yield from literals(node.orelse)
