"""Ingest: find, decode, embed, write, and account for every source.

Decoding runs in processes (engines), embedding here, writing in a thread; see ``ingest``.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath

from ingest.engines.local import LocalEngine
from ingest.engines.tasks import (
    DecodeOptions,
    DecodeTask,
    Engine,
    Event,
    Failed,
    Finished,
    Keyframe,
    Opened,
    Told,
)
from ingest.intake import KNOWN, Intake, Plan
from ingest.keyframes import parse_selector
from ingest.keyframes.distinct import NearDuplicates
from ingest.ledger import Ledger
from ingest.outcomes import IngestReport, Progress, SourceOutcome
from ingest.sources import Source, find_sources
from ingest.writer import Ending, Rows, Store, Writer
from search_core.encoders.base import Embeddings, Encoder
from search_core.entities import (
    TAG_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
    FrameRef,
    MediaEntity,
    ms_from_datetime,
)
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
) -> IngestReport:
    """Take files, folders, globs and zips into a library; what is in it already is left out.

    A source is done once Milvus has acknowledged its rows. When ``should_stop`` returns True, or on
    Ctrl-C, what is not done stays pending and the report says interrupted. Bad files never raise:
    they are in the report, and in the ledger. Raises UsageError for options that cannot be,
    EncoderMismatch, and StoreError when Milvus fails.
    """
    selector = parse_selector(keyframes)
    options = DecodeOptions(
        selector=selector,
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
    began_s = time.monotonic()
    store.ensure_library(library, encoder.identity)
    with Ledger(settings.ledger_path) as ledger:
        if ledger.counts(library)["done"] and store.count(library) == 0:
            ledger.forget(library)  # the library was made anew, here or in another Milvus
        sources = list(find_sources(paths, settings.data_dir))
        run.work_off(
            sources, store, ledger, engine or LocalEngine(settings.media.workers), should_stop
        )
    if run.wrote:
        store.settle(library)
    run.report.seconds = time.monotonic() - began_s
    return run.report


def recipe_of(encoder_digest: str, selector_recipe: str) -> str:
    """Return the ledger's name for how a source was taken in: which encoder, which keyframes."""
    text = f"{encoder_digest}|{selector_recipe}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class _Run:
    """One ingest under way: the batch being gathered and the count so far."""

    def __init__(
        self,
        plan: Plan,
        encoder: Encoder,
        batch_size: int,
        tags: tuple[str, ...],
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.report = IngestReport(stages={"decode": 0.0, "embed": 0.0, "write": 0.0})
        self.wrote = False
        self._plan = plan
        self._encoder = encoder
        self._batch_size = batch_size
        self._tags = tags
        self._on_progress = on_progress
        self._opened: dict[str, Opened] = {}
        self._got: dict[str, int] = {}
        self._duplicates = NearDuplicates(plan.options.selector.least_distance)
        self._left_out: Counter[str] = Counter()
        self._batch: list[tuple[DecodeTask, Keyframe]] = []
        self._endings: list[Ending] = []
        self._keyframes = self._total = self._counted = 0

    def work_off(
        self,
        sources: list[Source | SourceOutcome],
        store: Store,
        ledger: Ledger,
        engine: Engine,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Take in all sources, or those until it is to stop."""
        self._total = len(sources)
        stop = threading.Event()
        intake = Intake(self._plan, ledger, stop.is_set)
        with Writer(store, ledger, self._plan.library, self._plan.recipe) as writer:
            told = engine.decode(intake.prepare(iter(sources)))
            try:
                self._follow(told, writer, should_stop)
            except KeyboardInterrupt:
                self.report.interrupted = True
            finally:
                stop.set()
                told.close()
        self._count(writer)
        self.report.stages["write"] = writer.seconds
        self.wrote = writer.rows > 0

    def _follow(
        self,
        told: Generator[Told, None, None],
        writer: Writer,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        quiet = 0
        while True:
            if should_stop is not None and should_stop():
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
                self._take(news, writer)
            elif (quiet := quiet + 1) == _QUIET_LOOKS:
                self._embed(writer)
            self._count(writer)
        self._embed(writer)

    def _take(self, news: tuple[DecodeTask, Event] | SourceOutcome, writer: Writer) -> None:
        if isinstance(news, SourceOutcome):
            if news.reason == KNOWN:
                self._finish(news)  # its row in the ledger says done, and stays
            else:
                self._end(Ending(_id_of_uri(news.uri), news), writer)
            return
        task, event = news
        match event:
            case Opened():
                self._opened[task.source_id] = event
                self._got[task.source_id] = 0
            case Keyframe():
                self._batch.append((task, event))
                self._got[task.source_id] += 1
                self._keyframes += 1
                self._tell(task.uri)
                if len(self._batch) >= self._batch_size:
                    self._embed(writer)
            case Finished(warning, left_out):
                keyframes = self._got[task.source_id]
                outcome = SourceOutcome(
                    task.uri, "done", keyframes=keyframes, warning=warning, left_out=left_out
                )
                self._end(Ending(task.source_id, outcome), writer)
            case Failed(stage, reason):
                keyframes = self._got.get(task.source_id, 0)
                if task.unpacked and not keyframes:
                    task.path.unlink(missing_ok=True)
                outcome = SourceOutcome(task.uri, "failed", reason, stage, keyframes)
                self._end(Ending(task.source_id, outcome), writer)

    def _end(self, ending: Ending, writer: Writer) -> None:
        """Hand over an ending, but not before the rows that are still to be embedded."""
        if self._batch:
            self._endings.append(ending)
        else:
            writer.put(self._without_duplicates(ending))

    def _embed(self, writer: Writer) -> None:
        """Embed what was gathered and hand it to the writer, with the endings that waited."""
        if self._batch:
            began_s = time.monotonic()
            embeddings = self._encoder.encode_pixels([frame.pixels for _, frame in self._batch])
            self.report.stages["embed"] += time.monotonic() - began_s
            fresh = [
                not self._is_near_duplicate(*pair)
                for pair in zip(self._batch, embeddings, strict=True)
            ]
            entities = [
                self._entity(*item) for item, kept in zip(self._batch, fresh, strict=True) if kept
            ]
            writer.put(Rows(entities, embeddings[fresh]))
            self._batch = []
        for ending in self._endings:
            writer.put(self._without_duplicates(ending))
        self._endings = []

    def _is_near_duplicate(self, item: tuple[DecodeTask, Keyframe], embedding: Embeddings) -> bool:
        """Leave out a keyframe whose embedding (dim,) is nearly that of the one before it."""
        # Its thumbnail stays: another library may hold the same moment.
        task, _ = item
        if not self._duplicates.is_near(task.source_id, embedding):
            return False
        self._left_out[task.source_id] += 1
        self._keyframes -= 1
        return True

    def _without_duplicates(self, ending: Ending) -> Ending:
        """Return how a source ended, with what was left out for its embedding taken off."""
        self._duplicates.forget(ending.source_id)
        near = self._left_out.pop(ending.source_id, 0)
        outcome = ending.outcome
        keyframes, left_out = outcome.keyframes - near, outcome.left_out + near
        return replace(ending, outcome=replace(outcome, keyframes=keyframes, left_out=left_out))

    def _entity(self, task: DecodeTask, frame: Keyframe) -> MediaEntity:
        opened = self._opened[task.source_id]
        still = opened.kind == "image"
        return MediaEntity(
            id=FrameRef(task.source_id, frame.pts_ms).primary_key,
            source_id=task.source_id,
            media_type="image" if still else "frame",
            uri=str(task.path),
            camera=task.image_camera if still else task.video_camera,
            captured_at=opened.captured_at + frame.pts_ms,
            captured_from=opened.captured_from,
            pts_ms=frame.pts_ms,
            duration_ms=opened.duration_ms,
            width=frame.width,
            height=frame.height,
            thumbnail=frame.thumbnail,
            ingested_at=time.time_ns() // 1_000_000,
            tags=self._tags,
        )

    def _count(self, writer: Writer) -> None:
        for outcome in writer.settled(self._counted):
            self._counted += 1
            self._finish(outcome)

    def _finish(self, outcome: SourceOutcome) -> None:
        self.report.add(outcome)
        self._tell(outcome.uri)

    def _tell(self, uri: str) -> None:
        if self._on_progress is None:
            return
        report = self.report
        self._on_progress(
            Progress(
                sources_total=self._total,
                sources_finished=len(report.outcomes),
                keyframes=self._keyframes,
                current=PurePath(uri).name,
                done=report.done,
                skipped=report.skipped,
                failed=report.failed,
            )
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
