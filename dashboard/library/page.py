"""Library: what is in it, adding to it, what failed, taking away from it; and all libraries: what
each holds and takes, making and renaming them.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components.errors import shown_in_words
from dashboard.components.library_picker import choose_library, how_to_begin, pick_library
from dashboard.components.routes import Page
from dashboard.components.url_choices import choose_in_address
from dashboard.i18n.formatting import counted, local_time, megabytes, plain
from dashboard.i18n.gettext import N_, _
from dashboard.library.adding import adding_form
from dashboard.library.browsing import browse
from dashboard.library.corrections import show_unfinished
from dashboard.library.deletion import settle, show_removing, show_trash
from dashboard.library.encoders import make_library, pick_encoder
from dashboard.library.jobs import show_failures, show_jobs
from ingest.curation.moving import rename_library
from search_core.access.roles import Access
from search_core.encoders.catalogue import EncoderSpec
from search_core.errors import UsageError
from search_core.indexes.sizing import estimate
from search_core.schema.facets import Facets
from search_core.store.library import LibraryInfo, check_library_name
from search_core.system.machine import bytes_below

BROWSE, ADD, FAILURES = N_("Browse"), N_("Add footage"), N_("Failures")
TRASH, LIBRARIES = N_("Trash"), N_("Libraries")
_KEPT_S = 300
#: How many libraries were made: the key of the next one's name, which is empty again.
_MADE = "libraries_made"


def page() -> None:
    """Draw the page."""
    info = pick_library()
    if info is None:
        how_to_begin(adding_is_below=True)
        if identity.current().may("ingest"):
            adding_form(None, Facets())
            show_jobs()
        return
    facets = resources.facets(info.name)
    _overview(info, facets)
    show_unfinished(info.name)
    view = choose_in_address(_("View"), _views_of(identity.current()), key="view")
    if view == ADD:
        adding_form(info.name, facets)
        show_jobs()
    elif view == FAILURES:
        show_failures(info.name)
    elif view == TRASH:
        show_trash(info.name)
    elif view == LIBRARIES:
        show_libraries(info.name)
        show_removing(info.name, facets)
    else:
        browse(info.name, facets)


PAGE = Page("library", N_("Library"), ":material/video_library:", page)


def _views_of(access: Access) -> tuple[str, ...]:
    """Return the views a user may choose; failures are listed without their cameras."""
    adding = (ADD,) if access.may("ingest") else ()
    failures = (FAILURES,) if access.may("ingest") and access.cameras is None else ()
    removing = (TRASH, LIBRARIES) if access.may_remove else ()
    return (BROWSE, *adding, *failures, *removing)


def _overview(info: LibraryInfo, facets: Facets) -> None:
    with st.container(horizontal=True, gap="large", key="overview"):
        st.metric(_("Library"), info.name, width="content")
        st.metric(_("Keyframes and photos"), f"{facets.count:,}", width="content")
        st.metric(_("Sources"), f"{len(facets.source_ids):,}", width="content")
        st.metric(_("Cameras"), f"{len(facets.cameras):,}", width="content")
        st.metric(_("Index"), info.index.index_type, width="content")
        st.metric(_("Encoder"), info.encoder.name, width="content", help=plain(info.encoder.label))
        st.metric(_("Created"), local_time(info.created_at)[:10], width="content")


def show_libraries(library: str) -> None:
    """Draw all libraries with their sizes, and the forms that make and rename one."""
    st.dataframe(
        library_frame(resources.libraries()),
        hide_index=True,
        width="stretch",
        column_config={
            _("Pictures"): st.column_config.NumberColumn(format="localized"),
            _("Sources"): st.column_config.NumberColumn(format="localized"),
            _("Thumbnails"): st.column_config.TextColumn(alignment="right"),
            _("Milvus, disk"): st.column_config.TextColumn(alignment="right"),
            _("Milvus, index"): st.column_config.TextColumn(alignment="right"),
        },
    )
    text = _(
        "What Milvus takes is worked out from the index, the rows and their dimensions. "
        "On disk here: {uses}"
    )
    uses = _(", ").join(_(what) + " " + megabytes(size) for what, size in disk_use().items())
    st.caption(text.format(uses=plain(uses)))
    left, right = st.columns(2, gap="large")
    # What was typed stays when it is refused, with what is wrong with it; all else stays as well.
    with left, st.form("new-library"), shown_in_words():
        st.markdown("##### " + _("New library"))
        made = st.session_state.get(_MADE, 0)
        hint = _("letters, digits and underscores")
        name = st.text_input(_("Name"), placeholder=hint, key=f"new-library-name-{made}")
        spec = pick_encoder(f"new-library-encoder-{made}")
        if st.form_submit_button(_("Create")):
            _create(name.strip(), spec)
    with right, st.form(f"rename-{library}"), shown_in_words():
        st.markdown("##### " + _("Rename {library}").format(library=plain(library)))
        new_name = st.text_input(_("New name"), placeholder=library)
        if st.form_submit_button(_("Rename")):
            _rename(library, new_name.strip())


def library_frame(libraries: list[LibraryInfo]) -> pd.DataFrame:
    """Return one row a library: what it holds, and what it takes on disk and in Milvus."""
    server = resources.store().server()
    held = [resources.facets(info.name) for info in libraries]
    sizes = [
        estimate(info.index, facets.count, info.encoder.dim, server)
        for info, facets in zip(libraries, held, strict=True)
    ]
    return pd.DataFrame(
        {
            _("Library"): [info.name for info in libraries],
            _("Pictures"): [facets.count for facets in held],
            _("Sources"): [len(facets.source_ids) for facets in held],
            _("Cameras"): [len(facets.cameras) for facets in held],
            _("Thumbnails"): [
                megabytes(thumbnail_bytes(info.name, tuple(sorted(facets.source_ids))))
                for info, facets in zip(libraries, held, strict=True)
            ],
            _("Milvus, disk"): [megabytes(size.disk_bytes) for size in sizes],
            _("Milvus, index"): [megabytes(size.index_bytes) for size in sizes],
            _("Index"): [info.index.index_type for info in libraries],
            _("Encoder"): [info.encoder.label for info in libraries],
            _("Created"): [local_time(info.created_at)[:10] for info in libraries],
        }
    )


@st.cache_data(ttl=_KEPT_S, max_entries=64, show_spinner=False)
def thumbnail_bytes(library: str, source_ids: tuple[str, ...]) -> int:
    """Return what the thumbnails of a library's sources take."""
    folder = resources.settings().thumbnails_dir
    return sum(bytes_below(folder / source_id[:2] / source_id) for source_id in source_ids)


@st.cache_data(ttl=_KEPT_S, show_spinner=False)
def disk_use() -> dict[str, int]:
    """Return what the folders of the data directory take, those that are there."""
    settings = resources.settings()
    folders = {
        N_("thumbnails"): settings.thumbnails_dir,
        N_("uploads"): settings.uploads_dir,
        N_("stills of live cameras"): settings.stills_dir,
        N_("the embedded Milvus"): settings.milvus_lite_dir,
    }
    return {what: bytes_below(folder) for what, folder in folders.items() if folder.exists()}


def _create(name: str, spec: EncoderSpec | None) -> None:
    check_library_name(name)
    if any(info.name == name for info in resources.store().libraries()):
        raise UsageError(
            _("There is a library {name} already.").format(name=name), _("Choose another name.")
        )
    make_library(name, spec)
    st.session_state[_MADE] = st.session_state.get(_MADE, 0) + 1
    settle(_("Created the library {name}.").format(name=plain(name)))


def _rename(library: str, name: str) -> None:
    check_library_name(name)
    waiting = [
        job.title
        for job in resources.jobs().list()
        if job.is_open and job.request.get("library") == library
    ]
    if waiting:
        raise UsageError(
            _("The library {library} is in use by {jobs}: {first}.").format(
                jobs=counted(len(waiting), "job"), library=library, first=waiting[0]
            ),
            _("Rename it when they are done, or cancel them."),
        )
    rename_library(resources.settings(), resources.store(), library, name)
    choose_library(name)
    settle(_("Renamed {old} to {new}.").format(old=plain(library), new=plain(name)))
