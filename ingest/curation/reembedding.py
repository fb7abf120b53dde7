"""Another encoder for a library: every keyframe decoded once more, embedded, and switched to.

Each keyframe is decoded from its source at its exact moment, as an ingest would. Where the source
is gone, was changed, or cannot be decoded, the thumbnail is embedded instead: encoders see 224 to
384 pixels, which is what thumbnails have. Only a keyframe that has neither is left out, and told.
The library answers with the old encoder until all of it is there in the new one. A process that
is killed leaves what it did to the next, for a day.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePath

from ingest.engines.base import Decoded, DecodeOptions, DecodeTask, Failed, Finished, LocalEngine
from ingest.ledger import Ledger
from ingest.media.decoding import decode_image
from ingest.media.keyframes.interval import GivenMoments
from ingest.media.regions.base import GivenRegions, Region
from ingest.options import renamed_recipes
from ingest.report import ReembedReport, SourceOutcome
from ingest.sources.media_locator import Whereabouts
from ingest.sources.remote.fetching import Fetcher
from ingest.sources.remote.files import RemoteFiles
from search_core.encoders.base import Encoder, Pixels
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.schema.entity import MediaEntity, is_address, keyframes_among
from search_core.settings import Settings
from search_core.store.library import Replacement, Store
from search_core.system.cancellation import Interrupted

#: So few keyframes written meanwhile may be embedded while writers wait.
_FEW = 500
#: Where more than a few came in each time, this many rounds are enough.
_PASSES = 20

OnProgress = Callable[[int, int, str], None]


def reembed(
    settings: Settings,
    store: Store,
    library: str,
    encoder: Encoder,
    *,
    on_progress: OnProgress = lambda done, total, current: None,
    check: Callable[[], None] = lambda: None,
    work: str = "",
    engine: LocalEngine | None = None,
) -> ReembedReport:
    """Recompute a library's vectors with ``encoder``; searches go on meanwhile.

    ``on_progress`` hears how many keyframes of how many are embedded, and the file at hand.
    ``check`` is called often; what it raises leaves the library as it was, as any error does, and
    nothing beside it but for an Interrupted that puts it off. ``work`` names what only one process
    at a time does, such as a job (see MilvusStore.replacement).
    Raises UsageError where it has this encoder's vectors already, StoreBusy, StoreError.
    """
    began_s = time.monotonic()
    info = store.library(library)
    if info.encoder.same_space(encoder.identity):
        raise UsageError(
            "The library {library} holds vectors of {label} already.",
            "Choose another encoder with --model and --pretrained.",
            library=library,
            label=encoder.identity.label,
        )
    with (
        Ledger(settings.ledger_path) as ledger,
        store.replacement(library, encoder.identity, work) as replacement,
    ):
        total = store.count(library)
        run = _Run(
            settings, encoder, ledger, replacement, engine or LocalEngine(settings.media.workers)
        )
        run.report.kept = replacement.kept

        def tell(done: int, current: str) -> None:
            on_progress(replacement.kept + done, max(replacement.kept + done, total), current)

        run.listen(tell, check)
        run.embed_pending()
        replacement.build(lambda share: check())
        for _ in range(_PASSES):
            if run.embed_pending() <= _FEW:
                break
        replacement.close_writing()
        run.embed_pending()
        replacement.switch()
        run.account(library, info.encoder.digest)
    run.report.seconds = time.monotonic() - began_s
    return run.report


@dataclass(frozen=True, slots=True)
class Undecoded(SourceOutcome):
    """Keyframes of one file that are not decoded from it; ``reason`` says why, "" for stills."""

    entities: tuple[MediaEntity, ...] = ()


@dataclass(slots=True)
class _Moment:
    """The rows of one keyframe that the new collection lacks: itself, its regions, or both."""

    rows: list[MediaEntity] = field(default_factory=list)

    @property
    def regions(self) -> tuple[Region, ...]:
        return tuple(_region(row) for row in self.rows if row.is_region)


def _region(row: MediaEntity) -> Region:
    left, top, right, bottom = row.box
    return Region(row.kind, 0, (left, top, right, bottom))


class SourceFiles:
    """Where the sources of a library's keyframes are now, fetched where they are elsewhere."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.remote = RemoteFiles(settings.remote)
        self._ledger = ledger
        self._places = Whereabouts(settings, ledger)

    def find(self, entity: MediaEntity, fetcher: Fetcher) -> Path:
        """Return where an entity's source is; raises MediaError where it is nowhere."""
        changed, reason = False, ""
        if entity.is_remote:
            found = fetcher.wait(fetcher.start(self.remote.look(entity.uri), lambda head: True))
            if found.path is not None and found.content.source_id == entity.source_id:
                return found.path
            raise MediaError("has other content now")
        for place in dict.fromkeys((entity.uri, *self._ledger.paths_of(entity.source_id))):
            if is_address(place):
                continue
            state, why = self._places.look(place, entity.source_id)
            if state == "there":
                return Path(place)
            changed, reason = changed or state == "changed", reason or why
        raise MediaError(
            Message("has other content now")
            if changed
            else reason or Message("is not there any more")
        )


def source_and_track(entity: MediaEntity) -> tuple[str, str, int]:
    """Return what keyframes that are decoded in one go have in common."""
    return entity.uri, entity.source_id, entity.track


def go_on(stopped: threading.Event) -> None:
    """Raise Interrupted once it is set: nothing more is to be fetched."""
    if stopped.is_set():
        raise Interrupted


class _Run:
    """Keyframes on their way from their sources to the new collection."""

    def __init__(
        self,
        settings: Settings,
        encoder: Encoder,
        ledger: Ledger,
        replacement: Replacement,
        engine: LocalEngine,
    ) -> None:
        self.report = ReembedReport()
        self._settings = settings
        self._encoder = encoder
        self._ledger = ledger
        self._replacement = replacement
        self._engine = engine
        self._sources = SourceFiles(settings, ledger)
        self._lost: dict[str, MediaEntity] = {}
        self._lacking: dict[int, tuple[DecodeTask, dict[int, _Moment]]] = {}
        self._batch: list[tuple[MediaEntity, Pixels]] = []

    def listen(self, tell: Callable[[int, str], None], check: Callable[[], None]) -> None:
        """Say whom to tell of progress, and what to ask whether to go on."""
        self._tell = tell
        self._check = check

    def embed_pending(self) -> int:
        """Embed what the new collection lacks; return how many keyframes that were."""
        before = self.report.keyframes
        stopped = threading.Event()
        with Fetcher(self._settings, self._sources.remote, lambda: go_on(stopped)) as fetcher:
            told = self._engine.decode(self._prepared(fetcher))
            try:
                for news in told:
                    self._check()
                    if isinstance(news, Undecoded):
                        self._take_pictures(news.entities, news.reason)
                    elif isinstance(news, tuple):
                        self._take(*news)
            finally:
                stopped.set()
                told.close()
        self._embed()
        return self.report.keyframes - before

    def account(self, library: str, old_digest: str) -> None:
        """Update the ledger to what the library holds now."""
        new_digest = self._encoder.identity.digest
        for old, new in renamed_recipes(self._ledger, library, old_digest, new_digest).items():
            self._ledger.rename_recipe(library, old, new)
        lost = keyframes_among(self._lost.values())
        fewer = Counter(entity.source_id for entity in lost)
        for source_id, count in fewer.items():
            self._ledger.expect_fewer(library, source_id, count)
        self.report.left_out = [entity.uri for entity in lost]

    # Within

    def _prepared(self, fetcher: Fetcher) -> Iterator[DecodeTask | SourceOutcome]:
        """Yield what is pending, by file; runs in the engine's threads, one at a time."""
        for page in self._replacement.pending():
            wanted = [entity for entity in page if entity.id not in self._lost]
            for (uri, *_), group in groupby(wanted, source_and_track):
                entities = tuple(group)
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
        status = path.stat()
        moments: dict[int, _Moment] = {}
        for entity in entities:
            moments.setdefault(entity.pts_ms, _Moment()).rows.append(entity)
        selector = GivenMoments(frozenset(moments))
        regions = {pts_ms: moment.regions for pts_ms, moment in moments.items() if moment.regions}
        task = DecodeTask(
            uri=entities[0].uri,
            path=path,
            source_id=entities[0].source_id,
            version=(status.st_size, status.st_mtime_ns),
            spooled=entities[0].is_remote,
            track=entities[0].track,
            options=DecodeOptions.of(
                self._settings, selector, self._encoder, GivenRegions(regions) if regions else None
            ),
        )
        self._lacking[id(task)] = (task, moments)
        return task

    def _take(self, task: DecodeTask, event: object) -> None:
        lacking = self._lacking[id(task)][1]
        match event:
            case Decoded(keyframe, pixels, crops):
                if (moment := lacking.pop(keyframe.pts_ms, None)) is not None:
                    waiting = iter(crops)
                    for row in moment.rows:
                        self._add(row, next(waiting) if row.is_region else pixels)
            case Finished(warning):
                self._end(task, warning or "has no frame at that moment any more")
            case Failed(reason=reason):
                self._end(task, reason)

    def _end(self, task: DecodeTask, reason: str) -> None:
        """Embed what did not come from a source otherwise."""
        _, lacking = self._lacking.pop(id(task))
        task.let_go(keyframes=1)
        rows = [row for moment in lacking.values() for row in moment.rows]
        self._take_pictures(rows, reason)

    def _take_pictures(self, entities: Sequence[MediaEntity], reason: str) -> None:
        """Embed stills, and the thumbnails of what cannot be decoded for a reason."""
        for entity in entities:
            thumbnail = self._settings.data_dir / entity.thumbnail
            places = [thumbnail] if reason else [Path(entity.uri), thumbnail]
            pictures = (self._pixels_of(place, entity) for place in places)
            pixels = next(filter(None.__ne__, pictures), None)
            if reason:
                self.report.reasons[entity.uri] = reason
            if pixels is None:
                self._lost[entity.id] = entity
                self.report.reasons.setdefault(entity.uri, Message("is not there any more"))
                continue
            self.report.thumbnails += bool(reason) and not entity.is_region
            self._add(entity, pixels)

    def _pixels_of(self, picture: Path, row: MediaEntity) -> Pixels | None:
        try:
            image = decode_image(picture, max_pixels=self._settings.media.max_pixels)
        except (MediaError, OSError):
            return None
        return self._encoder.preprocess(_region(row).cut(image) if row.is_region else image)

    def _add(self, entity: MediaEntity, pixels: Pixels) -> None:
        self._batch.append((entity, pixels))
        if len(self._batch) >= self._settings.encoder.batch_size:
            self._embed()

    def _embed(self) -> None:
        if not self._batch:
            return
        embeddings = self._encoder.encode_pixels([pixels for _, pixels in self._batch])
        self._replacement.put([entity for entity, _ in self._batch], embeddings)
        self.report.keyframes += len(keyframes_among(entity for entity, _ in self._batch))
        self._tell(self.report.keyframes, PurePath(self._batch[-1][0].uri).name)
        self._batch = []
