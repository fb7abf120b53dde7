"""Which Milvus answers: what a server says of itself, and what can be named without asking it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from search_core.errors import UsageError

_RELEASE = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A Milvus: its version, whether it is the embedded Milvus Lite, whether it has a GPU.

    ``gpu`` is None where nobody can tell; Milvus tells a client only by the ending of its version.
    ``version`` keeps such endings: ``2.4.5-gpu``, and ``2.3.5-lite`` of the PyPI package milvus.
    """

    version: str
    embedded: bool
    gpu: bool | None = None

    @classmethod
    def reported(cls, version: str, *, embedded: bool) -> ServerInfo:
        """Read the version a Milvus reports, such as ``v2.4.5-gpu``, ``v2.3.5-lite`` or ``3.2.2``.

        Milvus's own GPU builds put ``-gpu`` behind it; Milvus Lite has no GPU.
        """
        release = version.strip().removeprefix("v")
        return cls(release, embedded, gpu="-gpu" in release if not embedded else False)

    def at_least(self, version: str) -> bool:
        """Whether this is that release or a later one; a beta counts as its release."""
        return release_of(self.version) >= release_of(version)

    @property
    def pip_build(self) -> bool:
        """Whether it is the server of the PyPI package ``milvus``, which lacks some index types."""
        return not self.embedded and self.version.endswith("-lite")

    def __str__(self) -> str:
        """Return it as people say it: ``Milvus 2.3.5``, ``Milvus Lite 3.2.2``."""
        number = self.version.removesuffix("-lite")
        return f"Milvus Lite {number}" if self.embedded else f"Milvus {number}"


def release_of(version: str) -> tuple[int, int, int]:
    """Return (major, minor, patch) of a version; raises UsageError for what is not one."""
    found = _RELEASE.match(version.strip())
    if not found:
        raise UsageError(f"{version!r} is not a version of Milvus.", "Write it as 2.3.5.")
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch
