"""Sightline: search footage and photographs by sentence or by picture.

>>> import sightline
>>> with sightline.open("data") as workspace:                          # doctest: +SKIP
...     library = workspace.library("main")
...     library.ingest(["~/footage"], sightline.IngestOptions(keyframes="iframe"))
...     for hit in library.search("a white car", k=5):
...         print(hit.rank, round(hit.score, 3), hit.entity.camera, hit.entity.uri)

Importing it loads neither torch nor Milvus: every name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.options import IngestOptions
    from ingest.report import IngestReport
    from search_core.errors import (
        EncoderMismatch,
        EncoderUnavailable,
        EntityNotFound,
        FilterError,
        IndexParameterError,
        LibraryNotFound,
        MediaError,
        SettingsError,
        SightlineError,
        StoreBusy,
        StoreDamaged,
        StoreError,
        StoreReadOnly,
        StoreUnavailable,
        UsageError,
    )
    from search_core.indexes import SearchParams
    from search_core.schema.entity import MediaEntity
    from search_core.schema.filters import Filter
    from search_core.search.engine import Answer, Hit, Query
    from search_core.search.query_text.reader import Reading
    from sightline.library import Library
    from sightline.workspace import Workspace

#: Where the names below are; those that are not here are errors.
_HOMES = {
    "Answer": "search_core.search.engine",
    "Filter": "search_core.schema.filters",
    "Hit": "search_core.search.engine",
    "IngestOptions": "ingest.options",
    "IngestReport": "ingest.report",
    "Library": "sightline.library",
    "MediaEntity": "search_core.schema.entity",
    "Query": "search_core.search.engine",
    "Reading": "search_core.search.query_text.reader",
    "SearchParams": "search_core.indexes",
    "Workspace": "sightline.workspace",
}

__all__ = [
    "Answer",
    "EncoderMismatch",
    "EncoderUnavailable",
    "EntityNotFound",
    "Filter",
    "FilterError",
    "Hit",
    "IndexParameterError",
    "IngestOptions",
    "IngestReport",
    "Library",
    "LibraryNotFound",
    "MediaEntity",
    "MediaError",
    "Query",
    "Reading",
    "SearchParams",
    "SettingsError",
    "SightlineError",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreReadOnly",
    "StoreUnavailable",
    "UsageError",
    "Workspace",
    "open",
]

try:
    __version__ = version("sightline")
except PackageNotFoundError:  # run from a folder it was not installed from
    __version__ = "0"


def open(
    data_dir: str | Path | None = None,
    *,
    library: str | None = None,
    model: str | None = None,
    pretrained: str | None = None,
) -> Workspace:
    """Open a data directory; what is given here wins over environment and sightline.toml.

    ``library`` is the one that ``workspace.library()`` means, ``model`` and ``pretrained`` name
    the encoder. Nothing is read or loaded before it is needed. Raises SettingsError.
    """
    from search_core.settings import load_settings
    from sightline.workspace import Workspace

    return Workspace(
        load_settings(
            data_dir=None if data_dir is None else Path(data_dir),
            library=library,
            model=model,
            pretrained=pretrained,
        )
    )


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "search_core.errors")), name)


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))
