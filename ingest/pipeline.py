"""Ingest: find, decode, embed, write, and account for every source.

Decoding runs in an engine's processes, which may embed as well, or embedding runs here; writing in
a thread; see ``ingest``.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from datetime import datetime

from ingest.accounts import Accounts
from ingest.batches import Batches
from ingest.bulk_writer import BulkInsert, BulkWriter
from ingest.engines.local import LocalEngine
from ingest.engines.tasks import (
    Decoded,
    DecodeOptions,
    DecodeTask,
    Embedded,
    Engine,
    Event,
    Failed,
    Finished,
    Opened,
    Told,
)
from ingest.intake import KNOWN, Intake, Plan
from ingest.keyframes import parse_selector
from ingest.ledger import Ledger
from ingest.outages import PATIENCE_S, Outages
from ingest.outcomes import IngestReport, Progress, SourceOutcome
from ingest.recipes import recipe_of
from ingest.remote import RemoteFiles
from ingest.sources import Source, find_sources
from ingest.stopping import Interrupted
from ingest.writer import Ending, Store, Writer
from search_core.encoders.base import Encoder
from search_core.entities import TAG_MAX_LENGTH, TAGS_MAX_CAPACITY, ms_from_datetime
from search_core.errors import UsageError
from search_core.settings import Settings

#: A batch that is not full is embedded when nothing came for a while.
_QUIET_LOOKS = 5


def ingest(
    paths: Sequence[str],
    *,
    settings: Settings,
    store: Store,
    encoder: Encoder,
    library: str,
    camera: str | None = None,
    started_at: datetime | None = None,
    keyframes: str = "auto",
    tags: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    engine: Engine | None = None,
    bulk: BulkInsert | None = None,
    patience_s: float = PATIENCE_S,
) -> IngestReport:
    """Take files, folders, globs and zips into a library; what is in it already is left out.

    A source is done once Milvus has acknowledged its rows, which ``bulk`` writes many at a time
    where it is given. When ``should_stop`` returns True, or on Ctrl-C, what is not done stays
    pending and the report says interrupted. Bad files never raise: they are in the report, and in
    the ledger. A Milvus that is away is waited for, ``patience_s`` seconds; ``on_progress`` is told
    so by the thread that waits. Raises UsageError for options that cannot be, EncoderMismatch, and
    StoreError when Milvus fails or a disk is full.
    """
    selector = parse_selector(keyframes)
    options = DecodeOptions(
        selector=selector,
        encoder=encoder.identity,
        preprocess=encoder.preprocess,
        data_dir=settings.data_dir,
        thumbnail_px=settings.media.thumbnail_px,
        max_pixels=settings.media.max_pixels,
        max_animation_frames=settings.media.max_animation_frames,
    )
    plan = Plan(
        library=library,
        recipe=recipe_of(encoder.identity.digest, selector.recipe),
        camera=camera,
        given_ms=None if started_at is None else ms_from_datetime(started_at),
        uploads_dir=settings.uploads_dir,
        options=options,
    )
    run = _Run(plan, encoder, settings.encoder.batch_size, _checked(tags), on_progress)
    should_stop = should_stop or (lambda: False)
    outages = Outages(store.address, should_stop, run.wait, patience_s)
    began_s = time.monotonic()
    try:
        outages.outlast(lambda: store.ensure_library(library, encoder.identity))
        with Ledger(settings.ledger_path) as ledger:
            done = ledger.counts(library)["done"]
            if done and outages.outlast(lambda: store.count(library)) == 0:
                ledger.lose(library)  # it was made anew, here or in another Milvus
            remote = RemoteFiles(settings.remote)
            sources = list(find_sources(paths, settings.data_dir, remote))
            stop = threading.Event()
            with Intake(plan, ledger, stop.is_set, settings, remote) as intake:
                engine = engine or LocalEngine(settings.media.workers)
                writer = run.writer(store, ledger, outages, bulk)
                run.work_off(sources, writer, engine, intake, stop, should_stop)
        if run.wrote:
            outages.outlast(lambda: store.settle(library))
    except Interrupted:
        run.report.interrupted = True
    run.report.seconds = time.monotonic() - began_s
    return run.report


class _Run:
    """One ingest under way."""

    def __init__(
        self,
        plan: Plan,
        encoder: Encoder,
        batch_size: int,
        tags: tuple[str, ...],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.wrote = False
        self._plan = plan
        self._encoder = encoder
        self._batch_size = batch_size
        self._tags = tags
        self._accounts = Accounts(on_progress)
        self.report = self._accounts.report
        self.wait = self._accounts.wait

    def writer(
        self, store: Store, ledger: Ledger, outages: Outages, bulk: BulkInsert | None
    ) -> Writer:
        """Return what writes the rows: one upsert after the other, or in bulk."""
        place = (store, ledger, self._plan.library, self._plan.recipe)
        return BulkWriter(*place, bulk, outages) if bulk else Writer(*place, outages)

    def work_off(
        self,
        sources: list[Source | SourceOutcome],
        writer: Writer,
        engine: Engine,
        intake: Intake,
        stop: threading.Event,
        should_stop: Callable[[], bool],
    ) -> None:
        """Take in all sources, or those until it is to stop; then ``stop`` is set."""
        self._accounts.sources_total = len(sources)
        batches = Batches(
            self._encoder,
            self._batch_size,
            self._plan.options.selector.least_distance,
            self._tags,
            self._plan.options.data_dir,
            writer,
        )
        try:
            with writer:
                told = engine.decode(intake.prepare(iter(sources)))
                try:
                    self._follow(told, batches, writer, should_stop)
                finally:
                    stop.set()
                    told.close()
        except (KeyboardInterrupt, Interrupted):
            self.report.interrupted = True
        self._accounts.settle(writer)
        self.report.stages["embed"] = batches.seconds
        self.report.stages["write"] = writer.seconds
        self.wrote = writer.rows > 0

    def _follow(
        self,
        told: Generator[Told, None, None],
        batches: Batches,
        writer: Writer,
        should_stop: Callable[[], bool],
    ) -> None:
        quiet = 0
        while True:
            if should_stop():
                self.report.interrupted = True
                return
            began_s = time.monotonic()
            try:
                news = next(told)
            except StopIteration:
                break
            finally:
                self.report.stages["decode"] += time.monotonic() - began_s
            if news is not None:
                quiet = 0
                self._take(news, batches)
            elif (quiet := quiet + 1) == _QUIET_LOOKS:
                batches.flush()
            self._accounts.keyframes = batches.keyframes
            self._accounts.settle(writer)
        batches.flush()
        self._accounts.keyframes = batches.keyframes

    def _take(self, news: tuple[DecodeTask, Event] | SourceOutcome, batches: Batches) -> None:
        if isinstance(news, SourceOutcome):
            if news.reason == KNOWN:
                self._accounts.finish(news)  # its row in the ledger says done, and stays
            else:
                batches.end(Ending(_id_of_uri(news.uri), news))
            return
        task, event = news
        match event:
            case Opened():
                batches.open(task.source_id, event)
            case Decoded() | Embedded():
                batches.add(task, event)
                self._accounts.keyframes = batches.keyframes
                self._accounts.tell(task.uri)
            case Finished(warning, left_out):
                task.let_go(batches.came_of(task.source_id))
                outcome = SourceOutcome(task.uri, "done", warning=warning, left_out=left_out)
                batches.end(Ending(task.source_id, outcome))
            case Failed(stage, reason):
                task.let_go(batches.came_of(task.source_id))
                batches.end(
                    Ending(task.source_id, SourceOutcome(task.uri, "failed", reason, stage))
                )


def _id_of_uri(uri: str) -> str:
    """Return the ledger's key for a source whose content could not be read."""
    digest = hashlib.blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=16)
    return f"uri-{digest.hexdigest()}"


def _checked(tags: Sequence[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(unique) > TAGS_MAX_CAPACITY:
        raise UsageError(f"{len(unique)} tags are more than the {TAGS_MAX_CAPACITY} there can be.")
    for tag in unique:
        if len(tag.encode()) > TAG_MAX_LENGTH:
            raise UsageError(f"The tag {tag[:20]!r}… is longer than {TAG_MAX_LENGTH} bytes.")
    return unique
