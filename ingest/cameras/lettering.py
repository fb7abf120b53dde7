"""Lettering read on what cameras and watched folders gave, when there is room for it.

One process of the least priority reads a few keyframes at a time, so that nothing that is watched
waits for it. What it does not get to stays unread: `sightline library read` reads it as well.
"""

from __future__ import annotations

import logging
import threading
import time

from ingest.ledger import Ledger
from ingest.media.lettering.reader import what_is_missing
from ingest.rows.lettering import Background, read_lettering
from search_core.errors import SightlineError, in_words
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store
from search_core.system.machine import available_memory_bytes

_LOOK_EVERY_S = 2.0
#: Some ten seconds' work; and so many that cannot be read are passed over before it ends.
_AT_ONCE, _MOST_UNREADABLE = 32, 2_000
#: A process that has nothing to read is kept for as long: loading its models takes a second.
_KEPT_S = 60.0
_LEAST_MEMORY_BYTES = 2 << 30

_log = logging.getLogger(__name__)


class LiveReading:
    """Reads libraries of which it was noted that something was written; :meth:`read_on` does it."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._noted: set[str] = set()
        self._unreadable: dict[str, set[str]] = {}

    def note(self, library: str) -> None:
        """Note that a library has keyframes that may be unread; from any thread."""
        self._noted.add(library)

    def read_on(self, over: threading.Event) -> None:
        """Read until ``over`` is set, now and then; what fails is logged."""
        if self._settings.media.read == "off" or what_is_missing():
            return
        backgrounds: dict[str, Background] = {}
        kept_until_s = 0.0
        try:
            while not over.wait(_LOOK_EVERY_S):
                for library in sorted(self._noted):
                    background = backgrounds.setdefault(library, Background())
                    if self._has_room() and self._read_some(library, background, over):
                        kept_until_s = time.monotonic() + _KEPT_S
                if time.monotonic() > kept_until_s:
                    for background in backgrounds.values():
                        background.close()
        finally:
            for background in backgrounds.values():
                background.close()

    def _has_room(self) -> bool:
        memory = available_memory_bytes()
        return memory is None or memory > _LEAST_MEMORY_BYTES

    def _read_some(self, library: str, background: Background, over: threading.Event) -> bool:
        """Read a few keyframes of a library; return whether there were any."""
        self._noted.discard(library)  # what is written from now on is noted anew
        unreadable = self._unreadable.setdefault(library, set())
        try:
            if not self._store.library(library).keeps_lettering:
                return False
            found = self._store.entities(
                library, Filter(is_unread=True), limit=_AT_ONCE + len(unreadable)
            )
            ids = [entity.id for entity in found if entity.id not in unreadable][:_AT_ONCE]
            if not ids or len(unreadable) > _MOST_UNREADABLE:
                return False
            with Ledger(self._settings.ledger_path) as ledger:
                report = read_lettering(
                    self._settings,
                    self._store,
                    ledger,
                    library,
                    Filter(ids=tuple(ids)),
                    should_stop=over.is_set,
                    background=background,
                )
        except (SightlineError, OSError) as error:
            _log.warning("lettering of %s: %s", library, in_words(error))
            return False
        background.count(report.keyframes)
        for uri, reason in report.reasons.items():
            _log.warning("lettering: %s %s", uri, reason)
        if report.failed:
            left = self._store.entities(
                library, Filter(ids=tuple(ids), is_unread=True), limit=len(ids)
            )
            unreadable.update(entity.id for entity in left)
        self._noted.add(library)  # there may be more
        return True
