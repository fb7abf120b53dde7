"""The workspace: the one place where store, encoder, ledger, query log and jobs are opened.

The command, the dashboard, the worker, the cameras and Python programs open one and hand its parts
down; nothing below opens anything by itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from search_core.errors import LibraryNotFound, StoreDamaged, StoreError
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.lite.layout import read_only

if TYPE_CHECKING:
    from ingest.evidence.bundle import Written
    from ingest.evidence.cases import Cases
    from ingest.jobs.client import Jobs
    from ingest.ledger import Ledger
    from search_core.encoders.base import Encoder
    from search_core.search.filtered_search import Selectivities
    from search_core.search.match_strength import Relevance
    from search_core.search.query_log import QueryLog
    from search_core.search.saved_searches import SavedSearches
    from search_core.store.library import LibraryInfo
    from search_core.store.milvus.bulk_insert import BulkStorage
    from search_core.store.milvus.store import MilvusStore
    from sightline.library import Library

Part = TypeVar("Part")


class Messages(Protocol):
    """Where a workspace says what it does meanwhile."""

    def note(self, text: str) -> None:
        """Say something beside the answer."""
        ...

    def status(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Show what is being done as long as it takes; what it yields changes the text."""
        ...


class Silent:
    """Discards messages."""

    def note(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show nothing."""
        yield lambda text: None


class Workspace:
    """What the settings of one data directory open; a context manager that closes all of it.

    Nothing is opened before it is asked for, and each part only once. Safe to share between
    threads. See :func:`sightline.open`.
    """

    def __init__(self, settings: Settings, messages: Messages | None = None) -> None:
        self.settings = settings
        self._messages = messages or Silent()
        self._lock = threading.RLock()
        self._loading = threading.RLock()  # its own: pages need the store while an encoder loads
        self._opened = ExitStack()
        self._store: MilvusStore | None = None
        self._encoders: dict[tuple[str, str | None], Encoder] = {}
        self._parts: dict[str, Any] = {}

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, LibraryNotFound) and (lost := self._lost_library()):
            raise lost from None

    def close(self) -> None:
        """Close whatever was opened, the last first."""
        with self._lock:
            self._opened.close()
            self._store = None
            self._parts.clear()

    @property
    def is_untouched(self) -> bool:
        """Whether this is an embedded Milvus that nothing has been put into yet."""
        uri = resolve_endpoint(self.settings).uri
        return "://" not in uri and not Path(uri).exists()

    def require_writable(self) -> None:
        """Raise StoreReadOnly where this user cannot write to the data directory."""
        folder = self.settings.data_dir
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(existing, os.W_OK):
            raise read_only(folder)

    def store(self, *, create: bool = False) -> MilvusStore:
        """Return the store; what killed processes left in it is removed when it is opened.

        To ``create`` it is to write to it. Raises StoreReadOnly where that cannot be,
        LibraryNotFound where an embedded Milvus does not exist and is not to be created, and
        StoreError.
        """
        if create:
            self.require_writable()
        with self._lock:
            if self._store is None:
                if not create and self.is_untouched:
                    raise self._lost_library() or LibraryNotFound(
                        "Nothing has been ingested into {data_dir} yet.",
                        "`sightline ingest PATH` puts footage and photographs into it; "
                        "--data-dir chooses another folder.",
                        data_dir=self.settings.data_dir,
                    )
                from search_core.store.milvus.store import MilvusStore

                store = MilvusStore(resolve_endpoint(self.settings))
                self._opened.callback(store.close)
                store.tidy()
                self._probe_once(store)
                self._store = store
            return self._store

    def encoder(self, model: str | None = None, pretrained: str | None = None) -> Encoder:
        """Return the encoder that the settings name, or another; it is loaded once.

        Raises EncoderUnavailable when the model is unknown or its weights cannot be had.
        """
        settings = self.settings
        if model is not None:
            settings = settings.model_copy(update={"model": model, "pretrained": pretrained})
        name = (settings.model, settings.pretrained)
        with self._loading:
            if name not in self._encoders:
                with self._messages.status(f"Loading the encoder {settings.model} …"):
                    from search_core.encoders.loading import load_encoder

                    self._encoders[name] = load_encoder(settings)
            return self._encoders[name]

    def ledger(self) -> Ledger:
        """Return the ledger of what was ingested."""
        from ingest.ledger import Ledger

        path = self.settings.ledger_path
        return self._once("ledger", lambda: self._opened.enter_context(Ledger(path)))

    def jobs(self) -> Jobs:
        """Return the queue of jobs; raises QueueUnavailable."""
        from ingest.jobs.client import Jobs

        return self._once("jobs", lambda: self._opened.enter_context(closing(Jobs(self.settings))))

    def cases(self) -> Cases:
        """Return the cases that evidence is collected in."""
        from ingest.evidence.cases import Cases

        path = self.settings.cases_path
        return self._once("cases", lambda: self._opened.enter_context(Cases(path)))

    def export_case(
        self,
        name: str,
        target: str | Path,
        *,
        by: str = "",
        zone: tzinfo | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Written:
        """Write a case into one zip with everything that proves it; times are shown in ``zone``.

        ``by`` is who exports it. See :func:`ingest.evidence.verification.verify_bundle`. Raises
        CaseNotFound, UsageError where it cannot be written, and DiskFull.
        """
        from ingest.evidence.bundle import BundleWriter, case_bundle
        from search_core.access.audit_log import AuditLog

        shown_in = zone or datetime.now().astimezone().tzinfo or UTC
        writer = BundleWriter(
            self.settings, self.ledger(), should_stop=should_stop, on_progress=on_progress
        )
        with closing(AuditLog(self.settings.audit_path)) as log:
            bundle = case_bundle(self.cases().get(name), shown_in, by, log)
            return writer.save(bundle, Path(target))

    def query_log(self) -> QueryLog:
        """Return where searches are recorded."""
        from search_core.search.query_log import QueryLog

        path = self.settings.searches_path
        return self._once("log", lambda: self._opened.enter_context(closing(QueryLog(path))))

    def saved_searches(self) -> SavedSearches:
        """Return the searches that were saved by name."""
        from search_core.search.saved_searches import SavedSearches

        path = self.settings.saved_searches_path
        return self._once("saved", lambda: self._opened.enter_context(closing(SavedSearches(path))))

    def selectivities(self) -> Selectivities:
        """Return what tells how many rows pass a filter, which all searches share."""
        from search_core.search.filtered_search import Selectivities

        return self._once("selectivities", lambda: Selectivities(self.store()))

    def relevance(self) -> Relevance:
        """Return what tells matches from what is only the least unlike, which searches share."""
        from search_core.search.match_strength import Relevance

        encoder = self.encoder()
        return self._once("relevance", lambda: Relevance(encoder, self.store()))

    def bulk_storage(self) -> BulkStorage:
        """Return where files for a bulk insert are left; refuses an embedded Milvus."""
        from search_core.store.milvus.bulk_insert import bulk_storage, no_bulk_insert

        if resolve_endpoint(self.settings).embedded:
            raise no_bulk_insert()
        return bulk_storage(self.settings)

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name; none where nothing was ingested yet."""
        return [] if self.is_untouched else self.store().libraries()

    def library(self, name: str | None = None) -> Library:
        """Return one library's handle, by default that of the settings; it need not exist yet."""
        from sightline.library import Library

        return Library(self, name or self.settings.library)

    # Within

    def _once(self, name: str, make: Callable[[], Part]) -> Part:
        """Return a part of the workspace, which is made once."""
        with self._lock:
            if name not in self._parts:
                self._parts[name] = make()
            return cast(Part, self._parts[name])

    def _probe_once(self, store: MilvusStore) -> None:
        """Try a server that this data directory has not seen, and say what does not work."""
        if isinstance(self._messages, Silent):
            return
        found = None
        with suppress(StoreError), self._messages.status("") as update:
            found = store.probe_once(lambda name: update(f"First use of this Milvus: {name} …"))
        if found is None or not found.failed:
            return
        for finding in found.failed:
            self._messages.note(f"{found.server}: {finding.name} does not work: {finding.found}")
        self._messages.note("`sightline doctor --probe` tries all that Sightline needs.")

    def _lost_library(self) -> StoreDamaged | None:
        """Return the error for a library that Milvus lacks and must hold by the ledger."""
        settings = self.settings
        if not settings.ledger_path.exists():
            return None
        from ingest.curation.verification import expected_keyframes
        from ingest.ledger import Ledger

        with Ledger(settings.ledger_path) as ledger:
            if settings.library not in ledger.libraries():
                return None
            expected = expected_keyframes(ledger, settings.library)
        sources = sum(keyframes > 0 for keyframes, _ in expected.values())
        return StoreDamaged(
            "The library {name} is not in Milvus any more: {count:,} sources were taken into it.",
            "`sightline verify` lists them; `sightline verify --repair` takes them in again.",
            name=settings.library,
            count=sources,
        )
