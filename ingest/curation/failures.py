"""Failures as they are now: without files that are gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ingest.ledger import Ledger, LedgerRow
from ingest.sources.discovery import file_of
from ingest.sources.media_locator import Whereabouts
from search_core.schema.entity import is_address
from search_core.settings import Settings


def present(settings: Settings, ledger: Ledger, rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Return the rows of failed or skipped files that are still there, or may be.

    What lies at an address is not looked for, and what lies on a file system that is away counts.
    """
    places = Whereabouts(settings, ledger)
    return [row for row in rows if _is_present(row, places)]


def _is_present(row: LedgerRow, places: Whereabouts) -> bool:
    if is_address(row.uri):
        return True
    path = Path(file_of(row.uri))
    if path.is_dir():  # a folder fails where it cannot be listed
        return not os.access(path, os.R_OK | os.X_OK)
    return places.look(str(path))[0] != "gone"
