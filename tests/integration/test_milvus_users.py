"""A Milvus with users: the privileges that docs/milvus.md lists are enough, others are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from benchmarks.index.milvus_server import ServerConfig, standalone
from search_core.encoders.base import EncoderIdentity
from search_core.errors import StoreAccessDenied
from search_core.indexes import Hnsw, IvfFlat
from search_core.schema.filters import Filter
from search_core.store.endpoint import Endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import clip_like_vectors, make_entity

pytestmark = pytest.mark.server
DOCS = Path(__file__).parents[2] / "docs" / "milvus.md"
#: Milvus's own password of root.
ROOT = "root:Milvus"
#: What 2.3.5 does not know; it lets any user do these.
NEWER = {"CreateAlias", "DropAlias", "DescribeAlias", "ListAliases"}


class WithUsers(ServerConfig):
    """A server that asks who is there."""

    def __init__(self) -> None:
        super().__init__()
        self.set("authorization_enabled", True)


@pytest.fixture(scope="module")
def server_with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of its own, beside the usual one."""
    with standalone(tmp_path_factory.mktemp("users"), WithUsers()) as server:
        yield f"http://127.0.0.1:{server.listen_port}"


def documented_privileges() -> list[tuple[str, str]]:
    """Return the object type and the name of each privilege of the documented role."""
    text = DOCS.read_text(encoding="utf-8")
    code = text[text.index("create_role(") : text.index("create_user(")]
    found = []
    for names, kind in re.findall(
        r'for privilege in \((.*?)\):.*?"sightline", "(\w+)"', code, re.S
    ):
        found += [(kind, name) for name in re.findall(r'"(\w+)"', names)]
    return found


def open_store(uri: str, token: str) -> MilvusStore:
    return MilvusStore(Endpoint(uri, token, timeout_s=120.0, embedded=False))


def test_the_documented_privileges_are_enough_and_others_are_named(
    server_with_users: str, identity: EncoderIdentity
) -> None:
    root = MilvusClient(server_with_users, token=ROOT)
    root.create_user("sightline", "a-password")
    with (
        closing(open_store(server_with_users, "sightline:a-password")) as store,
        pytest.raises(StoreAccessDenied, match="PrivilegeCreateCollection"),
    ):
        store.ensure_library("main", identity)
    root.create_role("sightline")
    unknown = set()
    for kind, name in documented_privileges():
        try:
            root.grant_privilege("sightline", kind, name, "*")
        except MilvusException:
            unknown.add(name)
    assert unknown <= NEWER
    root.grant_role("sightline", "sightline")
    with closing(open_store(server_with_users, "sightline:a-password")) as store:
        live(store, identity)
    with pytest.raises(StoreAccessDenied, match="password"):
        open_store(server_with_users, "sightline:another")


def live(store: MilvusStore, identity: EncoderIdentity) -> None:
    """Do with a library all that Sightline does."""
    vectors = clip_like_vectors(20, identity.dim)
    entities = [make_entity(number) for number in range(20)]
    store.ensure_library("main", identity)
    store.upsert("main", entities, vectors)
    store.settle("main")
    assert store.search("main", vectors[:1], k=1)[0][0].entity == entities[0]
    assert store.delete("main", Filter(ids=(entities[1].id,))) == 1
    store.rebuild("main", IvfFlat(nlist=1))
    store.rebuild("main", Hnsw(m=8), in_place=True)
    store.rename_library("main", "yard")
    assert store.count("yard") == 19
    with store.open_trial(identity.dim, metric="COSINE") as trial:
        trial.settle()
    store.drop_library("yard")
    assert store.libraries() == []
