"""Whether media is still where it was, with the content that was taken in.

Its fingerprint is the SHA-256 of what an entity was made of.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ingest.ledger import Ledger, LedgerRow, Mount
from ingest.media.files import Content, content_of
from ingest.sources.discovery import file_of
from ingest.sources.remote.fetching import fetched
from ingest.sources.remote.files import NotThere, RemoteFiles, Unreachable
from search_core.errors import MediaError, StoreReadOnly, in_words
from search_core.messages import Message
from search_core.schema.entity import MediaEntity, is_address
from search_core.settings import Settings

#: ``there``: with the content that was taken in. ``changed``: with other content. ``gone``: the
#: file was deleted. ``away``: unknown now, such as while its file system is not mounted.
MediaState = Literal["there", "changed", "gone", "away"]
_UNKNOWN = ""


class Whereabouts:
    """Looks for media, and caches for one run what is known of addresses and mounts.

    A file is read again only where its size or time is not that of its known content.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._remote = RemoteFiles(settings.remote)
        self._told: dict[str, tuple[bool, str]] = {}
        self._silent: dict[str, str] = {}
        self._mounted: dict[tuple[str, str], str] = {}

    def is_there(self, uri: str) -> bool:
        """Whether there is a file where it was; False also where unknown."""
        return self._asked(uri)[0] if is_address(uri) else _is_file(uri)[0]

    def doubt(self, uri: str) -> str:
        """Return why it is unknown whether a missing file was deleted; "" when it was."""
        if is_address(uri):
            return self._asked(uri)[1]
        return _is_file(uri)[1] or self._away(Path(uri))

    def look(self, uri: str, source_id: str = "") -> tuple[MediaState, str]:
        """Return the state of a file, and why where it is ``away``.

        Without a ``source_id`` its content is not compared.
        """
        if not self.is_there(uri):
            doubt = self.doubt(uri)
            return ("away" if doubt else "gone"), doubt
        if not source_id:
            return "there", ""
        try:
            content = self._fetched_content(uri) if is_address(uri) else self._file_content(uri)
        except OSError as error:
            return "away", Message("cannot be read: {error}", error=in_words(error))
        except MediaError as error:
            return "away", error.message
        return ("there" if content in (source_id, _UNKNOWN) else "changed"), ""

    def holds(self, uri: str, source_id: str) -> bool:
        """Whether a file is there with the content of a source."""
        return self.look(uri, source_id)[0] == "there"

    def elsewhere(self, library: str, source_id: str, uri: str) -> str:
        """Return another place that holds the content of a source, "" where none is known."""
        places = [place.uri for place in self._ledger.locations(library, source_id)]
        known = dict.fromkeys([*places, *self._ledger.paths_of(source_id)])
        return next((at for at in known if at != uri and self.holds(at, source_id)), "")

    def _file_content(self, uri: str) -> str:
        status = Path(uri).stat()
        version = (status.st_size, status.st_mtime_ns)
        known = self._ledger.known_content(uri, *version)
        if known is None:
            known = content_of(Path(uri)).source_id
            with suppress(StoreReadOnly):
                self._ledger.remember_content(uri, *version, known)
        return known

    def _fetched_content(self, uri: str) -> str:
        file = self._remote.look(uri)
        if file.version is None or file.size is None:
            return _UNKNOWN  # every look would fetch all of it
        known = self._ledger.known_content(file.uri, file.size, file.version)
        if known is None:
            with fetched(self._settings, self._remote, uri) as (_, content):
                known = content.source_id
            with suppress(StoreReadOnly):
                self._ledger.remember_content(file.uri, file.size, file.version, known)
        return known

    # Mounts

    def _away(self, path: Path) -> str:
        """Return why a missing file may be on a file system that is away; "" where it is not."""
        if path.is_relative_to(self._settings.data_dir):
            return ""
        places = self._ledger.locations_at(str(path))
        mount = next((place.mount for place in places if place.mount.point), None)
        if mount is not None:
            key = (mount.point, mount.filesystem)
            if key not in self._mounted:
                self._mounted[key] = self._not_mounted(*key)
            return self._mounted[key]
        # From before mounts were recorded: what else is there has to tell.
        folder = next((at for at in path.parents if at.is_dir()), Path(path.anchor or "/"))
        if folder == path.parent and any(os.scandir(folder)):
            return ""
        known = self._ledger.locations_below(str(folder), Mount.of(folder).point)
        if any(_is_file(place)[0] for place in known):
            return ""
        return Message(
            "is gone like all else below {folder}, which may be an unmounted file system",
            folder=folder,
        )

    def _not_mounted(self, point: str, filesystem: str) -> str:
        if not os.path.ismount(point):
            return Message("is on the file system at {point}, which is not mounted", point=point)
        if Mount.of(Path(point)).filesystem == filesystem:
            return ""
        if any(_is_file(place)[0] for place in self._ledger.locations_below("", point)):
            return ""
        return Message(
            "is not on the file system at {point}, where another one seems to be mounted",
            point=point,
        )

    # Addresses

    def _asked(self, uri: str) -> tuple[bool, str]:
        if uri not in self._told:
            self._told[uri] = self._ask(uri)
        return self._told[uri]

    def _ask(self, uri: str) -> tuple[bool, str]:
        store = "/".join(uri.split("/", 3)[:3])
        if store in self._silent:  # asking it again for every file would take for ever
            return False, self._silent[store]
        try:
            self._remote.look(uri)
        except NotThere:
            return False, ""
        except Unreachable as error:
            self._silent[store] = error.message
            return False, error.message
        except MediaError as error:
            return False, error.message
        return True, ""


def _is_file(uri: str) -> tuple[bool, str]:
    """Return whether there is a file, and why that is unknown, if it is."""
    try:
        return stat.S_ISREG(Path(uri).stat().st_mode), ""
    except (FileNotFoundError, NotADirectoryError):
        return False, ""
    except (OSError, ValueError) as error:  # no permission, a stale handle of a network mount
        return False, Message("cannot be read: {error}", error=in_words(error))


FileState = Literal["as taken in", "changed", "gone", "not compared"]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``sha256`` (hex, "" where it is not known) is that of the content that was taken in.

    ``file`` says what the file is now, compared with that content.
    """

    sha256: str
    file: FileState


def fingerprint(ledger: Ledger, entity: MediaEntity, path: Path | None) -> Fingerprint:
    """Return an entity's fingerprint; ``path`` is its file, None where there is none to look at.

    The still of a live camera is a file of Sightline's own: it is hashed as it is.
    """
    if entity.is_live:
        content = _content(path)
        return Fingerprint(content.sha256, "not compared") if content else Fingerprint("", "gone")
    taken_in = ledger.sha256_of(entity.source_id)
    if path is None or not path.is_file():
        return Fingerprint(taken_in, "not compared" if entity.is_remote else "gone")
    if taken_in and is_as_taken_in(ledger, entity, path):
        return Fingerprint(taken_in, "as taken in")
    content = _content(path)
    if content is None:
        return Fingerprint(taken_in, "not compared")
    if content.source_id != entity.source_id:
        return Fingerprint(taken_in, "changed")
    ledger.remember_sha256(content)
    return Fingerprint(content.sha256, "as taken in")


def is_as_taken_in(ledger: Ledger, entity: MediaEntity, path: Path) -> bool:
    """Whether a file has the content that an entity was made of; False where it cannot be read.

    It is read only where its size or time is not that of its known content.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    version = (status.st_size, status.st_mtime_ns)
    known = ledger.known_content(str(path), *version)
    if known is None:
        content = _content(path)
        if content is None:
            return False
        known = content.source_id
        ledger.remember_content(str(path), *version, known)
    return known == entity.source_id


def _content(path: Path | None) -> Content | None:
    """Return the hashes of a file, kept while it stays the same; None where it cannot be read."""
    if path is None:
        return None
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _read(path: Path, size: int, mtime_ns: int) -> Content:
    return content_of(path)


def present(settings: Settings, ledger: Ledger, rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Return the rows of failed or skipped files that are still there, or may be.

    What lies at an address is not looked for, and what lies on a file system that is away counts.
    """
    places = Whereabouts(settings, ledger)
    return [row for row in rows if _is_present(row, places)]


def _is_present(row: LedgerRow, places: Whereabouts) -> bool:
    if is_address(row.uri):
        return True
    path = Path(file_of(row.uri))
    if path.is_dir():  # a folder fails where it cannot be listed
        return not os.access(path, os.R_OK | os.X_OK)
    return places.look(str(path))[0] != "gone"
