"""Adding footage in the browser: files sent from it, files on the server, and addresses.

Uploaded files are kept under names of Sightline's own, whole or not at all.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Protocol

import streamlit as st

from dashboard import resources
from dashboard.auth import identity, server_files
from dashboard.components.errors import shown_in_words
from dashboard.components.regions import pick_regions
from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import N_, _
from dashboard.library.encoders import make_library, pick_encoder
from ingest.options import EVERYTHING_USUAL, IngestOptions
from search_core.access.roles import Access
from search_core.encoders.catalogue import EncoderSpec
from search_core.errors import UsageError
from search_core.schema.facets import Facets
from search_core.settings import Settings
from search_core.store.library import check_library_name

UPLOAD, SERVER, ADDRESS = N_("Upload"), N_("On the server"), N_("Address")
_ROUND = "adding_round"
MAX_FILES = 500
#: What stays free on the disk for vectors and thumbnails.
_KEPT_FREE_BYTES = 512 * 1024 * 1024
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
_NUMBER = re.compile(r"^\d{3}-")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


@shown_in_words()
def adding_form(library: str | None, facets: Facets) -> None:
    """Draw the form that queues an ingest of what is uploaded, or of what may be named here."""
    ways = ways_of(identity.current(), resources.settings())
    with st.container(border=True, key="adding"):
        way: str | None = UPLOAD
        if len(ways) > 1:
            way = st.segmented_control(
                _("Source"),
                ways,
                default=UPLOAD,
                format_func=_,
                required=True,
                key="adding-way",
            )
        if way == UPLOAD:
            _upload(library, facets)
        else:
            _by_name(library, facets, way or SERVER)


def ways_of(access: Access, settings: Settings) -> tuple[str, ...]:
    """Return the sources a user may add from; without the right to all cameras, uploads only."""
    if access.cameras is not None:
        return (UPLOAD,)
    server = (SERVER,) if settings.media.server_folders else ()
    address = (ADDRESS,) if settings.remote.allow_jobs else ()
    return (UPLOAD, *server, *address)


def _upload(library: str | None, facets: Facets) -> None:
    files = st.file_uploader(
        _("Photographs, videos, zip archives"),
        accept_multiple_files=True,
        help=_(
            "The type of a file is read from its content. Files that cannot be used are listed "
            "with the reason."
        ),
        key=f"uploads-{_round()}",
    )
    label = _("Ingest")
    if files:
        label = _("Ingest {files}").format(files=counted(len(files), "file"))
    options, into, pressed = _details(library, facets, label, "uploads", disabled=not files)
    if pressed and files:
        with st.spinner(_("Saving the files …")):
            paths = save_uploads(files, resources.settings().uploads_dir)
        resources.jobs().submit_ingest(
            [str(path) for path in paths],
            into,
            replace(options, camera=options.camera or "uploads"),
            correct_known=options.camera is not None,
        )
        _begin_anew()


def _by_name(library: str | None, facets: Facets, way: str) -> None:
    """Draw the form for a path on the server, or an address."""
    settings = resources.settings()
    if way == SERVER:
        given = st.selectbox(
            _("File or folder"),
            server_files.choices(settings),
            index=None,
            accept_new_options=True,
            placeholder=_("Choose a folder, or type the path of a subfolder"),
            help=_("A folder includes its subfolders. The files stay where they are."),
            key=f"server-path-{_round()}",
        )
    else:
        given = st.text_input(
            _("Address of a file, folder or zip"),
            placeholder=f"{server_files.schemes(settings)} …",
            help=_("Without a password or signature: jobs are stored on disk."),
            key=f"address-{_round()}",
        )
    options, into, pressed = _details(
        library, facets, _("Ingest"), _("the name of the folder"), disabled=not given
    )
    if pressed and given:
        resources.jobs().submit_ingest(
            [given.strip()],
            into,
            options,
            correct_known=True,
        )
        _begin_anew()


def _details(
    library: str | None,
    facets: Facets,
    label: str,
    camera_if_none: str,
    *,
    disabled: bool,
) -> tuple[IngestOptions, str, bool]:
    """Draw what is asked of all files; return the options, the library, and whether to begin."""
    allowed = identity.current().cameras
    columns = st.columns(5, vertical_alignment="bottom")
    with columns[0]:
        known = [camera.camera for camera in facets.cameras if camera.camera]
        cameras = known if allowed is None else list(allowed)
        camera = st.selectbox(
            _("Camera"),
            cameras,
            index=None if allowed is None else 0,
            accept_new_options=allowed is None,
            placeholder=camera_if_none,
            help=_("The camera that recorded everything: choose one, or type a new name."),
            key="upload-camera",
        )
    with columns[1]:
        names = resources.library_names(library)
        into = st.selectbox(_("Library"), names, accept_new_options=True, key="upload-library")
    with columns[2]:
        tags = st.multiselect(
            _("Tags"),
            list(facets.tags),
            accept_new_options=True,
            placeholder=_("none"),
            key="upload-tags",
        )
    with columns[3]:
        regions = pick_regions("upload-regions", EVERYTHING_USUAL.regions)
    with columns[4]:
        pressed = st.button(label, type="primary", disabled=disabled, width="stretch")
    spec = _encoder_of_new(into or names[0])
    if pressed:
        check_library_name(into or names[0])
        if spec is not None:
            make_library(into or names[0], spec)
            resources.forget_what_was_read()
    options = IngestOptions(camera=camera, tags=tuple(tags), regions=regions)
    return options, into or names[0], pressed


def _encoder_of_new(library: str) -> EncoderSpec | None:
    """Draw the choice of an encoder where the library is a new one."""
    if any(info.name == library for info in resources.libraries()):
        return None
    return pick_encoder("upload-encoder")


def _round() -> int:
    """Return a number that changes with each job, so that what was given is empty again."""
    return int(st.session_state.get(_ROUND, 0))


def _begin_anew() -> None:
    st.session_state[_ROUND] = _round() + 1
    st.rerun()


class Upload(Protocol):
    """What the browser sent: an untrusted name, and bytes."""

    name: str
    size: int

    def seek(self, offset: int, /) -> int:
        """Go to a byte."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Return the bytes from there."""
        ...


def save_uploads(files: Sequence[Upload], uploads_dir: Path) -> list[Path]:
    """Write uploaded files into a new folder of ``uploads_dir`` and return where they are.

    Raises UsageError when there are too many of them, or too little room.
    """
    if len(files) > MAX_FILES:
        raise UsageError(
            _("{count} files are too many: at most {most} can be uploaded at once.").format(
                count=len(files), most=MAX_FILES
            ),
            _("Put them into a zip archive, or add their folder on the server."),
        )
    uploads_dir.mkdir(parents=True, exist_ok=True)
    needed = sum(file.size for file in files)
    free = shutil.disk_usage(uploads_dir).free
    if needed + _KEPT_FREE_BYTES > free:
        raise UsageError(
            _("Not enough disk space for {needed} MB: {free} MB are free.").format(
                needed=f"{needed / 1e6:.0f}", free=f"{free / 1e6:.0f}"
            ),
            _("Free some space, or add a folder on the server, whose files are not copied."),
        )
    folder = uploads_dir / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    folder.mkdir()
    return [_save(file, folder, number) for number, file in enumerate(files, start=1)]


def safe_name(name: str, number: int) -> str:
    """Return a file name made of what is harmless in ``name``; ``number`` makes it unique.

    The suffix is kept for people and players; nothing believes it.
    """
    last = PurePosixPath(PureWindowsPath(name).name)
    suffix = last.suffix.lower() if _SUFFIX.fullmatch(last.suffix.lower()) else ""
    stem = _UNSAFE.sub("-", last.name.removesuffix(last.suffix)).strip("-")[:60]
    return f"{number:03d}-{stem or 'file'}{suffix}"


def sent_name(path: PurePath, uploads_dir: Path) -> str:
    """Return a file's name without the number that :func:`safe_name` gave an upload."""
    uploaded = path.is_relative_to(uploads_dir)
    return _NUMBER.sub("", path.name) if uploaded else path.name or str(path)


def sent_path(path: PurePath, uploads_dir: Path) -> str:
    """Return the path of a file, of an upload and what is in it as its sender knows them."""
    if not path.is_relative_to(uploads_dir):
        return str(path)
    _folder, *parts = path.relative_to(uploads_dir).parts
    return "/".join([_NUMBER.sub("", part) if not at else part for at, part in enumerate(parts)])


def _save(file: Upload, folder: Path, number: int) -> Path:
    target = folder / safe_name(file.name, number)
    part = target.with_name(f".{target.name}.part")
    file.seek(0)
    with part.open("wb") as kept:
        while chunk := file.read(1024 * 1024):
            kept.write(chunk)
    part.replace(target)
    return target
