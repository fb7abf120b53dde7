"""What processes that were killed midway left in Milvus: trials, rebuilds, half-made libraries."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pymilvus import MilvusClient

from search_core.endpoint import Endpoint
from search_core.lite.inspection import is_leftover
from search_core.lite.layout import ALIASES, SCHEMA, Unreadable, collections, read_aliases
from search_core.store.milvus.catalog import LibraryRegistry
from search_core.store.milvus.connection import write_lock
from search_core.trials import TRIAL_PREFIX

#: Names of trials and of libraries' collections.
_OURS = re.compile(rf"{TRIAL_PREFIX}[0-9a-f]+|\w+_\d{{14}}_[0-9a-f]+")


def has_leftovers(client: MilvusClient, registry: LibraryRegistry) -> bool:
    """Whether there is a collection that :func:`remove_leftovers` would remove; waits for nobody.

    Two calls where all is in order: then there are as many collections of ours as aliases.
    """
    ours = [name for name in map(str, client.list_collections()) if _OURS.fullmatch(name)]
    if len(ours) <= len(registry.names()) and not any(map(_is_trial, ours)):
        return False
    serving = {info.collection for info in registry.all()}
    return any(name not in serving and registry.is_abandoned(name) for name in ours)


def remove_leftovers(
    client: MilvusClient, registry: LibraryRegistry, endpoint: Endpoint
) -> list[str]:
    """Remove collections without an alias whose owner has ended, and return their names.

    Collections that nobody owned, and those of processes that live, stay; so do those of another
    host for a day. A second alias that a renaming left goes too. A library's note of a rebuild that
    has ended goes first, so that writers never write to what is gone.
    """
    with write_lock(endpoint):
        registry.remove_stray_aliases()
        serving = set()
        for name in registry.names():
            info = registry.find(name)
            if info is None:
                continue
            serving.add(info.collection)
            if info.successor and not registry.is_worked_on(info.successor):
                registry.set_successor(info.collection, "")
            if info.heir and not registry.is_worked_on(info.heir):
                registry.set_heir(info.collection, "")
        removed = []
        for collection in map(str, client.list_collections()):
            ours = _OURS.fullmatch(collection)  # others' may be nothing to look at
            if ours and collection not in serving and registry.is_abandoned(collection):
                registry.drop(collection)
                removed.append(collection)
        if "://" not in endpoint.uri:
            remove_unlisted(Path(endpoint.uri))
    return removed


def _is_trial(collection: str) -> bool:
    return collection.startswith(TRIAL_PREFIX)


def remove_unlisted(lite_dir: Path) -> None:
    """Remove what a kill left of collections that Milvus Lite was about to make or to remove.

    Such a folder has neither a schema nor an alias; one that has an alias is damaged, and stays.
    Nobody else may be using ``lite_dir``.
    """
    try:
        kept = set(read_aliases(lite_dir).values())
    except Unreadable:
        return
    are_known = (lite_dir / ALIASES).exists()
    for folder in collections(lite_dir):
        if folder.name in kept or (folder / SCHEMA).exists():
            continue
        if is_leftover(folder, are_known):
            shutil.rmtree(folder)
