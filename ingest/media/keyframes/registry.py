"""The keyframe selectors that people type; help, hints and parsing are made from their classes.

Every module of this package is imported, so that a new selector is one new file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ingest.media.keyframe_selector import Argument, KeyframeSelector, NamedSelector, typed
from ingest.media.keyframes.distinct import Distinct
from search_core.errors import UsageError

#: What is used where nothing else is asked for.
_USUAL = "auto"


def _found() -> dict[str, type[NamedSelector]]:
    package = import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name != __name__:
            import_module(module.name)
    selectors = {selector.name: selector for selector in NamedSelector.__subclasses__()}
    return dict(sorted(selectors.items(), key=lambda named: (named[0] != _USUAL, named[0])))


#: Every selector by its name, the usual one first.
SELECTORS: dict[str, type[NamedSelector]] = _found()


def parse_selector(text: str) -> KeyframeSelector:
    """Return the selector named by ``auto``, ``iframe``, ``interval:SECONDS`` and so on.

    Raises UsageError, with all the ways there are, for anything else.
    """
    way, plus, distinct = text.strip().lower().partition("+")
    found = _way(way)
    if found is not None and plus:
        found = _distinct(found, distinct)
    if found is None:
        raise UsageError("Unknown keyframe selector {text!r}.", selector_hint(), text=text)
    return found


def selector_help() -> str:
    """Return which selectors there are and what each takes, for the help of an option."""
    ways = [
        f"{typed(name, selector.argument)} ({selector.help})"
        for name, selector in SELECTORS.items()
    ]
    return f"{', '.join(ways)}; +{Distinct.name} after any {Distinct.help}."


def selector_hint() -> str:
    """Return how selectors are typed and which numbers they take, for an error."""
    *ways, last = [
        f"{typed(name, selector.argument)}{_numbers(name, selector.argument)}"
        for name, selector in SELECTORS.items()
    ]
    distinct = f"+{typed(Distinct.name, Distinct.argument)}"
    return (
        f"Use {', '.join(ways)}, or {last}. Any of them may end in {distinct}"
        f"{_numbers(distinct, Distinct.argument)}, which {Distinct.help}."
    )


def selector_examples() -> list[str]:
    """Return each selector as it may be typed, in short: ``auto``, ``interval:2``."""
    return [
        f"{name}:{selector.argument.example:g}"
        if selector.argument is not None and selector.argument.required
        else name
        for name, selector in SELECTORS.items()
    ]


def _numbers(way: str, argument: Argument | None) -> str:
    if argument is None:
        return ""
    example = f" such as {way}:{argument.example:g}" if argument.required else ""
    return f"{example} ({argument.low:g} to {argument.high:g} {argument.unit})"


def _way(text: str) -> KeyframeSelector | None:
    name, colon, argument = text.partition(":")
    selector = SELECTORS.get(name)
    if selector is None:
        return None
    if colon:
        number = _number(argument, selector.argument)
        return None if number is None else selector.of(number)
    needs = selector.argument is not None and selector.argument.required
    return None if needs else selector()


def _distinct(way: KeyframeSelector, text: str) -> KeyframeSelector | None:
    name, colon, argument = text.partition(":")
    if name != Distinct.name:
        return None
    if not colon:
        return Distinct(way)
    number = _number(argument, Distinct.argument)
    return None if number is None else Distinct(way, number)


def _number(text: str, argument: Argument | None) -> float | None:
    """Return the number typed, None for one that is out of range or none at all."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if argument is not None and argument.allows(number) else None
