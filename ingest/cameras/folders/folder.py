"""A watched folder, as the settings or the command line name it, and the file of those added."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.cameras.camera import AddedTables, quoted
from ingest.media.keyframes.registry import parse_selector
from ingest.media.regions.registry import OFF, spelled
from ingest.options import IngestOptions
from search_core.errors import UsageError
from search_core.messages import Message
from search_core.settings import FolderSettings, Settings
from search_core.store.library import check_library_name


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder to watch; ``camera``, ``keyframes``, ``regions`` and ``tags`` are as for an ingest.

    One that was ``added`` while Sightline runs can be changed so; ``paused`` ones are not watched.
    """

    name: str
    path: Path
    library: str
    camera: str | None = None
    keyframes: str = "auto"
    tags: tuple[str, ...] = ()
    added: bool = False
    paused: bool = False
    regions: str = OFF

    @property
    def options(self) -> IngestOptions:
        """How what is in it is taken in."""
        return IngestOptions(
            keyframes=self.keyframes,
            regions=self.regions,
            camera=self.camera,
            tags=self.tags,
            alone=False,
        )

    @property
    def lock_name(self) -> str:
        """What a process holds while it watches this folder."""
        return lock_name(str(self.path))


def lock_name(path: str) -> str:
    """Return what a process holds while it watches this folder; see streams.camera.only_watcher."""
    return f"folder {path}"


def make_folder(name: str, given: FolderSettings, settings: Settings) -> WatchedFolder:
    """Return a folder of the settings; it need not exist yet.

    Raises UsageError for a name, library or selector that cannot be, and for Sightline's own data.
    """
    if not name.strip() or not name.isprintable():
        raise UsageError("{name!r} cannot name a folder.", "Use printable characters.", name=name)
    parse_selector(given.keyframes)
    path = given.path.expanduser().absolute()
    if path.is_relative_to(settings.data_dir):
        raise UsageError(
            "The folder {path} is inside Sightline's data directory.",
            "Watch a folder that a recorder writes to; --data-dir chooses another data directory.",
            path=path,
        )
    library = check_library_name(given.library or settings.library)
    made = WatchedFolder(name, path, library, given.camera, given.keyframes, given.tags)
    return replace(made, regions=spelled(given.regions))


def configured_folders(settings: Settings) -> list[WatchedFolder]:
    """Return the folders of the settings by name; raises UsageError, also for one named twice."""
    folders = [
        make_folder(name, given, settings) for name, given in sorted(settings.folders.items())
    ]
    names: dict[Path, str] = {}
    for folder in folders:
        if (other := names.setdefault(folder.path, folder.name)) != folder.name:
            raise UsageError(
                "The folders {name} and {other} are the same: {path}.",
                "Leave one of them out of sightline.toml.",
                name=other,
                other=folder.name,
                path=folder.path,
            )
    return folders


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
        "regions": quoted(given.regions) if given.regions != OFF else "",
        "tags": f"[{', '.join(map(quoted, given.tags))}]" if given.tags else "",
        "paused": "true" if given.paused else "",
    }
