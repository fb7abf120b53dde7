"""One library's handle: what people do with a library, from Python, in one object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from search_core.errors import EntityNotFound
from search_core.schema.filters import Filter
from search_core.search.engine import DEFAULT_K, Answer, Hit, Query, SearchEngine
from search_core.search.pairs import Pair, answer_pairs
from search_core.search.query_text.reader import Reading, read_sentence
from search_core.search.query_text.sequence import USUAL, Sequence
from search_core.settings import AUTO_MODEL
from search_core.store.library import NO_FILTER
from search_core.system.machine import local_zone

if TYPE_CHECKING:
    from PIL import Image

    from ingest.curation.tagging import Retagged
    from ingest.curation.verification import Finding
    from ingest.engines.base import Engine
    from ingest.media.video.clips import Clip
    from ingest.options import IngestOptions
    from ingest.report import IngestReport, Progress, ReadReport, ReembedReport, RegionsReport
    from search_core.indexes import IndexSpec, SearchParams
    from search_core.lab.plan import CompareOptions
    from search_core.lab.records import Comparison
    from search_core.schema.entity import MediaEntity
    from search_core.schema.facets import Facets
    from search_core.store.library import LibraryInfo
    from sightline.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion removed: keyframes, and how many sources have none left."""

    keyframes: int
    emptied_sources: int


class Library:
    """One library of a workspace; it need not exist before the first ingest.

    Every method raises StoreError when Milvus fails, and LibraryNotFound where the library does
    not exist and is not made by it.

    >>> with sightline.open(folder) as workspace:                      # doctest: +SKIP
    ...     library = workspace.library("main")
    ...     for hit in library.search("a white car", k=5):
    ...         print(hit.rank, hit.entity.camera, hit.entity.captured_at_iso)
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.name = name
        self._workspace = workspace

    def __repr__(self) -> str:
        return f"Library({self.name!r})"

    @property
    def info(self) -> LibraryInfo:
        """The encoder, the index and the collection behind it; raises LibraryNotFound."""
        return self._workspace.store().library(self.name)

    # Search

    @cached_property
    def engine(self) -> SearchEngine:
        """What answers queries; raises LibraryNotFound before an encoder is loaded.

        Raises EncoderMismatch where the workspace's encoder did not make this library's vectors.
        """
        workspace = self._workspace
        workspace.store().library(self.name)
        return SearchEngine(
            workspace.encoder(library=self.name),
            workspace.store(),
            self.name,
            selectivities=workspace.selectivities(),
            relevance=workspace.relevance(self.name),
            log=workspace.query_log() if workspace.settings.record_searches else None,
        )

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | Image.Image | None = None,
        like: str | None = None,
        k: int = DEFAULT_K,
        where: Filter = NO_FILTER,
        without: Items[str] = (),
        text_weight: float = 0.5,
        params: SearchParams | None = None,
        min_score: float | None = None,
        lettering: Items[str] = (),
        understand: bool = False,
    ) -> list[Hit]:
        """Return the best ``k`` hits for a sentence, a picture, a stored keyframe, or a mix.

        ``image`` is a file or a Pillow image, ``like`` a keyframe's id or a region's
        (``Hit.region``), ``without`` are sentences to leave out; given together, text and
        picture are mixed by ``text_weight`` (0 to 1). ``lettering`` are words that must
        have been read on what is found, as are those that stand in quotation marks in
        ``text``: ``'a lorry "JCN"'``.
        To ``understand`` is to filter by the times and cameras that the sentence says, as
        :meth:`understand` returns them; otherwise all of it is looked for.
        Raises UsageError where nothing is given, MediaError for a picture that cannot be read.
        """
        if understand and text:
            reading = self.understand(text, where=where)
            text, where = reading.rest or None, where.narrowed(reading.where)
        query = Query(
            text=text,
            image=_opened(image, self._workspace.settings.media.max_pixels),
            like=(like,) if like else (),
            text_weight=text_weight,
            without=tuple(without),
            lettering=tuple(lettering),
        )
        return self.answer(query, k=k, where=where, params=params, min_score=min_score).hits

    def understand(
        self,
        sentence: str,
        *,
        where: Filter = NO_FILTER,
        now: datetime | None = None,
        zone: tzinfo | None = None,
        literal: Collection[str] = (),
    ) -> Reading:
        """Return what a sentence says: a filter by time and camera, and the rest to look for.

        By default it is read as of now and in this machine's zone. ``where`` is what is filtered by
        already, ``literal`` are phrases to leave in. The library is asked for its cameras where the
        sentence may name one.
        """
        return read_sentence(
            sentence,
            now or datetime.now(UTC),
            zone or local_zone(),
            lambda: [camera.camera for camera in self.facets().cameras],
            beside=where,
            literal=literal,
        )

    def search_pairs(
        self,
        first: str,
        second: str,
        *,
        within: timedelta = USUAL,
        any_camera: bool = False,
        k: int = DEFAULT_K,
        where: Filter = NO_FILTER,
        min_score: float | None = None,
    ) -> list[Pair]:
        """Return the best ``k`` pairs of hits: ``first``, and ``second`` up to ``within`` later.

        Both are of one camera, or of ``any_camera``; none below ``min_score`` is paired.

        :func:`~search_core.search.query_text.sequence.read_sequence` reads both out of a sentence.
        """
        wanted = Sequence(first, second, within, any_camera)
        return answer_pairs(self.engine, wanted, k=k, where=where, min_score=min_score).pairs

    def answer(
        self,
        query: Query,
        *,
        k: int = DEFAULT_K,
        where: Filter = NO_FILTER,
        params: SearchParams | None = None,
        min_score: float | None = None,
    ) -> Answer:
        """Return a query's hits with what it cost and what was done about its filter."""
        return self.engine.answer(query, k=k, where=where, params=params, min_score=min_score)

    def count(self, where: Filter = NO_FILTER) -> int:
        """Return how many keyframes and photographs pass a filter."""
        return self._workspace.store().count(self.name, where)

    def entities(
        self, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return keyframes and photographs that pass a filter, in no promised order."""
        return self._workspace.store().entities(self.name, where, limit=limit, offset=offset)

    def facets(self, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and kind over all that passes a filter."""
        return self._workspace.store().facets(self.name, where)

    def clip(
        self,
        moment: str | MediaEntity,
        folder: str | Path,
        *,
        before_s: float = 5.0,
        after_s: float = 5.0,
        exact: bool = False,
    ) -> Clip:
        """Cut the footage around a moment of a video, an entity or its id, into a file.

        It is copied as recorded, from the codec keyframe before on, or ``exact`` and encoded anew;
        what is returned says what it really shows. Raises EntityNotFound, UsageError for what is no
        moment of a video, and MediaError where the footage is gone or has changed.
        """
        from ingest.evidence.bundle import file_stem
        from ingest.evidence.originals import Originals, cut_moment, span_around

        settings, zone = self._workspace.settings, datetime.now().astimezone().tzinfo or UTC
        entity = moment if not isinstance(moment, str) else self._entity(moment)
        with Originals(settings, self._workspace.ledger()).file(self.name, entity) as source:
            return cut_moment(
                settings,
                entity,
                source,
                Path(folder),
                lambda shown: file_stem(entity, shown, zone),
                span_around(entity, before_s, after_s),
                exact=exact,
            )

    def _entity(self, entity_id: str) -> MediaEntity:
        found = self.entities(Filter(ids=(entity_id,)), limit=1)
        if not found:
            raise EntityNotFound(
                "There is nothing with the id {id} in the library {name}.",
                "Search again: it may have been deleted.",
                id=entity_id,
                name=self.name,
            )
        return found[0]

    # Ingest and curation

    def ingest(
        self,
        paths: Iterable[str | Path],
        options: IngestOptions | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        engine: Engine | None = None,
        bulk: bool = False,
        correct_known: bool = True,
    ) -> IngestReport:
        """Take files, folders, globs, zips and addresses in; what is in it already is left out.

        With ``correct_known``, camera, start and tags are given to what is in it already, too.
        Bad files never raise: the report lists them. ``bulk`` hands rows to a Milvus server in
        files. Raises UsageError for options that cannot be, EncoderMismatch, StoreReadOnly.
        """
        from ingest.curation.known_sources import correct_known as correct
        from ingest.curation.known_sources import find_known
        from ingest.options import EVERYTHING_USUAL
        from ingest.pipeline import ingest

        workspace = self._workspace
        storage = workspace.bulk_storage() if bulk else None
        store = workspace.store(create=True)
        asked = options or EVERYTHING_USUAL
        report = ingest(
            [str(path) for path in paths],
            asked,
            settings=workspace.settings,
            store=store,
            encoder=workspace.encoder(library=self.name),
            library=self.name,
            on_progress=on_progress,
            should_stop=should_stop,
            engine=engine,
            bulk=store.bulk_inserter(storage).insert if storage else None,
        )
        if correct_known and asked.describes_sources and not report.interrupted:
            known = find_known(store, self.name, report, asked.camera, asked.tags)
            correct(workspace.settings, store, known, report)
        return report

    def tag(
        self, where: Filter, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> Retagged:
        """Add tags to what passes a filter and remove others from it."""
        from ingest.curation.tagging import change_tags

        return change_tags(
            self._workspace.store(create=True), self.name, where, add=add, remove=remove
        )

    def delete(self, where: Filter) -> Deleted:
        """Delete what passes a filter, with its thumbnails; footage stays where it is.

        Raises UsageError for an empty filter: :meth:`drop` removes everything.
        """
        from ingest.rows.deletion import delete_entities

        workspace = self._workspace
        store = workspace.store(create=True)
        return Deleted(*delete_entities(workspace.settings, store, self.name, where))

    def verify(self) -> list[Finding]:
        """Return what disagrees between the ledger, Milvus, the thumbnails and the media."""
        from ingest.curation.verification import verify

        return list(verify(self._workspace.settings, self._workspace.store(), [self.name]))

    def repair(self, findings: Items[Finding] | None = None) -> list[Finding]:
        """Mend what :meth:`verify` finds, and return the findings that are left."""
        from ingest.curation.repair import repair

        workspace = self._workspace
        store = workspace.store(create=True)
        found = self.verify() if findings is None else findings
        return repair(
            workspace.settings, store, found, lambda name: workspace.encoder(library=name)
        )

    def reembed(
        self,
        model: str = AUTO_MODEL,
        pretrained: str | None = None,
        *,
        on_progress: Callable[[int, int, str], None] = lambda done, total, current: None,
    ) -> ReembedReport:
        """Recompute its vectors with another encoder; searches go on meanwhile.

        ``"auto"`` is the one recommended for footage on this machine. Raises EncoderUnavailable.
        """
        from ingest.curation.reembedding import reembed

        workspace = self._workspace
        if model == AUTO_MODEL:
            spec = workspace.encoder_for_footage()
            model, pretrained = spec.name, spec.pretrained
        encoder = workspace.encoder(model, pretrained)
        store = workspace.store(create=True)
        return reembed(workspace.settings, store, self.name, encoder, on_progress=on_progress)

    def give_regions(
        self,
        kind: str,
        *,
        on_progress: Callable[[int, int, str], None] = lambda done, total, current: None,
        check: Callable[[], None] = lambda: None,
    ) -> RegionsReport:
        """Give its keyframes regions of a kind, or remove them with ``"off"``.

        Kinds are ``"auto"``, ``"motion"``, ``"tiles"`` and ``"detector:FILE"``. Each source is
        decoded again; the report counts keyframes whose source is gone. What ``check``, which is
        called often, raises ends it; the same call goes on from there. Raises UsageError.
        """
        from ingest.curation.regions import give_regions

        workspace = self._workspace
        store = workspace.store(create=True)
        store.library(self.name)  # before an encoder is loaded
        return give_regions(
            *(workspace.settings, store, self.name, workspace.encoder(library=self.name), kind),
            on_progress=on_progress,
            check=check,
        )

    def read_lettering(
        self,
        where: Filter = NO_FILTER,
        *,
        on_progress: Callable[[int, int, str], None] = lambda done, total, current: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ReadReport:
        """Read lettering on the keyframes that were not read yet; ended, it goes on from there.

        A library from before lettering was kept is copied into a collection with a field for it
        first. Raises UsageError where what reads is not installed.
        """
        from ingest.media.lettering.reader import what_is_missing
        from ingest.rows.lettering import read_lettering

        workspace = self._workspace
        store = workspace.store(create=True)
        info = store.library(self.name)
        if not info.keeps_lettering and not what_is_missing():
            store.rebuild(self.name, info.index, info.search)
        return read_lettering(
            workspace.settings,
            store,
            workspace.ledger(),
            self.name,
            where,
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def rename(self, name: str) -> None:
        """Give it another name."""
        from ingest.curation.moving import rename_library

        workspace = self._workspace
        rename_library(workspace.settings, workspace.store(create=True), self.name, name)
        self.name = name
        self.__dict__.pop("engine", None)

    def drop(self) -> None:
        """Remove it with its thumbnails; footage stays where it is."""
        from ingest.rows.deletion import drop_library

        workspace = self._workspace
        drop_library(workspace.settings, workspace.store(create=True), self.name)

    # Index

    def set_index(
        self,
        index: IndexSpec,
        search: SearchParams | None = None,
        *,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
    ) -> LibraryInfo:
        """Build a new index beside the serving one and switch to it when it is ready."""
        store = self._workspace.store(create=True)
        return store.rebuild(self.name, index, search, on_progress)

    def compare_indexes(self, options: CompareOptions | None = None) -> Comparison:
        """Measure recall, latency and size of indexes on this library's own vectors.

        Recorded searches are asked as well. See :func:`search_core.lab.recommendation.recommend`.
        """
        from search_core.lab.benchmark import IndexBenchmark
        from search_core.lab.plan import CompareOptions

        workspace = self._workspace
        options = options or CompareOptions()
        info = self.info
        encoder = workspace.encoder(library=self.name)
        same = info.encoder.same_space(encoder.identity)
        benchmark = IndexBenchmark(
            workspace.store(create=True),
            self.name,
            options,
            encode=encoder.encode_texts if same else None,
            recorded=workspace.query_log().recent(self.name, info.encoder, 20 * options.queries),
        )
        return benchmark.run()


def _opened(image: str | Path | Image.Image | None, max_pixels: int) -> Image.Image | None:
    if image is None or not isinstance(image, str | Path):
        return image
    from ingest.media.decoding import decode_image

    return decode_image(Path(image), max_pixels=max_pixels)
