"""The Milvus server of the tests: a process of the PyPI package ``milvus``, or a container."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

_VARIABLE = "SIGHTLINE_TEST_MILVUS_IMAGE"
# Read at once: tests of the command see no variable of Sightline's.
_IMAGE = os.environ.get(_VARIABLE) or None


def image() -> str | None:
    """Return the image of the container that tests use, None where they use a process."""
    return _IMAGE


def described() -> str:
    """Return which server the tests use, in a line."""
    if _IMAGE:
        return f"a container of {_IMAGE}, by testcontainers"
    reason = _reason_against()
    if reason:
        return f"none, its tests are skipped: {reason}"
    return f"the package milvus {version('milvus')} ({_VARIABLE} chooses a container)"


@contextmanager
def process(folder: Path) -> Iterator[Any]:
    """Yield the server of the package, running with its data in ``folder``; skips where none is."""
    reason = _reason_against()
    if reason:
        pytest.skip(reason)
    from benchmarks.index.milvus_server import standalone

    with standalone(folder) as server:
        yield server


@contextmanager
def container() -> Iterator[str]:
    """Yield the address of a server in a container of the image."""
    from testcontainers.community.milvus import MilvusContainer

    assert _IMAGE is not None
    with MilvusContainer(_IMAGE) as running:
        yield running.get_connection_url()


def _reason_against() -> str:
    """Return why the server of the package cannot run here; empty where it can."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "the package milvus carries a server for Linux x86-64 only"
    try:
        version("milvus")
    except PackageNotFoundError:
        return "the package milvus is not installed"
    return ""


if __name__ == "__main__":  # whether a container answers here
    with container():
        pass
