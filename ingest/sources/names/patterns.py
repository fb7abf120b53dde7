"""Name patterns: regular expressions with strptime-like directives for the parts of a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from search_core.errors import UsageError

Clock = Literal["utc", "local"]

#: Directive -> regular expression. Widths are fixed so that digits cannot shift between fields; a
#: directive with a dash may lack its leading zero.
DIRECTIVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Y": r"(?:19|20)[0-9]{2}",
        "y": r"[0-9]{2}",
        "m": r"[0-9]{2}",
        "-m": r"[0-9]{1,2}",
        "b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
        "d": r"[0-9]{2}",
        "-d": r"[0-9]{1,2}",
        "H": r"[0-9]{2}",
        "-H": r"[0-9]{1,2}",
        "I": r"[0-9]{2}",
        "-I": r"[0-9]{1,2}",
        "p": r"[ap]\.?m\.?",
        "M": r"[0-9]{2}",
        "S": r"[0-9]{2}",
        "f": r"[0-9]{1,9}",
        "z": r"(?:Z|[+-][0-9]{2}[:_]?[0-9]{2})",
        "s": r"[0-9]{10}",
        "seconds": r"[0-9]{2}",
        "channel": r"[0-9]{1,3}",
        "camera": r"[^/]*[^\W_](?:[^/]*[^/\s_.-])?",
    }
)
#: Directives that stand for several others.
COMPOSITES: Final[Mapping[str, str]] = MappingProxyType({"F": "%Y-%m-%d"})
#: Directives that, written a second time, say when the recording ended.
END_DIRECTIVES: Final = frozenset("YymbdHIpMSf")

TOKEN: Final = re.compile(r"%(seconds|channel|camera|-?[A-Za-z]|%)")


@dataclass(frozen=True)
class NamePattern:
    """How one recorder names its files, and what the parts of such a name mean.

    Each of ``forms`` is a regular expression for the end of a path without the file's suffix, with
    ``/`` between folders. In it ``%Y %y %m %b %d %H %I %p %M %S %f`` stand for the parts of the
    time at which the recording began and, where one comes a second time, ended; ``%F`` for
    ``%Y-%m-%d``, ``%z`` for an offset from UTC, ``%s`` for seconds since 1970, ``%seconds`` for
    the length, ``%camera`` and ``%channel`` for the camera. A dash (``%-d``) allows a missing
    leading zero.

    ``source`` says where the names are documented, ``clock`` which clock they are written by.
    ``cameras`` maps what a name says to the camera's name (``F`` to ``front``), and ``label``
    completes a bare number (``camera {}``). ``own`` marks a pattern that the user gave: what it
    reads settles what the others would leave open.
    """

    recorder: str
    forms: tuple[str, ...]
    source: str
    clock: Clock = "local"
    cameras: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    label: str = "{}"
    own: bool = False

    @cached_property
    def expressions(self) -> tuple[re.Pattern[str], ...]:
        """The compiled forms, with one named group for each directive."""
        return tuple(
            re.compile(rf"(?:.*?/)??(?:{expand(form)})", re.IGNORECASE | re.DOTALL)
            for form in self.forms
        )


def expand(form: str) -> str:
    """Return a form with each directive replaced by a named group.

    Raises UsageError for a directive that is unknown or comes too often.
    """
    counts: dict[str, int] = {}

    def group(match: re.Match[str]) -> str:
        directive = match[1]
        if directive == "%":
            return "%"
        if directive in COMPOSITES:
            return TOKEN.sub(group, COMPOSITES[directive])
        if directive not in DIRECTIVES:
            raise UsageError(
                "Unknown directive %{directive}.",
                "Known are {known}.",
                directive=directive,
                known=", ".join(f"%{known}" for known in (*DIRECTIVES, *COMPOSITES)),
            )
        name = directive.lstrip("-")
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > (2 if name in END_DIRECTIVES else 1):
            raise UsageError("%{directive} is given too often.", directive=directive)
        prefix = "end_" if counts[name] == 2 else ""
        return f"(?P<{prefix}{name}>{DIRECTIVES[directive]})"

    return TOKEN.sub(group, form)
