"""GuardedStore: a store as one person may use it.

Every filter is narrowed to the cameras that person may see before Milvus is asked, what the role
does not allow is refused, and what is changed is written into the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from search_core.access.audit_log import Action, AuditLog
from search_core.access.roles import Access
from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import EntityNotFound, NotAllowed
from search_core.indexes import IndexSpec, SearchParams, index_spec_to_dict
from search_core.indexes.milvus_version import ServerInfo
from search_core.schema.entity import MediaEntity
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.schema.lettering import Wording
from search_core.search.query_log import filter_to_dict
from search_core.store.library import (
    NO_FILTER,
    LibraryInfo,
    Match,
    Replacement,
    Store,
    VectorPage,
    require_filter,
)
from search_core.store.scratch import Trial


class GuardedStore:
    """What ``access`` may see and do of the libraries in ``store``.

    Beyond what the store raises: NotAllowed, and AuditUnavailable before anything is changed that
    could not be written down.
    """

    def __init__(self, store: Store, access: Access, audit: AuditLog, asked_from: str = "") -> None:
        self._store = store
        self._access = access
        self._audit = audit
        self._asked_from = asked_from

    @property
    def address(self) -> str:
        """Its address, as shown to people."""
        return self._store.address

    def close(self) -> None:
        """Do nothing: the connection is everybody's."""

    def server(self) -> ServerInfo:
        """Return which Milvus it is."""
        return self._store.server()

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries by name."""
        return self._store.libraries()

    def library(self, name: str, encoder: EncoderIdentity | None = None) -> LibraryInfo:
        """Return one library; raises LibraryNotFound, EncoderMismatch."""
        return self._store.library(name, encoder)

    def ensure_library(self, name: str, identity: EncoderIdentity, **options: Any) -> LibraryInfo:
        """Return the library, created when it is new: for who may ingest."""
        self._access.require("ingest", "adding to a library")
        return self._store.ensure_library(name, identity, **options)

    def drop_library(self, name: str) -> None:
        """Remove a library: for who may delete, and see all of it."""
        self._access.require("delete", "dropping a library")
        self._access.require_all_cameras("dropping a library")
        self._record("drop", name)
        self._store.drop_library(name)

    def rename_library(self, name: str, new_name: str) -> None:
        """Give a library another name: for who may delete, and see all of it."""
        self._access.require("delete", "renaming a library")
        self._access.require_all_cameras("renaming a library")
        self._record("renamed", name, {"to": new_name})
        self._store.rename_library(name, new_name)

    def upsert(self, name: str, entities: Sequence[MediaEntity], embeddings: Embeddings) -> None:
        """Store entities of cameras that may be seen, in place of none that may not be."""
        self._access.require("tag", "changing pictures")
        ids = tuple(entity.id for entity in entities)
        is_hidden = any(not self._access.sees(entity.camera) for entity in entities)
        if (
            ids and self._access.cameras is not None and not is_hidden
        ):  # what they take the place of
            where = Filter(ids=ids)
            is_hidden = self._store.count(name, where) > self.count(name, where)
        if is_hidden:
            raise NotAllowed("Some of these pictures are of a camera that you may not see.")
        self._record("tag", name, {"ids": list(ids)})
        self._store.upsert(name, entities, embeddings)

    def settle(self, name: str) -> None:
        """Return when everything written is seen by every reader: for who may write."""
        self._access.require("tag", "changing pictures")
        self._store.settle(name)

    def count(self, name: str, where: Filter = NO_FILTER, *, fresh: bool = True) -> int:
        """Return how many entities that may be seen pass the filter."""
        return self._store.count(name, self._seen(where), fresh=fresh)

    def entities(
        self, name: str, where: Filter = NO_FILTER, *, limit: int = 100, offset: int = 0
    ) -> list[MediaEntity]:
        """Return entities that may be seen and pass the filter, in no promised order."""
        return self._store.entities(name, self._seen(where), limit=limit, offset=offset)

    def lettered(
        self, name: str, wording: Wording, where: Filter = NO_FILTER, **options: Any
    ) -> list[MediaEntity]:
        """Return entities that may be seen and on which all words were read, in no order."""
        return self._store.lettered(name, wording, self._seen(where), **options)

    def facets(self, name: str, where: Filter = NO_FILTER) -> Facets:
        """Return counts over the entities that may be seen and pass the filter."""
        return self._store.facets(name, self._seen(where))

    def embedding(self, name: str, entity_id: str) -> Embeddings:
        """Return one entity's embedding (dim,); raises EntityNotFound if it may not be seen."""
        where = Filter(ids=(entity_id,), regions=True)
        if self._access.cameras is not None and not self.count(name, where):
            # The same words as for one that is not there: nobody learns which it is.
            raise EntityNotFound("The library {name} has no entity {id}.", name=name, id=entity_id)
        return self._store.embedding(name, entity_id)

    def vectors(
        self, name: str, *, where: Filter = NO_FILTER, limit: int | None = None, seed: int = 0
    ) -> Iterator[VectorPage]:
        """Yield what may be seen and passes the filter with its embeddings."""
        return self._store.vectors(name, where=self._seen(where), limit=limit, seed=seed)

    def delete(self, name: str, where: Filter) -> int:
        """Remove what may be seen and passes the filter: for who may delete."""
        self._access.require("delete", "deleting")
        require_filter(where)  # before it is narrowed: "all that I may see" is not meant
        self._record("removed", name, {"filter": filter_to_dict(where)})
        return self._store.delete(name, self._seen(where))

    def search(
        self, name: str, vectors: Embeddings, *, where: Filter = NO_FILTER, **options: Any
    ) -> list[list[Match]]:
        """Return for each of the vectors (n, dim) its nearest that may be seen."""
        return self._store.search(name, vectors, where=self._seen(where), **options)

    def search_exact(
        self, name: str, vectors: Embeddings, *, k: int, where: Filter = NO_FILTER
    ) -> list[list[Match]]:
        """Return the same without the index."""
        return self._store.search_exact(name, vectors, k=k, where=self._seen(where))

    def rebuild(
        self,
        name: str,
        index: IndexSpec,
        search: SearchParams | None = None,
        on_progress: Callable[[str, float], None] = lambda doing, share: None,
        *,
        in_place: bool = False,
    ) -> LibraryInfo:
        """Build a library's new index: for who may change indexes."""
        self._access.require("index", "changing an index")
        searched = search.given() if search is not None else {}
        self._record("index", name, {"index": index_spec_to_dict(index), "search": searched})
        return self._store.rebuild(name, index, search, on_progress, in_place=in_place)

    def replacement(self, name: str, identity: EncoderIdentity, work: str = "") -> Replacement:
        """Return what gives a library another encoder: for who may change indexes, and see all."""
        self._access.require("index", "changing an encoder")
        self._access.require_all_cameras("changing an encoder")
        self._record("index", name, {"encoder": identity.label})
        return self._store.replacement(name, identity, work)

    def open_trial(self, dim: int, *, metric: str, **options: Any) -> Trial:
        """Return an empty trial: for who may change indexes."""
        self._access.require("index", "comparing indexes")
        return self._store.open_trial(dim, metric=metric, **options)

    def remove_leftovers(self) -> list[str]:
        """Remove what processes that ended midway left: for who may change indexes."""
        self._access.require("index", "tidying up")
        return self._store.remove_leftovers()

    def _seen(self, where: Filter) -> Filter:
        return where.seen_by(self._access.cameras)

    def _record(self, action: Action, name: str, detail: dict[str, Any] | None = None) -> None:
        self._audit.record(self._access.name, action, name, detail, self._asked_from)
