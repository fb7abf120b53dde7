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

from search_core.errors import (
    EncoderUnavailable,
    LibraryNotFound,
    SettingsError,
    StoreDamaged,
    StoreError,
)
from search_core.settings import AUTO_MODEL, Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.lite.layout import read_only

if TYPE_CHECKING:
    from ingest.evidence.bundle import Written
    from ingest.evidence.cases import Cases
    from ingest.jobs.client import Jobs
    from ingest.ledger import Ledger
    from search_core.encoders.base import Encoder, EncoderIdentity
    from search_core.encoders.catalogue import EncoderSpec
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

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""
        ...

    def agree(self, question: str) -> bool:
        """Ask whether something may be done."""
        ...

    def downloading(self, what: str) -> AbstractContextManager[Callable[[int, int | None], None]]:
        """Show how far a download is; what it yields gets the bytes that are done, and all."""
        ...


class Silent:
    """Discards messages."""

    def note(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show nothing."""
        yield lambda text: None

    @property
    def can_ask(self) -> bool:
        """Nobody is asked."""
        return False

    def agree(self, question: str) -> bool:
        """Agree to nothing."""
        return False

    @contextmanager
    def downloading(self, what: str) -> Iterator[Callable[[int, int | None], None]]:
        """Show nothing."""
        yield lambda done, total: None


def announced(spec: EncoderSpec) -> str:
    """Return an encoder with all that is to be known before it is downloaded."""
    from search_core.encoders.hub import hub_address

    use = "" if spec.commercial else ", no commercial use"
    megabytes = f"{spec.weights_bytes / 1e6:,.0f} MB"
    return f"{spec.label} ({megabytes}, licence {spec.licence}{use}, from {hub_address(spec)})"


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
        self._has_declined = self._has_said_why = False

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

    def encoder(
        self,
        model: str | None = None,
        pretrained: str | None = None,
        *,
        library: str | None = None,
    ) -> Encoder:
        """Return the encoder of that name; without one that of a library; each is loaded once.

        The settings may name the encoder of all libraries. Where they do not, a library has the
        one that made its vectors, and a new one gets what :meth:`encoder_of_new_library` chooses.
        ``library`` is that of the settings if not given. Raises EncoderUnavailable when the model
        is unknown or its weights cannot be had.
        """
        if model is None:
            model, pretrained = self.encoder_name(library)
        name = (model, pretrained)
        with self._loading:
            if name not in self._encoders:
                self._fetch_named(model, pretrained)
                with self._messages.status(f"Loading the encoder {model} …"):
                    from search_core.encoders.loading import load_encoder

                    named = {"model": model, "pretrained": pretrained}
                    self._encoders[name] = load_encoder(self.settings.model_copy(update=named))
            return self._encoders[name]

    def encoder_name(self, library: str | None = None) -> tuple[str, str | None]:
        """Return the model and the weights that :meth:`encoder` loads for a library."""
        settings = self.settings
        library = library or settings.library
        if settings.model != AUTO_MODEL:
            return settings.model, settings.pretrained
        if settings.pretrained:
            raise SettingsError(
                "The weights {pretrained} are given without the model they are of.",
                "Name it with --model.",
                pretrained=settings.pretrained,
            )
        made_by = self._identity_of(library)
        if made_by is None:
            spec = self.encoder_of_new_library()
            return spec.name, spec.pretrained or None
        if Path(made_by.pretrained).suffix:
            raise EncoderUnavailable(
                "The library {library} was made with the weights {file}; where they are is not "
                "known.",
                "Give their path: --model {model} --pretrained /path/to/{file}.",
                library=library,
                file=made_by.pretrained,
                model=made_by.name,
            )
        return made_by.name, made_by.pretrained or None

    def encoder_for_footage(self) -> EncoderSpec:
        """Return the encoder recommended for footage on this machine; it is there then.

        It is downloaded if that is allowed: see the setting ``encoder.download``. Raises
        EncoderUnavailable where no recommended one is there and none may be downloaded.
        """
        found = self._encoder_for_footage()
        if found is None:
            from search_core.encoders.choice import for_this_machine

            raise EncoderUnavailable(
                "The encoder for real footage, {name}, is not on this machine.",
                "`sightline models download` gets it; --model names another.",
                name=announced(for_this_machine()[0]),
            )
        return found

    def encoder_of_new_library(self) -> EncoderSpec:
        """Return what a new library gets: the encoder for footage, else the demo encoder.

        Which, and why, is said. Raises EncoderUnavailable where a download fails midway.
        """
        found = self._encoder_for_footage()
        if found is None:
            from search_core.encoders.choice import demo_encoder, for_this_machine

            found = demo_encoder()
            if not self._has_said_why:
                self._messages.note(
                    f"The encoder for real footage, {announced(for_this_machine()[0])}, is not on "
                    f"this machine. New libraries get {found.name}, which knows the drawn sample "
                    "footage only. `sightline models download` gets the other."
                )
            self._has_said_why = True
        return found

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

    def relevance(self, library: str | None = None) -> Relevance:
        """Return what tells matches from what is only the least unlike, which searches share.

        It is that of a library's encoder, as :meth:`encoder` has it.
        """
        from search_core.search.match_strength import Relevance

        encoder = self.encoder(library=library)
        name = f"relevance {encoder.identity.digest}"
        return self._once(name, lambda: Relevance(encoder, self.store()))

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

    def _identity_of(self, library: str) -> EncoderIdentity | None:
        """Return the encoder that made a library's vectors, None without a library."""
        if self.is_untouched:
            return None
        try:
            return self.store().library(library).encoder
        except LibraryNotFound:
            return None

    def _fetch_named(self, model: str, pretrained: str | None) -> None:
        """Download weights that a name asks for, where the catalogue knows what they are."""
        from search_core.encoders.catalogue import find_encoder
        from search_core.encoders.hub import is_here

        spec = find_encoder(model, pretrained) if pretrained else find_encoder(model)
        if spec is None or spec.package or spec.missing_extra or is_here(spec):
            return
        if self.settings.encoder.download == "never":
            raise EncoderUnavailable(
                "The weights of {name} are not on this machine, and may not be downloaded.",
                "`sightline models download {model}` gets them; SIGHTLINE_ENCODER_DOWNLOAD=ask "
                "allows it again.",
                name=spec.label,
                model=model,
            )
        self._download(spec)

    def _encoder_for_footage(self) -> EncoderSpec | None:
        """Return the best one that is there, or may be downloaded now; None without any."""
        from search_core.encoders.choice import for_this_machine, here_for_footage
        from search_core.encoders.hub import is_here

        best = for_this_machine()[0]
        if not is_here(best) and self._may_download(best):
            self._download(best)
        return here_for_footage()

    def _may_download(self, spec: EncoderSpec) -> bool:
        """Whether weights nobody asked for by name may be downloaded now."""
        from search_core.encoders.hub import hub_answers

        policy = self.settings.encoder.download
        can_ask = self._messages.can_ask and not self._has_declined
        if policy == "never" or not (policy == "yes" or can_ask) or not hub_answers():
            return False
        agreed = policy == "yes" or self._messages.agree(
            f"Search of real footage needs the encoder {announced(spec)}. Download it now?"
        )
        self._has_declined = not agreed
        return agreed

    def _download(self, spec: EncoderSpec) -> None:
        from search_core.encoders.hub import download, require_hub

        require_hub(spec)
        self._messages.note(f"Downloading {announced(spec)}.")
        with self._messages.downloading(spec.name) as on_progress:
            download(spec, on_progress)

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
