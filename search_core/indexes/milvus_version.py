"""Which Milvus answers: its version, and what was run, replayed or read of each version.

Sightline is tested on the versions in :data:`SUPPORT`; what a server of any version lacks is found
by a probe (store/milvus/probe.py) rather than by its number alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from search_core.errors import UsageError

_RELEASE = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?")
#: What a release reports; `git describe` gives others a branch's name or a bare commit.
_RELEASED = re.compile(r"v?\d+\.\d+")
#: What a build counts as that does not tell its release: newer than any.
_NEWEST = (9999, 0, 0)

#: ``run``: every test runs on it; ``replayed``: its answers, read in its sources, are replayed to
#: the store; ``read``: its sources were read.
Evidence = Literal["run", "replayed", "read"]


@dataclass(frozen=True, slots=True)
class Support:
    """How it is known that Sightline works on some releases of Milvus, and what they differ in.

    ``version`` is the first of them; ``shown`` names them.
    """

    version: str
    shown: str
    evidence: Evidence
    differs: str


#: Ascending; a server counts as the last entry that is not newer. GPU builds and clusters are read
#: only, whatever their version.
SUPPORT: tuple[Support, ...] = (
    Support(
        "2.3",
        "2.3.5",
        "run",
        "after a restart it has lost the last property that was written: each is written twice; a "
        "search overtaken by a drop finds nothing and raises no error: it is asked again",
    ),
    Support(
        "2.4",
        "2.4",
        "replayed",
        "flushes a collection once in 10 s; from 2.4.23 on a collection with an alias is not "
        "dropped: aliases go first",
    ),
    Support(
        "2.5",
        "2.5",
        "replayed",
        "keeps rows of one id in one batch apart (2.5.17): the last is written; from 2.5.18 on "
        "what is missing has the legacy code 4 alone",
    ),
    Support(
        "2.6", "2.6", "replayed", "refuses rows of one id in one batch (2.6.8): the last is written"
    ),
    Support("3.0", "3.0", "replayed", "says which errors may be tried again: they are"),
)
LITE = Support(
    "3.2",
    "Milvus Lite 3.2.2",
    "run",
    "one process a folder; several writers take turns; no users, no bulk insert, no binary vectors",
)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A Milvus: its version, whether it is the embedded Milvus Lite, whether it has a GPU.

    ``gpu`` is None where it is unknown: some GPU builds end their version in ``-gpu``, others do
    not (milvus #47823). ``version`` keeps such endings: ``2.4.5-gpu``, and ``2.3.5-lite`` of the
    PyPI package milvus. ``lacks`` are the index types that a probe of it could not build.
    """

    version: str
    embedded: bool
    gpu: bool | None = None
    lacks: frozenset[str] = frozenset()

    @classmethod
    def reported(cls, version: str, *, embedded: bool) -> ServerInfo:
        """Read the version a Milvus reports, such as ``v2.4.5-gpu``, ``v2.3.5-lite`` or ``3.2.2``.

        A development build reports a branch (``master-20260101-0123abc``) or a commit.
        """
        release = version.strip().removeprefix("v")
        gpu: bool | None = True if "-gpu" in release else None
        if embedded or release.endswith("-lite"):
            gpu = False
        return cls(release, embedded, gpu)

    def at_least(self, version: str) -> bool:
        """Whether this is that release or a later one.

        A beta counts as its release, a development build as newer than any.
        """
        own = release_of(self.version) if _RELEASED.match(self.version) else _NEWEST
        return own >= release_of(version)

    @property
    def finds_within(self) -> bool:
        """Whether its ``like`` takes a pattern that begins with a wildcard."""
        return self.embedded or self.at_least("2.4")

    @property
    def support(self) -> Support:
        """How it is known that Sightline works on it."""
        if self.embedded:
            return LITE
        known = [support for support in SUPPORT if self.at_least(support.version)]
        return known[-1] if known else SUPPORT[0]

    @property
    def pip_build(self) -> bool:
        """Whether it is the server of the PyPI package ``milvus``, which lacks some index types."""
        return not self.embedded and self.version.endswith("-lite")

    def __str__(self) -> str:
        """Return it as people say it: ``Milvus 2.3.5``, ``Milvus Lite 3.2.2``."""
        number = self.version.removesuffix("-lite")
        return f"Milvus Lite {number}" if self.embedded else f"Milvus {number}"


def release_of(version: str) -> tuple[int, int, int]:
    """Return (major, minor, patch) of a version that somebody wrote.

    Raises UsageError for what is not one.
    """
    found = _RELEASE.match(version.strip())
    if not found:
        raise UsageError(
            "{version!r} is not a version of Milvus.", "Write it as 2.3.5.", version=version
        )
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch
