"""Control characters in file names and other people's text, printed as escapes.

Printed as they are, they could recolour a terminal, move its cursor, or forge a line of output.
"""

from __future__ import annotations

import re

#: C0 without tab and line feed, DEL, C1, line separators, bidirectional controls, and surrogates,
#: which stand for bytes of a file name that are not UTF-8.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_CONTROLS}]")
_IN_LINE = re.compile(f"[\t\n{_CONTROLS}]")


def escaped(text: str) -> str:
    r"""Return text with control characters as escapes such as ``\x1b``; lines stay lines."""
    return _IN_TEXT.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return text with control characters and line ends as escapes such as ``\x1b`` and ``\n``."""
    return _IN_LINE.sub(_escape, text)


def escaped_json(text: str) -> str:
    """Return JSON text with control characters in its strings as JSON escapes."""
    return _IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
