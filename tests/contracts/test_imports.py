"""What rooms may import, where import-linter cannot say it: its contracts list what is forbidden.

The other contracts are in pyproject.toml.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: All that the dashboard may import of ingest: what is in a library and what is asked for, never
#: the stages of an ingest, which workers run.
ALLOW = (
    "ingest.cameras",  # cameras and watched folders, as they are recorded, and the test of one
    "ingest.curation.corrections",
    "ingest.curation.moving",
    "ingest.curation.tagging",
    "ingest.evidence",
    "ingest.jobs",
    "ingest.ledger",
    "ingest.media.images.formats",
    "ingest.media.images.formats",
    "ingest.media.keyframes",  # how selectors are typed
    "ingest.media.regions",  # which there are to choose from
    "ingest.media.video.clips",  # regions to blur
    "ingest.options",
    "ingest.rows.deletion",
    "ingest.rows.journal",
    "ingest.rows.retention",
    "ingest.rows.deletion",
    "ingest.sources.discovery",
    "ingest.sources.media_locator",
    "ingest.sources.remote.addresses",
    "ingest.sources.remote.files",
)


def imports_of(package: str) -> Iterator[tuple[str, str]]:
    """Yield each module of a package with each module that it imports, anywhere in its code."""
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield module, node.module
                # ``from a import b`` may name a module, or a thing in one.
                for name in node.names:
                    if (ROOT / node.module.replace(".", "/") / f"{name.name}.py").is_file():
                        yield module, f"{node.module}.{name.name}"


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def test_the_dashboard_imports_of_ingest_only_what_is_allowed() -> None:
    found = [pair for pair in imports_of("dashboard") if is_in(pair[1], ("ingest",))]
    assert not [pair for pair in found if not is_in(pair[1], ALLOW)]


@pytest.mark.parametrize("allowed", ALLOW)
def test_nothing_is_allowed_that_is_not_used(allowed: str) -> None:
    assert any(is_in(imported, (allowed,)) for _, imported in imports_of("dashboard"))
