"""What a collection remembers of itself, as JSON in its properties, and whose it is.

- ``sightline``: the library's encoder, metric, index and default search parameters;
- ``sightline.owner``: the process that makes, replaces or removes it;
- ``sightline.before``: what the library was before its index is replaced in place (replacement.py);
- ``sightline.successor``: the collection that a running rebuild fills beside it;
- ``sightline.heir``: the collection of another encoder that is about to take over;
- ``sightline.work``: in such a collection, the work of which it is made. Who does the same work can
  go on with it for a day after its owner ended;
- ``sightline.regions``: that regions of keyframes were written to it. Filters are slow on Milvus
  Lite, and where there are none, keyframes need not be told from them;
- ``sightline.lettering``: that words were read on what was written to it. Where there are none,
  sentences need not be looked for in them.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from search_core.indexes.milvus_version import ServerInfo
from search_core.store.endpoint import Endpoint
from search_core.store.library import LibraryInfo
from search_core.store.lite.inspection import Health
from search_core.store.milvus.errors import is_missing
from search_core.store.milvus.schema import scalar_fields
from search_core.system.machine import now_ms

PROPERTY = "sightline"
OWNER_PROPERTY = "sightline.owner"
BEFORE_PROPERTY = "sightline.before"
SUCCESSOR_PROPERTY = "sightline.successor"
HEIR_PROPERTY = "sightline.heir"
WORK_PROPERTY = "sightline.work"
REGIONS_PROPERTY = "sightline.regions"
LETTERING_PROPERTY = "sightline.lettering"


@dataclass(slots=True)
class Changes:
    """The number of the last change of a collection or an alias that this process made."""

    number: int = 0


#: By the address of a Milvus: all connections of this process share them.
_CHANGES: dict[str, Changes] = {}
_NUMBERS = count(1)


class CollectionNotes:
    """Reads and writes what collections remember."""

    def __init__(self, client: MilvusClient, endpoint: Endpoint, health: Health) -> None:
        self._client = client
        self.endpoint = endpoint
        self.health = health
        self._server: ServerInfo | None = None
        self.changes = _CHANGES.setdefault(endpoint.uri, Changes())
        self._noted: set[tuple[str, str]] = set()  # what this process has noted, by collection

    def server(self) -> ServerInfo:
        """Return which Milvus answers: its version, and whether it is Milvus Lite."""
        version = str(self._client.get_server_version())
        release = version.removeprefix("milvus_lite-")
        embedded = self.endpoint.embedded or release != version
        return ServerInfo.reported(release, embedded=embedded)

    def known_server(self) -> ServerInfo:
        """Return which Milvus answered when it was asked first."""
        if self._server is None:
            self._server = self.server()
        return self._server

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Count a change when it is made, or may have been: what was described before is old."""
        try:
            yield
        finally:
            self._changed()

    def _changed(self) -> None:
        self.changes.number = next(_NUMBERS)

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

    def note_rows(self, collection: str, *, regions: bool, lettering: bool) -> None:
        """Note, before the first of them is written, that a collection holds such rows."""
        held = ((REGIONS_PROPERTY, regions), (LETTERING_PROPERTY, lettering))
        new = [name for name, is_held in held if is_held and (collection, name) not in self._noted]
        if new:
            self._set(collection, dict.fromkeys(new, "yes"))
            self._noted.update((collection, name) for name in new)

    def info(self, name: str) -> LibraryInfo | None:
        """Return the library that a collection, or that of an alias, is of; None of none."""
        described = self.describe(name)
        return info_in(described) if described else None

    def is_worked_on(self, collection: str) -> bool:
        """Whether a collection exists and a process that lives owns it."""
        owner = self._owner(collection)
        return owner is not None and not owner.is_gone()

    def is_own(self, collection: str) -> bool:
        """Whether this process owns a collection."""
        owner = self._owner(collection)
        return owner is not None and owner == replace(Owner.current(), since=owner.since)

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
        return owner_in(described) if described else None

    def _set(self, collection: str, properties: Mapping[str, str]) -> None:
        with self._changing():
            self._client.alter_collection_properties(collection, dict(properties))
            if self._forgets_last_change():
                self._client.alter_collection_properties(collection, dict(properties))

    def _forgets_last_change(self) -> bool:
        """Whether a restart of this Milvus undoes the last change of a collection (2.3.5)."""
        server = self.known_server()
        return not server.embedded and not server.at_least("2.4")

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
    return {OWNER_PROPERTY: json.dumps(asdict(Owner.current()))}


def properties_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties of a described collection."""
    return dict(described.get("properties") or {})


def info_in(described: Mapping[str, Any]) -> LibraryInfo | None:
    """Return the library that a described collection is of, None where it is of none."""
    properties = properties_of(described)
    if text := properties.get(PROPERTY):
        return _library(
            str(described["collection_name"]),
            text,
            properties.get(SUCCESSOR_PROPERTY, ""),
            properties.get(HEIR_PROPERTY, ""),
            scalar_fields(described),
            bool(properties.get(REGIONS_PROPERTY)),
            bool(properties.get(LETTERING_PROPERTY)),
        )
    return None


def owner_in(described: Mapping[str, Any]) -> Owner | None:
    """Return who owns a described collection, None where nobody does."""
    text = properties_of(described).get(OWNER_PROPERTY)
    return Owner(**json.loads(text)) if text else None


@lru_cache(maxsize=128)
def _library(
    collection: str,
    text: str,
    successor: str,
    heir: str,
    fields: tuple[str, ...],
    has_regions: bool,
    has_lettering: bool,
) -> LibraryInfo:
    """Return the library that these properties and fields of a collection make; read once."""
    info = LibraryInfo.from_dict(collection, json.loads(text))
    return replace(
        info,
        successor=successor,
        heir=heir,
        fields=fields,
        has_regions=has_regions,
        has_lettering=has_lettering,
    )


#: Nobody can look at another host's processes: what they own is believed to be in use this long.
BELIEVED_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Owner:
    """A process on a host, and since when (epoch ms) it has worked on what it owns.

    ``started`` is when the process started, in its system's words: numbers of processes return.
    """

    host: str
    pid: int
    started: str
    since: int

    @classmethod
    def current(cls) -> Owner:
        """Return this process, from now on."""
        return cls(_host(), os.getpid(), _started(os.getpid()), now_ms())

    def is_gone(self) -> bool:
        """Whether the process is known to have ended, or is another host's and a day old."""
        if self.host != _host():
            return self.is_old()
        return _started(self.pid) != self.started

    def is_old(self) -> bool:
        """Whether it began a day ago or earlier."""
        return now_ms() - self.since > BELIEVED_MS


@cache
def _host() -> str:
    # Containers that share a host's name do not see each other's processes.
    try:
        seen = f"/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        seen = ""
    return f"{socket.gethostname()}{seen}"


def _started(pid: int) -> str:
    """Return when a process started, "" where it does not run (any more)."""
    if platform.system() == "Linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        # After the name in brackets, which may hold anything: field 3 is the state, 22 the start in
        # ticks since the boot (proc_pid_stat(5)). A zombie no longer works on anything.
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{boot}+{fields[19]}"
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
