"""What a collection remembers of itself, as JSON in its properties, and whose it is.

- ``sightline``: the library's encoder, metric, index and default search parameters;
- ``sightline.owner``: the process that makes, replaces or removes it;
- ``sightline.before``: what the library was before its index is replaced in place (rebuild.py);
- ``sightline.successor``: the collection that a running rebuild fills beside it;
- ``sightline.heir``: the collection of another encoder that is about to take over;
- ``sightline.work``: in such a collection, the work of which it is made. Who does the same work can
  go on with it for a day after its owner ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.endpoint import Endpoint
from search_core.library import LibraryInfo
from search_core.lite.inspection import Health
from search_core.ownership import Owner
from search_core.servers import ServerInfo
from search_core.store.milvus.connection import server_of
from search_core.store.milvus.errors import is_missing
from search_core.store.milvus.schema import scalar_fields

PROPERTY = "sightline"
OWNER_PROPERTY = "sightline.owner"
BEFORE_PROPERTY = "sightline.before"
SUCCESSOR_PROPERTY = "sightline.successor"
HEIR_PROPERTY = "sightline.heir"
WORK_PROPERTY = "sightline.work"


class CollectionNotes:
    """Reads and writes what collections remember."""

    def __init__(self, client: MilvusClient, endpoint: Endpoint, health: Health) -> None:
        self._client = client
        self.endpoint = endpoint
        self.health = health
        self._server: ServerInfo | None = None

    def write_info(self, info: LibraryInfo) -> None:
        """Remember what a library is now."""
        self._set(info.collection, {PROPERTY: json.dumps(info.to_dict())})

    def own(self, collection: str) -> None:
        """Note that this process works on a collection."""
        self._set(collection, owned())

    def disown(self, collection: str) -> None:
        """Note that nobody works on a collection any more."""
        self._set(collection, {OWNER_PROPERTY: "", WORK_PROPERTY: ""})

    def note_before(self, info: LibraryInfo) -> None:
        """Note what a library is before this process replaces its index in place."""
        self._set(info.collection, {BEFORE_PROPERTY: json.dumps(info.to_dict()), **owned()})

    def forget_before(self, collection: str) -> None:
        """Note that a replacement in place has ended, and that nobody works on the collection."""
        self._set(collection, {BEFORE_PROPERTY: "", OWNER_PROPERTY: ""})

    def set_successor(self, collection: str, successor: str) -> None:
        """Tell all writers to write to ``successor`` too; "" ends it."""
        self._set(collection, {SUCCESSOR_PROPERTY: successor})

    def set_heir(self, collection: str, heir: str) -> None:
        """Tell all writers not to write: ``heir`` is about to take over; "" ends it."""
        self._set(collection, {HEIR_PROPERTY: heir})

    def is_worked_on(self, collection: str) -> bool:
        """Whether a collection exists and a process that lives owns it."""
        owner = self._owner(collection)
        return owner is not None and not owner.is_gone()

    def is_own(self, collection: str) -> bool:
        """Whether this process owns a collection."""
        owner = self._owner(collection)
        return owner is not None and owner.is_this_process()

    def is_abandoned(self, collection: str) -> bool:
        """Whether a collection is owned by a process that has ended, and nobody may go on with it.

        That is a day later where its work can be gone on with.
        """
        described = self.describe(collection)
        owner = self._owner(collection)
        can_go_on = bool(described and properties_of(described).get(WORK_PROPERTY))
        return owner is not None and owner.is_gone() and (owner.is_old() or not can_go_on)

    def _owner(self, collection: str) -> Owner | None:
        described = self.describe(collection)
        text = properties_of(described).get(OWNER_PROPERTY) if described else None
        return Owner.from_dict(json.loads(text)) if text else None

    def _set(self, collection: str, properties: Mapping[str, str]) -> None:
        self._client.alter_collection_properties(collection, dict(properties))
        if self._forgets_last_change():
            self._client.alter_collection_properties(collection, dict(properties))

    def _forgets_last_change(self) -> bool:
        """Whether a restart of this Milvus undoes the last change of a collection (2.3.5)."""
        if self._server is None:
            self._server = server_of(self._client, self.endpoint)
        return not self._server.embedded and not self._server.at_least("2.4")

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return a collection by its name or its alias, None where there is none.

        Raises StoreDamaged for one that the embedded Milvus cannot open.
        """
        self.health.require(name)
        try:
            described: dict[str, Any] = self._client.describe_collection(name)
        except MilvusException as error:
            if is_missing(error):
                return None
            self.health.explain()
            raise
        return described


def owned() -> dict[str, str]:
    """Return the property that makes a new collection this process's."""
    return {OWNER_PROPERTY: json.dumps(Owner.current().to_dict())}


def properties_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties of a described collection."""
    return dict(described.get("properties") or {})


def info_in(described: Mapping[str, Any]) -> LibraryInfo | None:
    """Return the library that a described collection is of, None where it is of none."""
    properties = properties_of(described)
    if text := properties.get(PROPERTY):
        info = LibraryInfo.from_dict(str(described["collection_name"]), json.loads(text))
        return replace(
            info,
            successor=properties.get(SUCCESSOR_PROPERTY, ""),
            heir=properties.get(HEIR_PROPERTY, ""),
            fields=scalar_fields(described),
        )
    return None
