"""Choosing the library that all pages look at."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import routes as pages
from dashboard.i18n.formatting import megabytes, plain
from dashboard.i18n.gettext import _, said
from dashboard.moment.selection import begin_selection
from ingest.jobs.requests import ReembedRequest
from search_core.encoders.catalogue import knows_footage
from search_core.encoders.choice import for_this_machine
from search_core.encoders.hub import is_here
from search_core.store.library import LibraryInfo

#: The library's name in the address.
LIBRARY = "library"
_NEXT = "library_to_choose"


def pick_library() -> LibraryInfo | None:
    """Return the only library, or the one chosen in the sidebar; the selection ends with another.

    None when there is no library at all. Warns where the library's encoder does not know its
    footage.
    """
    info = _picked()
    if info is not None:
        begin_selection(info.name)
        _warn_of_encoder(info)
    return info


def _warn_of_encoder(info: LibraryInfo) -> None:
    cameras = [camera.camera for camera in resources.facets(info.name).cameras]
    if not knows_footage(info.encoder.name, cameras):
        text = _(
            "**Most searches here miss.** This library was made with the encoder {encoder}, which "
            "knows the drawn sample footage only. Have it embedded anew with an encoder for real "
            "footage."
        )
        st.warning(text.format(encoder=plain(info.encoder.name)), icon=":material/warning:")
        _offer_embedding_anew(info)


def _offer_embedding_anew(info: LibraryInfo) -> None:
    """Draw a button that has a library embedded with the encoder for footage, for those who may."""
    spec = for_this_machine()[0]
    is_there = is_here(spec)
    may_download = resources.settings().encoder.download != "never"
    if not identity.current().may("index") or not (is_there or may_download):
        return
    request = ReembedRequest(info.name, spec.name, spec.pretrained)
    name = plain(spec.name)
    jobs = [job for job in resources.jobs().list() if job.title == request.title]
    if any(job.is_open for job in jobs):
        st.caption(_("It is being embedded anew with {encoder}.").format(encoder=name))
        return
    if jobs and jobs[0].state == "failed":
        st.caption(
            _("The last attempt failed: {reason}").format(reason=plain(said(jobs[0].message)))
        )
    first = _("Its weights are downloaded first: {size}, licence {licence}.").format(
        size=megabytes(spec.weights_bytes), licence=spec.licence
    )
    if st.button(
        _("Embed anew with {encoder}").format(encoder=name),
        icon=":material/refresh:",
        help=None if is_there else first,
        key="embed-anew",
    ):
        resources.jobs().submit(request)
        st.rerun()


def _picked() -> LibraryInfo | None:
    found = {info.name: info for info in resources.libraries()}
    if not found:
        return None
    preferred = resources.settings().library
    names = sorted(found, key=lambda name: name != preferred)
    wanted = st.session_state.pop(_NEXT, None)
    if len(names) == 1:
        st.session_state.pop(LIBRARY, None)
        return found[names[0]]
    if wanted in found:
        st.session_state[LIBRARY] = wanted
    elif st.session_state.get(LIBRARY) not in (None, *names):
        # It was dropped. Were it only forgotten here, the browser would go on showing its name.
        st.session_state[LIBRARY] = names[0]
    with st.sidebar:
        chosen = st.selectbox(_("Library"), names, key=LIBRARY, bind="query-params")
    return found.get(chosen or preferred, found[names[0]])


def choose_library(name: str) -> None:
    """Have all pages look at a library from the next time that one is drawn."""
    st.session_state[_NEXT] = name


def link_to_adding(library: str) -> None:
    """Draw a button that leads to where footage is added to a library, for those who may."""
    if identity.current().may("ingest") and st.button(_("Add footage"), icon=":material/upload:"):
        choose_library(library)
        pages.switch_to("library", view="Add footage")


def how_to_begin(*, adding_is_below: bool = False) -> None:
    """Draw what stands in place of a library that has nothing in it yet."""
    st.markdown("##### " + _("This library is empty"))
    if not identity.current().may("ingest"):
        st.markdown(_("An operator can add photographs and videos."))
        return
    st.markdown(
        _("Add photographs, videos, zip archives or a folder on the server, and search them here.")
    )
    if not adding_is_below and st.button(_("Add footage"), icon=":material/upload:"):
        pages.switch_to("library")
