"""What one person's store shows and refuses: every method of the protocol, on Milvus Lite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest

from search_core.access.audit_log import AuditLog
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import Access, Role
from search_core.encoders.base import EncoderIdentity
from search_core.errors import EntityNotFound, NotAllowed, UsageError
from search_core.indexes import Flat
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, Wording, stored_lines
from search_core.store.library import Store
from search_core.store.memory.store import MemoryStore
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

ROWS = 30
LETTERING = stored_lines([Line("FERN", 0.9, (0.1, 0.1, 0.5, 0.2))])
ENTITIES = [make_entity(number, lettering=LETTERING) for number in range(ROWS)]
VECTORS = clip_like_vectors(ROWS, 16)
#: Entities 1, 4, 7 … are of cam-1; the others are not to be seen.
MINE = {entity.id for entity in ENTITIES if entity.camera == "cam-1"}
OTHERS = ENTITIES[0]
OWN = ENTITIES[1]


@pytest.fixture(params=["memory", "lite"])
def store(request: pytest.FixtureRequest, identity: EncoderIdentity) -> Store:
    made: Store = MemoryStore()
    if request.param == "lite":
        lite: MilvusStore = request.getfixturevalue("lite_store")
        made = lite
    made.ensure_library("main", identity)
    made.upsert("main", ENTITIES, VECTORS)
    made.settle("main")
    return made


class Guarded(Protocol):
    def __call__(
        self, role: Role, cameras: tuple[str, ...] | None = ("cam-1",)
    ) -> GuardedStore: ...


@pytest.fixture
def guarded(store: Store, audit: AuditLog) -> Guarded:
    def make(role: Role, cameras: tuple[str, ...] | None = ("cam-1",)) -> GuardedStore:
        return GuardedStore(store, Access("ann", role, cameras), audit)

    return make


def test_every_method_of_the_protocol_was_considered() -> None:
    """A new method of Store is to be scoped or refused below, and then named here."""
    methods = {name for name in vars(Store) if not name.startswith("_")}
    assert methods == {*SCOPED, *REFUSED, *OPEN}
    assert {name for name in vars(GuardedStore) if not name.startswith("_")} == methods


#: What returns or changes nothing of any camera.
OPEN = {"address", "close", "server", "libraries", "library"}

#: Each returns the ids of what it showed.
SCOPED: dict[str, Callable[[Store, Filter], set[str]]] = {
    "entities": lambda s, f: {e.id for e in s.entities("main", f)},
    "lettered": lambda s, f: {
        e.id for e in s.lettered("main", Wording(("fern",)), f, limit=ROWS, fuzzy=True)
    },
    "search": lambda s, f: {
        m.entity.id for found in s.search("main", VECTORS, k=ROWS, where=f) for m in found
    },
    "search_exact": lambda s, f: {
        m.entity.id for found in s.search_exact("main", VECTORS, k=ROWS, where=f) for m in found
    },
    "vectors": lambda s, f: {
        e.id for page in s.vectors("main", where=f, limit=ROWS) for e in page.entities
    },
    "facets": lambda s, f: {
        e.id for e in ENTITIES if e.source_id in s.facets("main", f).source_ids
    },
    "count": lambda s, f: {
        e.id for e in ENTITIES if f.matches(e) and s.count("main", replace(f, ids=(e.id,)))
    },
    "embedding": lambda s, f: {e.id for e in ENTITIES if f.matches(e) and _has_embedding(s, e.id)},
}


def _has_embedding(store: Store, entity_id: str) -> bool:
    try:
        return store.embedding("main", entity_id).shape == (16,)
    except EntityNotFound:
        return False


@pytest.mark.parametrize("method", sorted(SCOPED))
@pytest.mark.parametrize(
    "where",
    [
        Filter(),
        Filter(cameras=("cam-0",)),
        Filter(cameras=("cam-0", "cam-1")),
        Filter(ids=(OTHERS.id, OWN.id)),
        Filter(source_ids=(OTHERS.source_id,)),
        Filter(tags=("odd",)),
        Filter(allowed_cameras=("cam-0", "cam-1")),
        Filter(allowed_cameras=("cam-0",)),
    ],
    ids=["all", "other camera", "two cameras", "by id", "by source", "by tag", "wide", "forged"],
)
def test_only_allowed_cameras_are_shown(guarded: Guarded, method: str, where: Filter) -> None:
    shown = SCOPED[method](guarded("viewer"), where)
    assert shown == {e.id for e in ENTITIES if where.matches(e)} & MINE


@pytest.mark.parametrize("method", sorted(SCOPED))
def test_no_camera_shows_nothing_and_none_named_shows_all(guarded: Guarded, method: str) -> None:
    assert SCOPED[method](guarded("admin", ()), Filter()) == set()
    assert SCOPED[method](guarded("viewer", None), Filter()) == {e.id for e in ENTITIES}


IDENTITY = EncoderIdentity("test-encoder", "made-up", "0" * 32, 16, "fp32")
#: What changes something, and the roles that may not do it.
REFUSED: dict[str, tuple[Callable[[Store], object], tuple[Role, ...]]] = {
    "ensure_library": (lambda s: s.ensure_library("new", IDENTITY), ("viewer",)),
    "upsert": (lambda s: s.upsert("main", [OWN], VECTORS[1:2]), ("viewer",)),
    "settle": (lambda s: s.settle("main"), ("viewer",)),
    "delete": (lambda s: s.delete("main", Filter(ids=(OWN.id,))), ("viewer", "operator")),
    "drop_library": (lambda s: s.drop_library("main"), ("viewer", "operator", "admin")),
    "rename_library": (
        lambda s: s.rename_library("main", "other"),
        ("viewer", "operator", "admin"),
    ),
    "rebuild": (lambda s: s.rebuild("main", Flat()), ("viewer", "operator")),
    "replacement": (
        lambda s: s.replacement("main", replace(IDENTITY, name="other")),
        ("viewer", "operator", "admin"),
    ),
    "open_trial": (lambda s: s.open_trial(16, metric="COSINE"), ("viewer", "operator")),
    "remove_leftovers": (lambda s: s.remove_leftovers(), ("viewer", "operator")),
}


@pytest.mark.parametrize("method", sorted(REFUSED))
def test_roles_are_refused_what_is_not_theirs(
    guarded: Guarded, store: Store, audit: AuditLog, method: str
) -> None:
    call, refused = REFUSED[method]
    for role in refused:
        with pytest.raises(NotAllowed):
            call(guarded(role))
    assert store.count("main") == ROWS
    assert audit.events() == []
    call(guarded("admin", None))  # an administrator who may see all may do it


def test_nothing_that_may_not_be_seen_is_deleted(guarded: Guarded, store: Store) -> None:
    admin = guarded("admin")

    assert admin.delete("main", Filter(ids=(OTHERS.id, OWN.id))) == 1
    store.settle("main")
    assert store.count("main", Filter(ids=(OTHERS.id,))) == 1
    assert store.count("main", Filter(ids=(OWN.id,))) == 0
    with pytest.raises(UsageError):
        admin.delete("main", Filter())


def test_nothing_that_may_not_be_seen_is_overwritten(guarded: Guarded, store: Store) -> None:
    operator = guarded("operator")
    stolen = replace(OTHERS, camera="cam-1")
    given_away = replace(OWN, camera="cam-0")

    for entity in (OTHERS, stolen, given_away):
        with pytest.raises(NotAllowed):
            operator.upsert("main", [entity], VECTORS[:1])
    assert store.entities("main", Filter(ids=(OTHERS.id,)))[0].camera == "cam-0"


def test_changes_are_written_down(guarded: Guarded, audit: AuditLog) -> None:
    admin = guarded("admin", None)
    admin.upsert("main", [OWN], VECTORS[1:2])
    admin.delete("main", Filter(ids=(OWN.id,)))
    admin.rebuild("main", Flat())
    admin.drop_library("main")

    events = audit.events()[::-1]
    assert [event.action for event in events] == ["tag", "removed", "index", "drop"]
    assert {event.who for event in events} == {"ann"}
    assert events[1].detail == {"filter": {"ids": [OWN.id]}}
    assert events[2].detail["index"]["index_type"] == "FLAT"


def test_its_close_leaves_the_connection_to_others(guarded: Guarded) -> None:
    guarded("viewer").close()
    assert np.isclose(guarded("viewer", None).count("main"), ROWS)
