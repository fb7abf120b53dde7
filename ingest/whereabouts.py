"""Whether media is still where it was: files by looking, what is elsewhere by asking once."""

from __future__ import annotations

from pathlib import Path

from ingest.remote import RemoteFiles
from ingest.remote_errors import NotThere, Unreachable
from search_core.entities import is_address
from search_core.errors import MediaError
from search_core.settings import RemoteSettings


class Whereabouts:
    """Looks for media and remembers what it was told of addresses."""

    def __init__(self, settings: RemoteSettings) -> None:
        self._remote = RemoteFiles(settings)
        self._told: dict[str, tuple[bool, str]] = {}
        self._silent: dict[str, str] = {}

    def is_there(self, uri: str) -> bool:
        """Whether a source's file is where it was; False also where that cannot be told."""
        return self._asked(uri)[0] if is_address(uri) else Path(uri).is_file()

    def doubt(self, uri: str) -> str:
        """Return why it cannot be told whether a file is there; "" when it can."""
        return self._asked(uri)[1] if is_address(uri) else ""

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
