"""The region proposers that people name; help, hints and parsing are made from their classes.

Every module of this package is imported, so that a new proposer is one new file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ingest.media.regions.base import NamedProposer
from search_core.errors import UsageError

#: No regions: whole pictures alone.
OFF = "off"
#: By what the footage is: the usual ones.
AUTO = "auto"


def _found() -> dict[str, type[NamedProposer]]:
    package = import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name != __name__:
            import_module(module.name)
    proposers = {proposer.name: proposer for proposer in NamedProposer.__subclasses__()}
    return dict(sorted(proposers.items()))


#: Every proposer by its name.
PROPOSERS: dict[str, type[NamedProposer]] = _found()


def parse_regions(text: str) -> NamedProposer | None:
    """Return the proposer of ``NAME`` or ``NAME:ARGUMENT``, None for ``off``; raises UsageError."""
    name, colon, argument = text.strip().partition(":")
    name = name.strip().lower()
    if name == OFF and not colon:
        return None
    proposer = PROPOSERS.get(name)
    if proposer is None or bool(colon) != bool(proposer.argument):
        raise UsageError(
            "Unknown kind of regions {text!r}.",
            "Use {names}.",
            text=text,
            names=", ".join((OFF, *map(_typed, PROPOSERS))),
        )
    return proposer.of(argument)


def spelled(text: str) -> str:
    """Return how what was typed is recorded: a file by its place and digest; raises UsageError."""
    proposer = parse_regions(text)
    return OFF if proposer is None else proposer.spelling


def regions_help() -> str:
    """Return which proposers there are, for the help of an option."""
    ways = [f"{_typed(name)} ({proposer.help})" for name, proposer in PROPOSERS.items()]
    return f"{OFF} (none), {', '.join(ways)}."


def _typed(name: str) -> str:
    argument = PROPOSERS[name].argument
    return f"{name}:{argument}" if argument else name
