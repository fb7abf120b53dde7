from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from search_core.encoders.base import EncoderIdentity
from search_core.indexes import Hnsw
from search_core.store.milvus.properties import (
    BELIEVED_MS,
    OWNER_PROPERTY,
    SUCCESSOR_PROPERTY,
    WORK_PROPERTY,
    Owner,
)
from search_core.store.milvus.scratch import remove_unlisted
from search_core.store.milvus.store import MilvusStore
from search_core.store.scratch import TRIAL_PREFIX
from tests.conftest import clip_like_vectors, make_entity

HERE = Owner.current()
DEAD = replace(HERE, started="long ago")
ELSEWHERE = replace(HERE, host="elsewhere")


@pytest.fixture
def client(lite_store: MilvusStore) -> MilvusClient:
    return MilvusClient(lite_store.endpoint.uri)


def make_collection(client: MilvusClient, name: str, owner: Owner | None, work: str = "") -> None:
    properties = {OWNER_PROPERTY: json.dumps(asdict(owner))} if owner else {}
    properties |= {WORK_PROPERTY: work} if work else {}
    client.create_collection(name, dimension=4, properties=properties)
    if owner:  # a collection of four dimensions made quickly leaves properties out
        client.alter_collection_properties(name, properties)


def test_only_what_the_dead_left_is_removed(lite_store: MilvusStore, client: MilvusClient) -> None:
    old = replace(ELSEWHERE, since=HERE.since - BELIEVED_MS - 60_000)
    dead, aged = f"{TRIAL_PREFIX}0a", "main_20260102030405_1b2c"
    kept = {f"{TRIAL_PREFIX}0b": HERE, f"{TRIAL_PREFIX}0c": ELSEWHERE, "another": DEAD, "x": None}
    for name, owner in {dead: DEAD, aged: old, **kept}.items():
        make_collection(client, name, owner)
    assert sorted(lite_store.remove_leftovers()) == sorted([dead, aged])
    assert lite_store.remove_leftovers() == []
    assert sorted(client.list_collections()) == sorted(kept)


def test_any_command_may_tidy_up_and_leaves_the_living_alone(
    lite_store: MilvusStore, client: MilvusClient, identity: EncoderIdentity
) -> None:
    serving = lite_store.ensure_library("main", identity).collection
    assert lite_store.tidy() == []
    dead = [f"{TRIAL_PREFIX}0a", "main_20260102030405_1b2c"]
    kept = {f"{TRIAL_PREFIX}0b": HERE, "main_20260102030405_1b2d": HERE, "another": DEAD}
    for name, owner in {dead[0]: DEAD, **kept}.items():
        make_collection(client, name, owner)
    assert lite_store.tidy() == [dead[0]]
    make_collection(client, dead[1], DEAD)
    assert lite_store.tidy() == [dead[1]]
    assert sorted(client.list_collections()) == sorted([serving, *kept])


def test_work_that_can_be_gone_on_with_is_removed_a_day_later(
    lite_store: MilvusStore, client: MilvusClient
) -> None:
    old = replace(DEAD, since=HERE.since - BELIEVED_MS - 60_000)
    make_collection(client, "main_20260102030405_1b2c", old, "re-embedding")
    make_collection(client, "main_20260102030405_1b2d", DEAD, "re-embedding")
    assert lite_store.remove_leftovers() == ["main_20260102030405_1b2c"]


def test_a_library_of_a_dead_process_is_a_library(
    lite_store: MilvusStore, client: MilvusClient, identity: EncoderIdentity
) -> None:
    collection = lite_store.ensure_library("main", identity).collection
    dead = {OWNER_PROPERTY: json.dumps(asdict(DEAD))}
    client.alter_collection_properties(collection, dead)
    assert lite_store.remove_leftovers() == []
    assert lite_store.library("main").collection == collection


def test_an_alias_that_a_renaming_left_is_in_nobodys_way(
    lite_store: MilvusStore, client: MilvusClient, identity: EncoderIdentity
) -> None:
    def aliases() -> list[str]:
        return sorted(map(str, client.list_aliases()["aliases"]))

    collection = lite_store.ensure_library("main", identity).collection
    client.create_alias(collection, "gate")
    client.create_alias(collection, "dock")
    client.alter_collection_properties(collection, {OWNER_PROPERTY: json.dumps(asdict(HERE))})
    lite_store.remove_leftovers()
    assert aliases() == ["dock", "gate", "main"]  # somebody renames it now, for all one knows

    client.alter_collection_properties(collection, {OWNER_PROPERTY: json.dumps(asdict(DEAD))})
    assert lite_store.ensure_library("gate", identity).collection != collection
    lite_store.remove_leftovers()
    assert aliases() == ["gate", "main"]
    lite_store.rename_library("main", "dock")
    assert aliases() == ["dock", "gate"]
    assert lite_store.library("dock").collection == collection


def test_the_note_of_a_dead_rebuild_goes_and_writers_never_stumble(
    lite_store: MilvusStore, client: MilvusClient, identity: EncoderIdentity
) -> None:
    collection = lite_store.ensure_library("main", identity).collection
    client.alter_collection_properties(collection, {SUCCESSOR_PROPERTY: "gone"})
    lite_store.upsert("main", [make_entity(1)], clip_like_vectors(1, identity.dim))
    assert lite_store.count("main") == 1
    lite_store.remove_leftovers()
    assert lite_store.library("main").successor == ""
    assert lite_store.rebuild("main", Hnsw()).index == Hnsw()
    assert lite_store.count("main") == 1


def test_folders_that_milvus_lite_does_not_know_are_removed(tmp_path: Path) -> None:
    half = tmp_path / "collections" / "half" / "partitions"
    whole = tmp_path / "collections" / "whole"
    half.mkdir(parents=True)
    whole.mkdir()
    (tmp_path / "aliases.json").write_text("{}")
    (half / "data.parquet").touch()
    (whole / "schema.json").touch()
    remove_unlisted(tmp_path)
    assert [folder.name for folder in (tmp_path / "collections").iterdir()] == ["whole"]


@pytest.mark.parametrize("aliases", ['{"main": "half"}', "", None])
def test_a_folder_that_has_lost_its_schema_stays(tmp_path: Path, aliases: str | None) -> None:
    half = tmp_path / "collections" / "half" / "partitions"
    half.mkdir(parents=True)
    (half / "data.parquet").touch()
    if aliases is not None:
        (tmp_path / "aliases.json").write_text(aliases)
    remove_unlisted(tmp_path)
    assert (half / "data.parquet").exists()
