"""Name patterns: regular expressions with strptime-like directives for the parts of a time.

Those that users write, such as ``%camera/%Y-%m-%d_%H-%M-%S``, are checked before they are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from search_core.errors import UsageError
from search_core.messages import Message

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


EXAMPLE: Final = "%camera/%Y-%m-%d_%H-%M-%S"
_UTC_PREFIX = "utc:"
_MOST_CHARACTERS = 300
#: A directive, any text (%*), or text between them.
_TEMPLATE_TOKEN = re.compile(r"%(seconds|channel|camera|-?[A-Za-z]|\*|%)|(%.?)|([^%]+)")
_ANY_LENGTH = frozenset(("camera", "*", "f"))
_DATE = (("Y", "y"), ("m", "b"), ("d",))
#: Directive -> those of which it needs one, with what is missing otherwise.
_NEEDS: Final = (
    ("M", ("H", "I"), "%H"),
    ("H", ("M",), "%M"),
    ("I", ("M",), "%M"),
    ("S", ("M",), "%M"),
    ("f", ("S",), "%S"),
    ("I", ("p",), "%p"),
    ("p", ("I", "H"), "%I"),
)


def parse_template(text: str, origin: str = "--name-pattern") -> NamePattern:
    """Return the pattern that a template describes.

    A template describes the end of a path, with ``/`` between folders, and the whole of each
    folder's and of the file's name; the file's suffix may be left out. ``%camera`` is the camera's
    name, ``%*`` any text, and the rest as in strptime: ``%Y %y %m %b %d %H %I %p %M %S %f %z %s``.
    Directives of a time that come a second time say when the recording ended. ``utc:`` in front
    says that the times are in UTC. Raises UsageError.
    """
    clock_utc = text.strip().lower().startswith(_UTC_PREFIX)
    body = text.strip()[len(_UTC_PREFIX) :] if clock_utc else text.strip()
    try:
        _check_text(body)
        tokens = _tokens(body)
        _check_directives([directive for directive, _ in tokens if directive])
        _check_neighbours(tokens)
        form = "".join(_part(directive, literal) for directive, literal in tokens)
        expand(form)
    except UsageError as error:
        raise UsageError(
            "The name pattern {pattern!r} ({origin}) cannot be used: {error}",
            error.hint or Message("A pattern looks like {example}.", example=EXAMPLE),
            pattern=text,
            origin=origin,
            error=error.message,
        ) from None
    return NamePattern(
        f"name pattern {text.strip()}",
        (form,),
        origin,
        clock="utc" if clock_utc else "local",
        own=True,
    )


def _check_text(body: str) -> None:
    if not body:
        raise UsageError("It is empty.")
    if len(body) > _MOST_CHARACTERS:
        raise UsageError("It has more than {most} characters.", most=_MOST_CHARACTERS)
    if "\\" in body:
        raise UsageError("It has a backslash.", "Write / between folders.")
    if body.startswith("/") or body.endswith("/") or "//" in body:
        raise UsageError(
            "It begins or ends with /, or has an empty folder name.",
            "A pattern describes the end of a path: leave out what is above, end with the file.",
        )


def _tokens(body: str) -> list[tuple[str, str]]:
    """Return (directive, "") and ("", literal text) in order; raises UsageError."""
    tokens: list[tuple[str, str]] = []
    for directive, broken, literal in _TEMPLATE_TOKEN.findall(body):
        if directive in COMPOSITES:
            tokens += _tokens(COMPOSITES[directive])
            continue
        if broken or (directive and directive not in (*DIRECTIVES, "*", "%")):
            known = " ".join(f"%{name}" for name in (*DIRECTIVES, *COMPOSITES, "*"))
            raise UsageError(
                "{value} is not a directive.",
                "Directives are {known}; %% is a percent sign.",
                value=broken or "%" + directive,
                known=known,
            )
        tokens.append(("", "%") if directive == "%" else (directive, literal))
    return tokens


def _check_directives(found: Sequence[str]) -> None:
    names = [directive.lstrip("-") for directive in found]
    for name in ("camera", "channel", "z", "s", "seconds"):
        if names.count(name) > 1:
            raise UsageError("%{name} comes more than once.", name=name)
    missing = [options[0] for options in _DATE if not set(options) & set(names)]
    dated = len(missing) < len(_DATE) or "s" in names
    timed = set(names) & {"H", "I", "M", "S", "f", "p", "z"}
    if not dated and not timed and "camera" not in names:
        raise UsageError("It has neither %camera nor a date, so it would read nothing.")
    if missing and "s" not in names and (timed or dated):
        needed = ", ".join(f"%{name}" for name in missing)
        what = "a part of a date" if dated else "a time of day"
        raise UsageError(
            "It has {what} without {needed}.",
            "Add it; it may be in a folder's name: %F/%H-%M-%S.",
            what=what,
            needed=needed,
        )
    if "H" in names and "I" in names:
        raise UsageError("It has both %H (24 hours) and %I (12 hours).")
    for name, needed_one_of, hint in _NEEDS:
        if name in names and not set(needed_one_of) & set(names):
            raise UsageError("%{name} needs {hint} as well.", name=name, hint=hint)
    ends = {name for name in names if names.count(name) == 2}
    if ends and not ({"H", "M"} <= ends or {"I", "M"} <= ends):
        twice = " ".join(f"%{name}" for name in names if name in ends)
        raise UsageError(
            "{split} comes twice, but the end of a recording needs its %H and %M too.",
            "Use %* for text that does not matter.",
            split=twice.split()[0],
        )


def _check_neighbours(tokens: Sequence[tuple[str, str]]) -> None:
    for (first, _), (second, _) in pairwise(tokens):
        if first in _ANY_LENGTH and second in _ANY_LENGTH:
            raise UsageError(
                "Nothing separates %{first} from %{second}.", first=first, second=second
            )


def _part(directive: str, literal: str) -> str:
    if directive == "*":
        return "[^/]*"
    return f"%{directive}" if directive else re.escape(literal).replace("%", "%%")
