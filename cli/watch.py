"""`sightline watch`: live cameras into a library, until Ctrl-C."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from cli.camera_address import read_address
from cli.options import JsonOption, LibraryOption, RetainOption, settings_of
from cli.serve import STOP_SIGNALS
from cli.terminal import json_text, local_time, note, say, warn
from cli.workspace import load_encoder, open_store
from ingest.stopping import stopped_by
from search_core.cameras import CameraSettings
from search_core.endpoint import running_serve
from search_core.entities import MediaEntity, iso_from_ms
from search_core.errors import ServeError, UsageError
from search_core.settings import Settings

if TYPE_CHECKING:
    from ingest.streams.camera import Camera
    from ingest.streams.watching import Observer


def watch(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL]",
            help="The camera's address, rtsp://user:password@host/path; - reads it from stdin, "
            "where no list of processes shows it.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            "--camera",
            metavar="NAME",
            help="What the camera is called; without a URL, one that is known already.",
            show_default=False,
        ),
    ] = None,
    retain: RetainOption = None,
    udp: Annotated[
        bool, typer.Option("--udp", help="Let the camera send over UDP; TCP loses nothing.")
    ] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Watch a live camera, or all of sightline.toml and those that were added, until Ctrl-C.

    What moves becomes a keyframe that can be searched within seconds. A camera that is lost is
    tried again until it comes back, and the time it was not seen is recorded: `sightline cameras`.
    With --json each keyframe and each change is one line.
    """
    settings = settings_of(ctx, library)
    from ingest.streams.camera import is_watched, make_camera
    from ingest.streams.roster import Roster

    if url is None:
        if retain is not None or udp:
            raise UsageError(
                "The cameras of sightline.toml have their options there.",
                "Write retain and transport into [cameras.NAME]; for one that was added there is "
                "`sightline cameras change`.",
            )
        cameras = _chosen(Roster(settings).watched(), camera)
    else:
        address = read_address(url)
        if camera is None:
            raise UsageError("A camera needs a name.", "Give it one: --camera gate-3.")
        given = CameraSettings.model_validate(
            {"url": address, "retain": retain, "transport": "udp" if udp else "tcp"}
        )
        cameras = [make_camera(camera, given, settings)]
        settings = settings.model_copy(update={"cameras": {**settings.cameras, camera: given}})
    for one in cameras:
        if is_watched(settings, one.name):
            raise ServeError(
                f"The camera {one.name} is being watched already.",
                "By `sightline serve` or another `sightline watch` on this data directory.",
            )
    _watch(settings, cameras, json)


def _watch(settings: Settings, cameras: list[Camera], json: bool) -> None:
    from ingest.streams.watching import watch as run

    logging.getLogger("ingest.streams").setLevel(logging.ERROR)  # it is told here instead
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings, create=True))
        encoder = load_encoder(settings)
        stop = stack.enter_context(stopped_by(*STOP_SIGNALS))
        names = ", ".join(camera.name for camera in cameras)
        note(f"Watching {names}; Ctrl-C stops.")
        if store.endpoint.embedded and not running_serve(settings):
            note(
                "To search meanwhile, run `sightline serve` first: an embedded Milvus has one user."
            )
        observe = _tell_programs if json else _teller()
        run(settings, store, encoder, cameras, stop, observe=observe)
    note("Stopped.")


def _chosen(cameras: list[Camera], name: str | None) -> list[Camera]:
    chosen = [camera for camera in cameras if name in (None, camera.name)]
    if not chosen:
        which = f"no camera {name}" if name else "no camera"
        raise UsageError(
            f"There is {which} in sightline.toml, and none that was added.",
            "Give an address: sightline watch rtsp://host/path --camera NAME; or add it: "
            "`sightline cameras add NAME`.",
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
            say(Text.assemble(("✓ ", "green"), f"{camera.name} is live"))
        else:
            again = "; it is tried again" if state == "lost" else ""
            warn(f"{camera.name} {reason}{again}")

    return tell


def _tell_programs(camera: Camera, told: object) -> None:
    """Print what happens as a line of JSON; frames that were merely seen are not told."""
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
    from ingest.streams.events import Lost, Seen, Trouble

    match event:
        case Seen():
            return "live", ""
        case Lost(reason):
            return "lost", reason
        case Trouble(reason):
            return "trouble", reason
    return "", ""
