"""Ingest: find, decode, embed, write, and account for every source.

Decoding runs in an engine's processes, which may embed as well, or embedding runs here; writing in
a thread; see ``ingest``.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath

from ingest.engines.base import (
    Decoded,
    DecodeTask,
    Embedded,
    Engine,
    Event,
    Failed,
    Finished,
    LocalEngine,
    Opened,
    Told,
)
from ingest.estimate.sequence import starts_in_sequence
from ingest.intake import KNOWN, Intake, Plan
from ingest.ledger import Ledger
from ingest.media.lettering.reader import what_is_missing
from ingest.media.regions.registry import AUTO, OFF
from ingest.options import EVERYTHING_USUAL, IngestOptions, checked_tags
from ingest.report import IngestReport, Progress, ReadReport, SourceOutcome
from ingest.rows.embedding import Batches, Segments, folds
from ingest.rows.lettering import read_lettering
from ingest.rows.replacement import KEPT, Replacement
from ingest.rows.writer import PATIENCE_S, BulkInsert, BulkWriter, Ending, Outages, Writer
from ingest.sources.discovery import NO_SUCH_FILE, Source, find_sources, place_of
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Encoder
from search_core.messages import Message, joined
from search_core.schema.entity import KIND_FIELD
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, require_regions
from search_core.system.cancellation import Interrupted


class Accounts:
    """Counts sources as they are finished, and tells of it; ``keyframes`` is set from outside."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self.report = IngestReport(stages={"decode": 0.0, "embed": 0.0, "write": 0.0})
        self.sources_total = 0
        self.keyframes = 0
        self._on_progress = on_progress
        self._settled = 0
        self._uri = self._waiting = ""

    def settle(self, writer: Writer) -> None:
        """Count the sources whose rows were written since the last time."""
        for outcome in writer.settled(self._settled):
            self._settled += 1
            self.finish(outcome)

    def finish(self, outcome: SourceOutcome) -> None:
        """Count one source."""
        report = self.report
        report.outcomes.append(outcome)
        if outcome.status == "done":
            report.done += 1
            report.keyframes += outcome.keyframes
            report.left_out += outcome.left_out
            if outcome.captured_from is not None:
                report.captured_from[outcome.captured_from] += 1
        elif outcome.status == "skipped":
            report.skipped += 1
        else:
            report.failed += 1
        self.tell(outcome.uri)

    def leave_out(self, uris: Iterable[str]) -> None:
        """Count keyframes, named by the sources they are of, as left out after all."""
        repeated = Counter(uris)
        self.report.keyframes -= repeated.total()
        self.report.left_out += repeated.total()
        self.report.outcomes[:] = [
            replace(
                outcome,
                keyframes=outcome.keyframes - repeated[outcome.uri],
                left_out=outcome.left_out + repeated[outcome.uri],
            )
            if outcome.status == "done" and repeated[outcome.uri]
            else outcome
            for outcome in self.report.outcomes
        ]

    def date(self, read: ReadReport) -> None:
        """Count sources by the clocks burned into them, and note where those contradict."""
        dated = set(read.dated)
        for outcome in self.report.outcomes:
            if outcome.uri in dated and outcome.captured_from is not None:
                self.report.captured_from[outcome.captured_from] -= 1
                self.report.captured_from["overlay"] += 1
        self.report.outcomes[:] = [
            replace(
                outcome,
                captured_from="overlay" if outcome.uri in dated else outcome.captured_from,
                warning=joined(outcome.warning, read.time_warnings.get(outcome.uri, "")),
                time_warning=joined(outcome.time_warning, read.time_warnings.get(outcome.uri, "")),
            )
            if outcome.uri in dated or outcome.uri in read.time_warnings
            else outcome
            for outcome in self.report.outcomes
        ]

    def wait(self, text: str) -> None:
        """Tell that Milvus is waited for; an empty text says that it answers again."""
        self._waiting = text
        self.tell(self._uri)

    def tell(self, uri: str) -> None:
        """Tell how far the ingest is, now that it heard of a source."""
        self._uri = uri
        self._tell(PurePath(uri).name)

    def tell_read(self, done: int, total: int, current: str) -> None:
        """Tell on how many keyframes of how many lettering has been read."""
        self._tell(Message("reading lettering, {done:,} of {total:,}", done=done, total=total))

    def _tell(self, current: str) -> None:
        if self._on_progress is None:
            return
        report = self.report
        self._on_progress(
            Progress(
                sources_total=self.sources_total,
                sources_finished=len(report.outcomes),
                keyframes=self.keyframes,
                current=current,
                done=report.done,
                skipped=report.skipped,
                failed=report.failed,
                waiting=self._waiting,
            )
        )


#: A batch that is not full is embedded when nothing came for a while.
_QUIET_LOOKS = 5
_DELETED_AT_ONCE = 1000
_READ_AT_ONCE = 1000


def ingest(
    paths: Sequence[str],
    asked: IngestOptions = EVERYTHING_USUAL,
    *,
    settings: Settings,
    store: Store,
    encoder: Encoder,
    library: str,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    engine: Engine | None = None,
    bulk: BulkInsert | None = None,
    patience_s: float = PATIENCE_S,
    watched: bool = False,
    anew: frozenset[str] = frozenset(),
) -> IngestReport:
    """Take files, folders, globs and zips into a library; what is in it already is left out.

    A source is done once Milvus has acknowledged its rows, which ``bulk`` writes many at a time
    where it is given. Last, lettering is read on the keyframes (see IngestOptions.read). When
    ``should_stop`` returns True, or on Ctrl-C, what is not done stays pending and the report says
    interrupted. Bad files never raise: they are in the report, and in the ledger. A Milvus that is
    away is waited for, ``patience_s`` seconds; ``on_progress`` is told so by the thread that waits.
    With ``watched``, ``paths`` are files found in a watched folder, and lettering is left to who
    watches it. ``anew`` are sources (content
    hashes) that are taken in again although they are done. Raises UsageError for options that
    cannot be, EncoderMismatch, and StoreError when Milvus fails or a disk is full.
    """
    asked = asked.spelled()
    if (proposer := asked.proposer) is not None:
        proposer.check()
    plan = Plan.of(paths, asked, settings, encoder, library, anew)
    remote = RemoteFiles(settings.remote)
    sources = list(find_sources(paths, settings.data_dir, remote, watched=watched))
    if asked.started_at is not None:
        starts_ms = starts_in_sequence(sources, plan, asked.started_at, settings, remote)
        plan = replace(plan, starts_ms=starts_ms)
    asked = replace(asked, tags=checked_tags(asked.tags))
    accounts = Accounts(on_progress)
    should_stop = should_stop or (lambda: False)
    outages = Outages(store.address, should_stop, accounts.wait, patience_s)
    began_s = time.monotonic()
    try:
        info = outages.outlast(lambda: store.ensure_library(library, encoder.identity))
        if asked.regions == AUTO and KIND_FIELD not in info.fields:  # an older library
            asked = replace(asked, regions=OFF)
            whole = Plan.of(paths, asked, settings, encoder, library, anew)
            plan = replace(whole, starts_ms=plan.starts_ms)
        if plan.options.regions is not None:
            require_regions(info)
        with Ledger(settings.ledger_path) as ledger:
            done = ledger.counts(library)["done"]
            if done and outages.outlast(lambda: store.count(library)) == 0:
                ledger.lose(library)  # it was made anew, here or in another Milvus
            run = _Run(plan, asked, settings, store, encoder, ledger, accounts, outages, bulk)
            stop = threading.Event()
            with Intake(plan, ledger, stop.is_set, settings, remote) as intake:
                engine = engine or LocalEngine(settings.media.workers)
                run.work_off(sources, engine, intake, stop, should_stop)
            if run.wrote:
                outages.outlast(lambda: store.settle(library))
                run.leave_out_repeated()
            accounts.report.seconds = time.monotonic() - began_s
            if not (accounts.report.interrupted or watched):
                run.read(should_stop)
    except Interrupted:
        accounts.report.interrupted = True
    accounts.report.seconds = accounts.report.seconds or time.monotonic() - began_s
    return accounts.report


class _Run:
    """One ingest under way."""

    def __init__(
        self,
        plan: Plan,
        asked: IngestOptions,
        settings: Settings,
        store: Store,
        encoder: Encoder,
        ledger: Ledger,
        accounts: Accounts,
        outages: Outages,
        bulk: BulkInsert | None,
    ) -> None:
        self.report = accounts.report
        self._plan = plan
        self._asked = asked
        self._store = store
        self._ledger = ledger
        self._accounts = accounts
        self._outages = outages
        self._duplicates = _Duplicates()
        #: Sources that the library holds already, and a note about that.
        self._held: dict[str, str] = {}
        library, options = plan.library, self._options_of
        self._replacement = Replacement(settings, store, ledger, library, options, outages)
        place, withdraw = (store, ledger, library, plan.recipe), self._replacement.withdraw
        self._writer = (
            BulkWriter(*place, bulk, outages, options=options, withdraw=withdraw)
            if bulk
            else Writer(*place, outages, options=options, withdraw=withdraw)
        )
        self._settings = settings
        #: Those that the library holds now, and may have to be read.
        self._present: set[str] = set()
        self._segments = Segments(settings.data_dir)
        self._batches = Batches(
            encoder,
            settings.encoder.batch_size,
            plan.options.selector.least_distance,
            asked.tags,
            settings.data_dir,
            self._writer,
            self._segments,
        )

    @property
    def wrote(self) -> bool:
        """Whether any row was written."""
        return self._writer.rows > 0

    def _options_of(self, uri: str) -> str:
        """Return the options that a source is taken in with, as the ledger keeps them."""
        given_ms = self._plan.starts_ms.get(uri)
        started_at = None if given_ms is None else datetime.fromtimestamp(given_ms / 1000, UTC)
        alone = place_of(uri) in self._plan.naming.alone
        return replace(self._asked, started_at=started_at, alone=alone).to_text()

    def work_off(
        self,
        sources: list[Source | SourceOutcome],
        engine: Engine,
        intake: Intake,
        stop: threading.Event,
        should_stop: Callable[[], bool],
    ) -> None:
        """Take in all sources, or those until it is to stop; then ``stop`` is set.

        Duplicates of what failed come after all others. What the paths gave before is removed.
        """
        by_uri = {source.uri: source for source in sources}
        self._accounts.sources_total = len(sources)
        try:
            with self._writer:
                while sources:
                    told, complete = engine.decode(intake.prepare(iter(sources))), False
                    try:
                        complete = self._follow(told, should_stop)
                    finally:
                        if not complete:
                            stop.set()
                        told.close()
                    sources = [by_uri[uri] for uri in self._again(intake)] if complete else []
        except (KeyboardInterrupt, Interrupted):
            self.report.interrupted = True
        self._accounts.settle(self._writer)
        self.report.stages["embed"] = self._batches.seconds
        self.report.stages["write"] = self._writer.seconds
        self._replacement.finish()
        self.report.replaced = self._replacement.removed

    def leave_out_repeated(self) -> None:
        """Remove keyframes that repeat those of the files before (see Segments)."""
        if not folds(self._plan.options.selector):
            return
        store, ledger, outages = self._store, self._ledger, self._outages
        library, recipe = self._plan.library, self._plan.recipe
        repeated = outages.outlast(lambda: self._segments.repeated(store, library))
        for entity in repeated:  # first: a row too many does no harm, one too few does
            ledger.leave_out(library, entity.source_id, recipe)
        for start in range(0, len(repeated), _DELETED_AT_ONCE):
            part = repeated[start : start + _DELETED_AT_ONCE]
            where = Filter(ids=tuple(entity.id for entity in part))
            outages.outlast(partial(store.delete, library, where))
        for entity in repeated:
            if not ledger.is_elsewhere(library, entity.source_id, recipe):
                (self._plan.options.data_dir / entity.thumbnail).unlink(missing_ok=True)
        self._accounts.leave_out(entity.uri for entity in repeated)

    def read(self, should_stop: Callable[[], bool]) -> None:
        """Read lettering on the keyframes of these sources that was not read yet.

        An ingest that was ended while it read goes on so when it is run again.
        """
        report, library = self.report, self._plan.library
        if "off" in (self._asked.read, self._settings.media.read) or not self._present:
            return
        report.unread = what_is_missing()
        if report.unread or not self._store.library(library).keeps_lettering:
            return
        report.read = ReadReport()
        sources = sorted(self._present)
        for start in range(0, len(sources), _READ_AT_ONCE):
            part = partial(
                read_lettering,
                self._settings,
                self._store,
                self._ledger,
                library,
                Filter(source_ids=tuple(sources[start : start + _READ_AT_ONCE])),
                on_progress=self._accounts.tell_read,
                should_stop=should_stop,
            )
            report.read.add(self._outages.outlast(part))
            if report.read.interrupted:
                break
        self._accounts.date(report.read)
        if report.read.interrupted:
            raise Interrupted

    def _follow(self, told: Generator[Told, None, None], should_stop: Callable[[], bool]) -> bool:
        """Take what the engine tells; return whether that was all of it."""
        quiet = 0
        while True:
            if should_stop():
                self.report.interrupted = True
                return False
            began_s = time.monotonic()
            try:
                news = next(told)
            except StopIteration:
                break
            finally:
                self.report.stages["decode"] += time.monotonic() - began_s
            if news is not None:
                quiet = 0
                self._take(news)
            elif (quiet := quiet + 1) == _QUIET_LOOKS:
                self._batches.flush()
            self._accounts.keyframes = self._batches.keyframes
            self._accounts.settle(self._writer)
        self._batches.flush()
        self._accounts.keyframes = self._batches.keyframes
        return True

    def _again(self, intake: Intake) -> list[str]:
        """Return the duplicates to take in themselves, and let the intake pass them."""
        again, self._duplicates.again = self._duplicates.again, []
        for item in again:
            intake.try_again(item.source_id)
        return [item.uri for item in again]

    def _take(self, news: tuple[DecodeTask, Event] | SourceOutcome) -> None:
        if isinstance(news, SourceOutcome):
            self._skip(news)
            return
        task, event = news
        match event:
            case Opened():
                self._open(task, event)
            case Decoded() | Embedded():
                self._batches.add(task, event)
                self._accounts.keyframes = self._batches.keyframes
                self._accounts.tell(task.uri)
            case Finished() | Failed():
                self._batches.end(self._ending(task, event, self._batches.came_of(task.source_id)))
                for outcome in self._duplicates.end(task.source_id, event):
                    self._end_duplicate(outcome)

    def _open(self, task: DecodeTask, opened: Opened) -> None:
        """Begin a source; one that the library holds already keeps its camera and time there.

        Where the ingest was given a camera or a time, that counts.
        """
        captured = self._plan.capture_time(task, opened)
        existing = self._replacement.begin(task.uri, task.source_id)
        if existing is not None:
            camera, own = task.camera, captured
            if self._plan.camera is not None:
                existing = replace(existing, cameras={})
            if task.given_ms is None:
                captured = existing.captured
            kept = (captured.at_ms, existing.camera_of(0, camera)) != (own.at_ms, camera)
            self._held[task.source_id] = KEPT if kept else ""
        self._batches.open(task.source_id, opened, captured, existing)

    def _skip(self, outcome: SourceOutcome) -> None:
        """Take what needs no decoding."""
        if outcome.reason == KNOWN:
            self._replacement.see(outcome.uri, outcome.source_id)
            self._present.add(outcome.source_id)
            self._accounts.finish(outcome)  # its row in the ledger says done, and stays
        elif outcome.reason in NO_SUCH_FILE:
            self._accounts.finish(outcome)  # there is no file of which anything could be listed
        elif outcome.source_id:
            for ended in self._duplicates.offer(outcome):
                self._end_duplicate(ended)
        else:
            self._batches.end(Ending(_id_of_uri(outcome.uri), outcome))

    def _end_duplicate(self, outcome: SourceOutcome) -> None:
        if outcome.status == "skipped":
            self._replacement.see(outcome.uri, outcome.source_id)
        self._batches.end(Ending(_id_of_uri(outcome.uri), outcome))

    def _ending(self, task: DecodeTask, event: Finished | Failed, keyframes: int) -> Ending:
        refused = isinstance(event, Failed) and not event.keeps_keyframes
        task.let_go(0 if refused else keyframes)
        if not refused:
            self._present.add(task.source_id)
        if isinstance(event, Finished):
            self._replacement.see(task.uri, task.source_id)
            held = self._held.pop(task.source_id, None)
            outcome = SourceOutcome(
                task.uri,
                "done",
                warning=joined(event.warning, held) if held else event.warning,
                left_out=event.left_out,
                source_id="" if held is None else task.source_id,
                given_ms=None if held is None else task.given_ms,
            )
        else:
            reason = event.reason
            if keyframes and not refused:
                reason = Message(
                    "{reason}; its first {count} keyframes are kept",
                    reason=reason,
                    count=keyframes,
                )
            outcome = SourceOutcome(task.uri, "failed", reason, event.stage)
        return Ending(task.source_id, outcome, refused=refused)


#: Where a file fails for what its content is, so that every copy of it does.
_BY_CONTENT = ("open", "decode")


@dataclass(slots=True)
class _Duplicates:
    """Holds files with the content of another one of the ingest until that has ended: as they do.

    ``again`` are those to be taken in themselves, because the first one failed for another reason
    than its content; the caller empties it.
    """

    again: list[SourceOutcome] = field(default_factory=list)
    _waiting: dict[str, list[SourceOutcome]] = field(default_factory=dict)
    _ended: dict[str, Finished | Failed] = field(default_factory=dict)

    def offer(self, duplicate: SourceOutcome) -> list[SourceOutcome]:
        """Take a duplicate; return the outcomes that are true now."""
        self._waiting.setdefault(duplicate.source_id, []).append(duplicate)
        first = self._ended.get(duplicate.source_id)
        return [] if first is None else self._settled(duplicate.source_id, first)

    def end(self, source_id: str, event: Finished | Failed) -> list[SourceOutcome]:
        """Note how the first file ended; return the outcomes of its duplicates so far."""
        self._ended[source_id] = event
        return self._settled(source_id, event)

    def _settled(self, source_id: str, event: Finished | Failed) -> list[SourceOutcome]:
        duplicates = self._waiting.pop(source_id, [])
        if isinstance(event, Finished):
            return duplicates
        if event.stage in _BY_CONTENT:
            return [
                replace(item, status="failed", stage=event.stage, reason=event.reason)
                for item in duplicates
            ]
        if duplicates:
            self._ended.pop(source_id)
            self.again += duplicates
        return []


def _id_of_uri(uri: str) -> str:
    """Return the ledger's key for a source whose content could not be read."""
    digest = hashlib.blake2b(uri.encode("utf-8", "surrogateescape"), digest_size=16)
    return f"uri-{digest.hexdigest()}"
