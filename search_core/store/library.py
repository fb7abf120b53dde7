"""What a library is, the protocol of the stores that hold libraries, a library's replacement, and
going through what passes a filter while it is being changed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, Self

import numpy as np

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import EncoderMismatch, UsageError
from search_core.indexes import (
    DEFAULT_INDEX,
    IndexSpec,
    MetricType,
    SearchParams,
    VectorKind,
    index_spec_from_dict,
    index_spec_to_dict,
)
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import KIND_FIELD, REGION_FIELDS, STORED_FIELDS, MediaEntity
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.schema.lettering import LETTERING_TEXT_FIELD, Wording
from search_core.store.scratch import FACETS, TRIAL_TIMEOUT_S, Trial


class Replacement(ABC):
    """A context manager; left before :meth:`switch`, the library is as it was.

    What an Interrupted that puts it off leaves can be gone on with for a day.

    The library is searched and written to throughout. What is written to it meanwhile is pending
    again. From :meth:`close_writing` to the switch, writers are refused with StoreBusy.

    Entered after a process that was killed, or put it off, it goes on with what that one left:
    ``kept`` is how many rows that are.
    """

    kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the library as it was, unless it was switched."""
        return

    @abstractmethod
    def pending(self) -> Iterator[list[MediaEntity]]:
        """Yield the entities that the new collection lacks, or has as they were, by their ids.

        What the library lost meanwhile is removed from the new collection.
        """

    @abstractmethod
    def put(self, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Write entities with their new embeddings (n, dim) to the new collection."""

    def build(self, on_progress: Callable[[float], None] = lambda share: None) -> None:
        """Index and load the new collection; to be called once most of it is there."""
        return

    def close_writing(self) -> None:
        """Let no more writes to the library be acknowledged."""
        return

    @abstractmethod
    def switch(self) -> None:
        """Make the new collection the library's, in one step; raises StoreBusy."""


NO_FILTER = Filter()
#: Keyframes and their regions: what speaks of vectors counts these.
EVERY_ROW = Filter(regions=True)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """A library: its name, the collection that serves it now, and how it was built.

    ``encoder`` made its vectors; ``search`` holds the nprobe and ef searches use by default.
    ``successor`` is the collection that a running rebuild fills, "" when there is none; ``heir``
    the one, of another encoder, that is about to take over: until then nothing is written.
    ``fields`` are those its collection has: one made before a field was added lacks it.
    ``has_regions`` says that regions were written to it: until then no filter speaks of them.
    ``has_lettering`` says that words were read on what it holds: until then no sentence is looked
    for in them.
    """

    name: str
    collection: str
    encoder: EncoderIdentity
    metric: MetricType
    index: IndexSpec
    search: SearchParams
    created_at: int
    successor: str = ""
    heir: str = ""
    fields: tuple[str, ...] = STORED_FIELDS
    has_regions: bool = field(default=False, compare=False)
    has_lettering: bool = field(default=False, compare=False)

    @property
    def filter_fields(self) -> tuple[str, ...]:
        """The fields that filters are written by: where there are no regions, none tells them."""
        if self.has_regions:
            return self.fields
        return tuple(name for name in self.fields if name not in REGION_FIELDS)

    @property
    def keeps_lettering(self) -> bool:
        """Whether its collection can hold what is read on pictures."""
        return LETTERING_TEXT_FIELD in self.fields

    @property
    def collections(self) -> tuple[str, ...]:
        """The collections that a write goes to: first the one that serves."""
        return (self.collection, self.successor) if self.successor else (self.collection,)

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored with the collection, as plain JSON values."""
        return {
            "library": self.name,
            "encoder": self.encoder.to_dict(),
            "metric": self.metric,
            "index": index_spec_to_dict(self.index),
            "search": {"nprobe": None, "ef": None, **self.search.given()},
            "created_at": self.created_at,
        }

    @classmethod
    def from_dict(cls, collection: str, record: dict[str, Any]) -> LibraryInfo:
        """Read what :meth:`to_dict` wrote."""
        return cls(
            name=record["library"],
            collection=collection,
            encoder=EncoderIdentity.from_dict(record["encoder"]),
            metric=record["metric"],
            index=index_spec_from_dict(record["index"]),
            search=SearchParams.from_dict(record["search"]),
            created_at=record["created_at"],
        )

    def search_params(self, asked: SearchParams | None, k: int) -> dict[str, int]:
        """Return Milvus's search parameters for ``k`` hits: what is asked, else the defaults.

        A default (such as ``ef``) below ``k`` is raised to it: nobody asked for it here. One that
        was asked for raises IndexParameterError.
        """
        default = self.search.for_hits(k)
        return self.index.search_params((asked or SearchParams()).over(default), k)

    def search_options(self, asked: SearchParams | None, k: int) -> dict[str, Any]:
        """Return what Milvus is given to search by for ``k`` hits: metric and parameters."""
        metric, params = _options(self, asked, k)
        return {"metric_type": metric, "params": dict(params)}

    def require_encoder(self, identity: EncoderIdentity) -> None:
        """Raise EncoderMismatch unless ``identity`` made this library's vectors."""
        if not self.encoder.same_space(identity):
            raise EncoderMismatch(
                "The library {name} holds vectors of {encoder}; the encoder in use is {other}.",
                "Choose that encoder with --model {model}, or another library with --library.",
                name=self.name,
                encoder=self.encoder.label_beside(identity),
                other=identity.label_beside(self.encoder),
                model=self.encoder.name,
            )


@lru_cache(maxsize=256)
def _options(
    library: LibraryInfo, asked: SearchParams | None, k: int
) -> tuple[str, dict[str, int]]:
    return library.index.metric_for(library.metric), library.search_params(asked, k)


@dataclass(frozen=True, slots=True)
class Match:
    """One entity a vector search found; ``score`` is a similarity, higher is better."""

    score: float
    entity: MediaEntity


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Some of a library's entities with their embeddings (n, dim)."""

    entities: list[MediaEntity]
    embeddings: Embeddings


class Store(Protocol):
    """Where libraries live: MilvusStore for real, MemoryStore for tests."""

    @property
    def address(self) -> str:
        """Where it is, as people are told; may be empty."""

    def server(self) -> ServerInfo:
        """Return which Milvus it is."""

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""

    def library(self, name: str, encoder: EncoderIdentity | None = None) -> LibraryInfo:
        """Return one library; raises LibraryNotFound.

        Raises EncoderMismatch unless ``encoder``, where it is given, made its vectors.
        """

    def ensure_library(
        self,
        name: str,
        identity: EncoderIdentity,
        *,
        metric: MetricType = "COSINE",
        index: IndexSpec = DEFAULT_INDEX,
    ) -> LibraryInfo:
        """Return the library, created when it is new; raises EncoderMismatch."""

    def drop_library(self, name: str) -> None:
        """Remove a library with all its entities; raises LibraryNotFound."""

    def rename_library(self, name: str, new_name: str) -> None:
        """Give a library another name; raises LibraryNotFound, UsageError, StoreBusy."""

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities with their embeddings (n, dim); one of the same id is replaced."""

    def settle(self, name: str) -> None:
        """Return when everything written is seen by every reader and kept on disk."""

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities pass the filter; not ``fresh``, sooner, as of seconds ago."""

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that pass the filter, in no promised order."""

    def lettered(
        self,
        name: str,
        wording: Wording,
        where: Filter = NO_FILTER,
        *,
        limit: int = 100,
        fuzzy: bool = False,
    ) -> list[MediaEntity]:
        """Return entities that pass the filter and on which all words were read, in no order.

        ``fuzzy``: in words of four characters or more one may be wrong. None of a library whose
        collection holds no lettering.
        """

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts by camera, tag and media type over all entities that pass the filter."""

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound."""

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what passes the filter with its embeddings, some 1,000 at a time.

        With a ``limit`` below their number it is that many by chance, the same for the same
        ``seed`` and contents. Order is not promised.
        """

    def delete(self, name: str, where: Filter) -> int:
        """Remove what passes the filter, with its regions; return how many keyframes that were.

        Refuses an empty filter. One ``with_regions`` removes regions alone too, and counts rows.
        """

    def search(
        self,
        name: str,
        vectors: Embeddings,
        *,
        k: int,
        where: Filter = NO_FILTER,
        params: SearchParams | None = None,
    ) -> list[list[Match]]:
        """Return for each of the vectors (n, dim) its ``k`` nearest entities, best first."""

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same without the index: what passes is fetched and compared one by one."""

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
        *,
        in_place: bool = False,
    ) -> LibraryInfo:
        """Build a library's new index; ``search`` becomes its default nprobe and ef.

        It is built beside the serving one and switched to when it is ready, while searches and
        writes go on; ``in_place``, where a second copy does not fit, they wait. ``on_progress``
        hears what is being done and the share of it, 0 to 1. Ended anywhere, the library serves as
        before; raises StoreBusy while another rebuild of it runs.
        """

    def replacement(self, name: str, identity: EncoderIdentity, work: str = "") -> Replacement:
        """Return what fills a library's next collection, for embeddings of another encoder.

        ``work`` is a name that only one process at a time acts under: it goes on with what another
        left under it, whether that has ended or not.
        """

    def open_trial(
        self,
        dim: int,
        *,
        metric: str,
        vector_kind: VectorKind = "float",
        timeout_s: float = TRIAL_TIMEOUT_S,
        facets: Sequence[str] = FACETS,
    ) -> Trial:
        """Return an empty trial for vectors of ``dim`` dimensions (bits, where it is binary).

        ``facets`` are those of FACETS that its filters ask for: each takes time to store.
        """

    def remove_leftovers(self) -> list[str]:
        """Remove what processes that ended midway left behind, and return its names."""

    def close(self) -> None:
        """Let go of the connection, and of the embedded Milvus's lock."""


def check_library_name(name: str) -> str:
    """Return ``name`` if Milvus can have it as an alias; raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "{name!r} cannot name a library.",
            "Use letters, digits and underscores, not starting with a digit, at most 128.",
            name=name,
        )
    return name


def check_k(k: int) -> int:
    """Return ``k`` if Milvus accepts it as a number of hits (1 to 16,384); raises UsageError."""
    if not 1 <= k <= 16_384:
        raise UsageError(
            "k must be from 1 to 16384, not {k}.", "Milvus returns no more at once.", k=k
        )
    return k


def require_filter(where: Filter) -> None:
    """Raise UsageError for a filter that would delete everything."""
    if where.is_empty:
        raise UsageError(
            "A delete needs a filter or ids.", "To remove everything, drop the library."
        )


def require_regions(library: LibraryInfo) -> None:
    """Raise UsageError for a library from before regions were stored."""
    if KIND_FIELD not in library.fields:
        raise UsageError(
            "The library {name} was made before regions of pictures could be stored.",
            "Rebuild its index, which lifts that: `sightline index show`, then `sightline index "
            "set` with the same type.",
            name=library.name,
        )


CHUNK_ROWS = 500
_FEW_ROWS = 10_000


def chunks_where(store: Store, library: str, where: Filter) -> Iterator[VectorPage]:
    """Yield what passes a filter, some at a time, with embeddings; each once, whatever is written.

    What passes are keyframes, and each comes with its regions, in one page: what is done to rows
    is done to all of them. It is settled before the first chunk: only ids are held of it. What was
    deleted since is left out.
    """
    ids = list(dict.fromkeys(where.ids))
    if not ids or where != Filter(ids=where.ids):
        ids = [entity.id for page in entities_where(store, library, where) for entity in page]
    for start in range(0, len(ids), CHUNK_ROWS):
        chosen = Filter(ids=tuple(ids[start : start + CHUNK_ROWS]), regions=True)
        if pages := list(store.vectors(library, where=chosen)):
            yield VectorPage(
                [entity for page in pages for entity in page.entities],
                np.concatenate([page.embeddings for page in pages]),
            )


def entities_where(store: Store, library: str, where: Filter) -> Iterator[list[MediaEntity]]:
    """Yield all entities that pass a filter, some at a time, in no promised order."""
    few = store.entities(library, where, limit=_FEW_ROWS)
    if len(few) < _FEW_ROWS:
        yield few
        return
    for page in store.vectors(library, where=where):
        yield page.entities
