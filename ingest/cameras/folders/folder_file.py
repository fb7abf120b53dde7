"""The watched folders that were added while Sightline runs, in one file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ingest.cameras.camera_file import AddedTables, quoted
from search_core.messages import Message
from search_core.settings import FolderSettings

_HEAD = "# Folders to watch, added by the dashboard or `sightline folders add`.\n"


class AddedFolder(FolderSettings):
    """A folder as it is kept; ``paused`` ones are not watched."""

    paused: bool = False


class AddedFolders(AddedTables[AddedFolder]):
    """The folders in the file at ``path``."""

    def __init__(self, path: Path, configured: Collection[str] = ()) -> None:
        super().__init__(
            path, Message("folder"), AddedFolder, head=_HEAD, lines=_lines, configured=configured
        )


def _lines(given: AddedFolder) -> dict[str, str]:
    return {
        "path": quoted(str(given.path)),
        "library": quoted(given.library) if given.library else "",
        "camera": quoted(given.camera) if given.camera else "",
        "keyframes": quoted(given.keyframes) if given.keyframes != "auto" else "",
        "tags": f"[{', '.join(map(quoted, given.tags))}]" if given.tags else "",
        "paused": "true" if given.paused else "",
    }
