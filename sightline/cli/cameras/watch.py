"""`sightline watch`: live cameras and folders of recordings into a library, until Ctrl-C."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import unquote, urlsplit

import typer

from ingest.cameras.camera import Camera, is_watched, make_camera
from ingest.cameras.events import Lost, Seen, Trouble
from ingest.cameras.folders.folder import WatchedFolder, make_folder
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from ingest.media.regions.registry import OFF
from ingest.report import SourceOutcome
from search_core.errors import ServeError, UsageError
from search_core.schema.camera import CameraSettings
from search_core.schema.entity import MediaEntity, iso_from_ms
from search_core.settings import FolderSettings, Settings
from search_core.store.endpoint import running_serve
from search_core.system.cancellation import stopped_by
from sightline.cli.cameras.cameras import PasswordFileOption, read_address
from sightline.cli.options import (
    JsonOption,
    LibraryOption,
    RegionsOption,
    RetainOption,
    UdpOption,
    settings_of,
)
from sightline.cli.serve.serve import STOP_SIGNALS
from sightline.cli.terminal import (
    counted,
    json_text,
    local_time,
    note,
    open_workspace,
    say,
    say_done,
    shown_path,
    warn,
)

if TYPE_CHECKING:
    from ingest.cameras.service import Observer


def watch(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL|FOLDER]",
            help="A folder that recordings are written to; or a camera's address, "
            "rtsp://user@host/path: - reads it from stdin.",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the camera is called; of a folder, the camera all of it is from; without "
            "either, one that is known already.",
        ),
    ] = None,
    keyframes: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Of a folder: which frames of a video, as for `sightline ingest`.",
        ),
    ] = None,
    regions: RegionsOption = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Of a folder: put this tag on all of it."),
    ] = None,
    retain: RetainOption = None,
    udp: UdpOption = False,
    password_file: PasswordFileOption = None,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Watch a folder or a live camera, or all of sightline.toml and those added, until Ctrl-C.

    Of a folder: recordings that appear in it, or are in it, are taken in when they are whole, as
    `sightline ingest` takes them. What disappears from it stays in the library. Of a camera: what
    moves becomes a keyframe that can be searched within seconds. Either is tried again until it
    comes back, and when it was away is recorded: `sightline folders`, `sightline cameras`. With
    --json each keyframe, file and change is one line.
    """
    settings = settings_of(ctx, library)
    if source is not None and _is_folder(source):
        if retain is not None or udp:
            raise UsageError(
                "--retain and --udp are for live cameras.", "Leave them out to watch a folder."
            )
        folder = _folder_at(source, settings, camera, keyframes, regions, tag)
        _watch(settings, [], [folder], json)
        return
    if keyframes is not None or tag:
        raise UsageError(
            "--keyframes and --tag are for folders.", "Leave them out to watch live cameras."
        )
    folders: list[WatchedFolder] = []
    if source is None:
        if retain is not None or udp or regions is not None:
            raise UsageError(
                "The cameras of sightline.toml have their options there.",
                "Write retain, transport and regions into [cameras.NAME]; for one that was added "
                "there is `sightline cameras change`.",
            )
        folders = FolderRoster(settings).watched() if camera is None else []
        cameras = _chosen(Roster(settings).watched(), camera, needed=not folders)
    else:
        if camera is None:
            raise UsageError("A camera needs a name.", "Give it one: --camera gate-3.")
        address = read_address(source, password_file)
        given = CameraSettings.model_validate(
            {
                "url": address,
                "retain": retain,
                "transport": "udp" if udp else "tcp",
                "regions": regions or OFF,
            }
        )
        cameras = [make_camera(camera, given, settings)]
        settings = settings.model_copy(update={"cameras": {**settings.cameras, camera: given}})
    _watch(settings, cameras, folders, json)


def _is_folder(source: str) -> bool:
    """Whether a source is a folder and no address; raises UsageError when it is neither."""
    if source == "-" or ("://" in source and not source.lower().startswith("file://")):
        return False
    if not source.strip() or not _path_of(source).is_dir():
        raise UsageError(
            f"The folder {source} does not exist.",
            "Give a folder, or the address of a camera: rtsp://user@host/path.",
        )
    return True


def _path_of(source: str) -> Path:
    text = unquote(urlsplit(source).path) if source.lower().startswith("file://") else source
    return Path(text).expanduser().absolute()


def _folder_at(
    source: str,
    settings: Settings,
    camera: str | None,
    keyframes: str | None,
    regions: str | None,
    tag: list[str] | None,
) -> WatchedFolder:
    """Return the folder to watch: as it is known, but for what is given."""
    path = _path_of(source)
    known = next((one for one in FolderRoster(settings).folders() if one.path == path), None)
    given = FolderSettings(
        path=path,
        library=known.library if known else None,
        camera=camera or (known.camera if known else None),
        keyframes=keyframes or (known.keyframes if known else "auto"),
        regions=regions or (known.regions if known else OFF),
        tags=tuple(tag or (known.tags if known else ())),
    )
    return make_folder(known.name if known else str(path), given, settings)


def _watch(
    settings: Settings, cameras: list[Camera], folders: list[WatchedFolder], json: bool
) -> None:
    from ingest.cameras.service import shared_library
    from ingest.cameras.service import watch as run

    held = {f"The camera {camera.name}": camera.name for camera in cameras}
    held |= {f"The folder {folder.path}": folder.lock_name for folder in folders}
    for what, lock in held.items():
        if is_watched(settings, lock):
            raise ServeError(
                f"{what} is being watched already.",
                "By `sightline serve` or another `sightline watch` on this data directory.",
            )
    for name in ("ingest.cameras", "ingest.cameras.folders"):
        logging.getLogger(name).setLevel(logging.ERROR)  # shown here instead
    with ExitStack() as stack:
        workspace = stack.enter_context(open_workspace(settings))
        store = workspace.store(create=True)
        encoder = workspace.encoder(library=shared_library(cameras, folders))
        stop = stack.enter_context(stopped_by(*STOP_SIGNALS))
        names = [camera.name for camera in cameras] + [str(folder.path) for folder in folders]
        note(f"Watching {', '.join(names)}; Ctrl-C stops.")
        if store.endpoint.embedded and not running_serve(settings):
            note(
                "To search meanwhile, run `sightline serve` first: an embedded Milvus has one user."
            )
        run(
            settings,
            store,
            encoder,
            cameras,
            stop,
            observe=_tell_programs if json else _teller(),
            folders=lambda: folders,
            observe_folder=_tell_programs_of_folder if json else _tell_of_folder,
        )
    note("Stopped.")


def _chosen(cameras: list[Camera], name: str | None, *, needed: bool) -> list[Camera]:
    chosen = [camera for camera in cameras if name in (None, camera.name)]
    if not chosen and needed:
        which = f"no camera {name}" if name else "no camera"
        raise UsageError(
            f"There is {which} in sightline.toml, and none that was added.",
            "Give an address: sightline watch rtsp://host/path --camera NAME; or add it: "
            "`sightline cameras add NAME`; or give a folder: sightline watch FOLDER.",
        )
    return chosen


def _teller() -> Observer:
    """Return what prints for people: what happens to a camera, and each keyframe."""
    said: dict[str, str] = {}

    def tell(camera: Camera, told: object) -> None:
        if isinstance(told, MediaEntity):
            say(f"  {camera.name}  {local_time(told.captured_at)}  {told.id}")
            return
        state, reason = _state(told)
        words = reason or state
        if not words or said.get(camera.name) == words:
            return
        said[camera.name] = words
        if state == "live":
            say_done(f"{camera.name} is live")
        else:
            again = "; it is tried again" if state == "lost" else ""
            warn(f"{camera.name} {reason}{again}")

    return tell


def _tell_of_folder(folder: WatchedFolder, told: SourceOutcome | str) -> None:
    """Print for people the outcome of a file, and what happens to a folder."""
    if isinstance(told, str):
        if told:
            warn(f"{folder.name} {told}; it is tried again")
        else:
            say_done(f"{folder.name} is watched")
    elif told.status == "done":
        found = counted(told.keyframes, "keyframe")
        say(f"  {folder.name}  {shown_path(told.uri)}: {found}")
        if told.warning:
            warn(f"{shown_path(told.uri)}: {told.warning}")
    elif told.status == "failed":
        warn(f"{shown_path(told.uri)} {told.reason}")


def _tell_programs_of_folder(folder: WatchedFolder, told: SourceOutcome | str) -> None:
    """Print the outcome of a file, and what happens to a folder, as a line of JSON."""
    record: dict[str, object] = {"folder": folder.name}
    if isinstance(told, str):
        record |= {"event": "lost" if told else "watching", "reason": told}
    else:
        record |= {
            "event": told.status,
            "file": told.uri,
            "keyframes": told.keyframes,
            "reason": told.reason or told.warning,
        }
    typer.echo(json_text(record))


def _tell_programs(camera: Camera, told: object) -> None:
    """Print what happens as a line of JSON; frames that are not keyframes are not printed."""
    record: dict[str, object] = {"camera": camera.name}
    if isinstance(told, MediaEntity):
        record |= {
            "event": "keyframe",
            "id": told.id,
            "captured_at": told.captured_at_iso,
            "searchable_at": iso_from_ms(told.ingested_at),
            "still": told.uri,
        }
    else:
        state, reason = _state(told)
        if state in ("", "live"):
            return
        record |= {"event": state, "reason": reason}
    typer.echo(json_text(record))


def _state(event: object) -> tuple[Literal["live", "lost", "trouble", ""], str]:
    match event:
        case Seen():
            return "live", ""
        case Lost(reason):
            return "lost", reason
        case Trouble(reason):
            return "trouble", reason
    return "", ""
