"""Adding footage in the browser: files sent from it, files on the server, and addresses."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity, server_files
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import N_, _
from dashboard.library.uploads import save_uploads
from ingest.options import IngestOptions
from search_core.access.roles import Access
from search_core.schema.facets import Facets
from search_core.settings import Settings
from search_core.store.library import check_library_name

UPLOAD, SERVER, ADDRESS = N_("Upload"), N_("On the server"), N_("Address")
_ROUND = "adding_round"


@shown_in_words()
def adding_form(library: str | None, facets: Facets) -> None:
    """Draw the form that queues an ingest of what is uploaded, or of what may be named here."""
    ways = ways_of(identity.current(), resources.settings())
    with st.container(border=True, key="adding"):
        way: str | None = UPLOAD
        if len(ways) > 1:
            way = st.segmented_control(
                _("Where from"),
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
        help=_("What a file is is read from its content; what cannot be used is listed with why."),
        key=f"uploads-{_round()}",
    )
    label = _("Ingest")
    if files:
        label = _("Ingest {files}").format(files=counted(len(files), "file"))
    camera, into, tags, pressed = _details(library, facets, label, "uploads", disabled=not files)
    if pressed and files:
        with st.spinner(_("Keeping the files …")):
            paths = save_uploads(files, resources.settings().uploads_dir)
        resources.jobs().submit_ingest(
            [str(path) for path in paths],
            into,
            IngestOptions(camera=camera or "uploads", tags=tuple(tags)),
            correct_known=camera is not None,
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
            placeholder=_("Choose one, or type the path of one further down"),
            help=_("Of a folder all that is below it. The files stay where they are."),
            key=f"server-path-{_round()}",
        )
    else:
        given = st.text_input(
            _("Address of a file, folder or zip"),
            placeholder=f"{server_files.schemes(settings)} …",
            help=_("One without a password or signature in it: a job is kept on disk."),
            key=f"address-{_round()}",
        )
    camera, into, tags, pressed = _details(
        library, facets, _("Ingest"), _("the name of the folder"), disabled=not given
    )
    if pressed and given:
        resources.jobs().submit_ingest(
            [given.strip()],
            into,
            IngestOptions(camera=camera, tags=tuple(tags)),
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
) -> tuple[str | None, str, list[str], bool]:
    """Draw what is asked of all files; return camera, library, tags, and whether to begin."""
    allowed = identity.current().cameras
    columns = st.columns(4, vertical_alignment="bottom")
    with columns[0]:
        known = [camera.camera for camera in facets.cameras if camera.camera]
        cameras = known if allowed is None else list(allowed)
        camera = st.selectbox(
            _("Camera"),
            cameras,
            index=None if allowed is None else 0,
            accept_new_options=allowed is None,
            placeholder=camera_if_none,
            help=_("Which camera all of it is from: choose one, or type a new name."),
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
        pressed = st.button(label, type="primary", disabled=disabled, width="stretch")
    if pressed:
        check_library_name(into or names[0])
    return camera, into or names[0], tags, pressed


def _round() -> int:
    """Return a number that changes with each job, so that what was given is empty again."""
    return int(st.session_state.get(_ROUND, 0))


def _begin_anew() -> None:
    st.session_state[_ROUND] = _round() + 1
    st.rerun()
