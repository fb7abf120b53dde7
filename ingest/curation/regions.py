"""Regions for a library that has none, or other ones: each source decoded once more.

Keyframes stay as they are. Their regions are written beside them, and those they had before are
removed; what moves is looked for with the selector that chose the keyframes, so that it is found as
an ingest finds it. Of a source that is gone, or a live camera where motion is asked for, keyframes
keep what they have. Ended midway, the same work goes on with the sources that are left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePath

from ingest.curation.reembedding import SourceFiles, Undecoded, go_on, source_and_track
from ingest.engines.base import Decoded, DecodeOptions, DecodeTask, Failed, Finished, LocalEngine
from ingest.ledger import Ledger, LedgerRow
from ingest.media.base import DecodedFrame, KeyframeSelector
from ingest.media.decoding import decode_image
from ingest.media.keyframes.interval import ChosenAgain, GivenMoments
from ingest.media.keyframes.registry import parse_selector
from ingest.media.regions.base import NamedProposer, Region
from ingest.media.regions.registry import OFF, parse_regions
from ingest.options import IngestOptions, recipe_of, recorded_options
from ingest.report import RegionsReport, SourceOutcome
from ingest.sources.remote.fetching import Fetcher
from search_core.encoders.base import Encoder, Pixels
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.schema.entity import KIND_FIELD, MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import NO_FILTER, Store, entities_where
from search_core.system.cancellation import Interrupted

OnProgress = Callable[[int, int, str], None]
_Regions = tuple[MediaEntity, tuple[Region, ...], tuple[Pixels, ...]]


def give_regions(
    settings: Settings,
    store: Store,
    library: str,
    encoder: Encoder,
    kind: str,
    *,
    on_progress: OnProgress = lambda done, total, current: None,
    check: Callable[[], None] = lambda: None,
    engine: LocalEngine | None = None,
) -> RegionsReport:
    """Give a library's keyframes regions of a ``kind`` (see the registry), or none for ``off``.

    ``on_progress`` hears how many keyframes of how many are done, and the file at hand; what
    ``check``, which is called often, raises ends it. A library from before regions were stored is
    copied into a collection with fields for them first. Raises UsageError, EncoderMismatch.
    """
    began_s = time.monotonic()
    proposer = parse_regions(kind)
    if proposer is not None:
        proposer.check()
    info = store.library(library, encoder.identity)
    report = RegionsReport(proposer.name if proposer else OFF)
    with Ledger(settings.ledger_path) as ledger:
        recorded = proposer.spelling if proposer else OFF
        known = _Recorded(ledger, library, encoder.identity.digest, recorded)
        if proposer is None:
            _remove_all(store, library, known)
        else:
            if KIND_FIELD not in info.fields:
                store.rebuild(library, info.index, info.search)
            engine = engine or LocalEngine(settings.media.workers)
            run = _Run(settings, store, library, encoder, proposer, known, engine, report)
            run.give(store.count(library), on_progress, check)
    store.settle(library)
    report.seconds = time.monotonic() - began_s
    return report


def _remove_all(store: Store, library: str, known: _Recorded) -> None:
    if store.library(library).has_regions:
        store.delete(library, NO_FILTER.regions_alone())
    for page in entities_where(store, library, NO_FILTER):
        for source_id in dict.fromkeys(entity.source_id for entity in page):
            known.note(source_id)


class _Recorded:
    """What the ledger says of how a library's sources were taken in."""

    def __init__(self, ledger: Ledger, library: str, digest: str, kind: str) -> None:
        self.ledger = ledger
        self._library = library
        self._digest = digest
        self._kind = kind

    def has(self, source_id: str) -> bool:
        """Whether a source's keyframes have regions of this kind already."""
        lines = [line for line in self._done(source_id) if line.options]
        return bool(lines) and all(
            IngestOptions.from_text(line.options).regions == self._kind for line in lines
        )

    def selector(self, source_id: str) -> KeyframeSelector | None:
        """Return what chose a source's keyframes, None where that is not known."""
        options = recorded_options(self.ledger, self._library, source_id)
        return parse_selector(IngestOptions.from_text(options).keyframes) if options else None

    def note(self, source_id: str) -> None:
        """Note that a source's keyframes have regions of this kind now."""
        for line in self._done(source_id):
            options = IngestOptions.from_text(line.options) if line.options else None
            if options is None or line.recipe != recipe_of(self._digest, options.recipe):
                continue
            now = replace(options, regions=self._kind)
            self.ledger.reword(line, recipe_of(self._digest, now.recipe), now.to_text())

    def _done(self, source_id: str) -> list[LedgerRow]:
        lines = self.ledger.of_sources(self._library, [source_id])
        return [line for line in lines if line.status == "done"]


class _Run:
    """Keyframes on their way from their sources to regions beside them."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        library: str,
        encoder: Encoder,
        proposer: NamedProposer,
        known: _Recorded,
        engine: LocalEngine,
        report: RegionsReport,
    ) -> None:
        self._settings = settings
        self._store = store
        self._library = library
        self._encoder = encoder
        self._proposer = proposer
        self._known = known
        self._engine = engine
        self._report = report
        self._sources = SourceFiles(settings, known.ledger)
        self._lacking: dict[int, dict[int, MediaEntity]] = {}
        self._batch: list[_Regions] = []
        self._open: dict[str, int] = {}  # by source: the tracks that are not done

    def give(self, total: int, on_progress: OnProgress, check: Callable[[], None]) -> None:
        """Give all keyframes their regions."""
        report, stopped = self._report, threading.Event()
        with Fetcher(self._settings, self._sources.remote, lambda: go_on(stopped)) as fetcher:
            told = self._engine.decode(self._prepared(fetcher))
            try:
                for news in told:
                    check()
                    if isinstance(news, Undecoded):
                        self._take_stills(news.entities, news.reason)
                    elif isinstance(news, tuple):
                        self._take(*news)
                    else:
                        continue
                    done = report.keyframes + report.had_them + report.without_source
                    at = news[0].uri if isinstance(news, tuple) else news.uri
                    on_progress(min(done, total), total, PurePath(at).name)
            finally:
                stopped.set()
                told.close()
        self._write()

    # Sources

    def _prepared(self, fetcher: Fetcher) -> Iterator[DecodeTask | SourceOutcome]:
        """Yield the sources, one track at a time; runs in the engine's threads, one at a time."""
        sources = dict.fromkeys(
            entity.source_id
            for page in entities_where(self._store, self._library, NO_FILTER)
            for entity in page
        )
        for source_id in sources:
            where = Filter(source_ids=(source_id,))
            rows = [
                row for page in entities_where(self._store, self._library, where) for row in page
            ]
            if self._known.has(source_id):
                self._report.had_them += len(rows)
                continue
            rows.sort(key=source_and_track)
            groups = [tuple(group) for _, group in groupby(rows, source_and_track)]
            self._open[source_id] = len(groups)
            for entities in groups:
                uri = entities[0].uri
                if entities[0].is_live:
                    yield Undecoded(uri, "done", entities=entities)
                    continue
                try:
                    yield self._task(self._sources.find(entities[0], fetcher), entities)
                except Interrupted:  # nothing more is to be fetched
                    return
                except OSError as error:
                    reason = Message("cannot be read: {error}", error=in_words(error))
                    yield Undecoded(uri, "failed", reason, entities=entities)
                except MediaError as error:
                    yield Undecoded(uri, "failed", error.message, entities=entities)

    def _task(self, path: Path, entities: Sequence[MediaEntity]) -> DecodeTask:
        status, first = path.stat(), entities[0]
        moments = {entity.pts_ms: entity for entity in entities}
        chosen = self._known.selector(first.source_id) if self._proposer.sees_motion else None
        task = DecodeTask(
            uri=first.uri,
            path=path,
            source_id=first.source_id,
            version=(status.st_size, status.st_mtime_ns),
            spooled=first.is_remote,
            track=first.track,
            options=DecodeOptions.of(
                self._settings,
                ChosenAgain(frozenset(moments), chosen)
                if chosen
                else GivenMoments(frozenset(moments)),
                self._encoder,
                self._proposer,
            ),
        )
        self._lacking[id(task)] = moments
        return task

    def _take(self, task: DecodeTask, event: object) -> None:
        moments = self._lacking[id(task)]
        match event:
            case Decoded(keyframe, _, crops):
                if (entity := moments.pop(keyframe.pts_ms, None)) is not None:
                    self._add(entity, keyframe.regions, crops)
            case Finished():
                self._write()
                if moments:
                    self._leave(task, Message("has no frame at that moment any more"))
                else:
                    self._open[task.source_id] -= 1
                    if not self._open[task.source_id]:
                        self._known.note(task.source_id)
                    self._end(task)
            case Failed(reason=reason):
                self._leave(task, reason)

    def _leave(self, task: DecodeTask, reason: str) -> None:
        self._report.without_source += len(self._lacking[id(task)])
        self._report.reasons[task.uri] = reason
        self._end(task)

    def _end(self, task: DecodeTask) -> None:
        del self._lacking[id(task)]
        task.let_go(keyframes=1)

    def _take_stills(self, entities: Sequence[MediaEntity], reason: str) -> None:
        """Take the stills of a live camera; leave what cannot be decoded for a reason."""
        finder = self._proposer.finder(min(self._encoder.preprocess.size))
        for entity in sorted(entities, key=lambda one: one.pts_ms):
            image = None
            if not reason and not self._proposer.sees_motion:
                try:
                    image = decode_image(
                        Path(entity.uri), max_pixels=self._settings.media.max_pixels
                    )
                except (MediaError, OSError):
                    image = None
            if image is None:
                self._report.without_source += 1
                self._report.reasons[entity.uri] = reason or Message(
                    "is a still: what moves cannot be seen on it"
                    if self._proposer.sees_motion
                    else "is not there any more"
                )
                continue
            frame = DecodedFrame(entity.pts_ms, entity.width, entity.height, image)
            regions = tuple(finder.regions_of(frame))
            crops = tuple(self._encoder.preprocess(one.cut(image)) for one in regions)
            self._add(entity, regions, crops)

    # Rows

    def _add(
        self, entity: MediaEntity, regions: tuple[Region, ...], crops: tuple[Pixels, ...]
    ) -> None:
        self._batch.append((entity, regions, crops))
        pictures = sum(len(crops) for *_, crops in self._batch)
        if pictures >= self._settings.encoder.batch_size:
            self._write()

    def _write(self) -> None:
        """Write the regions that were gathered, and remove those their keyframes had before."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        of_these = Filter(ids=tuple(entity.id for entity, *_ in batch))
        now = {row.id: row for page in self._pages(of_these) for row in page}
        kept = [(now[one.id], regions, crops) for one, regions, crops in batch if one.id in now]
        rows = [
            entity.region(one.kind, one.number, one.box)
            for entity, regions, _ in kept
            for one in regions
        ]
        pixels = [each for _, _, crops in kept for each in crops]
        before = [row.id for page in self._pages(of_these.regions_alone()) for row in page]
        if rows:
            self._store.upsert(self._library, rows, self._encoder.encode_pixels(pixels))
        if gone := set(before).difference(row.id for row in rows):
            self._store.delete(self._library, Filter(ids=tuple(gone)).regions_alone())
        self._report.keyframes += len(kept)
        self._report.regions += len(rows)

    def _pages(self, where: Filter) -> Iterator[list[MediaEntity]]:
        return entities_where(self._store, self._library, where)
