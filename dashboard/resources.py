"""What all sessions share: the only place that builds a store, an encoder or a job queue."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import runtime

from search_core.endpoint import resolve_endpoint
from search_core.errors import SightlineError
from search_core.facets import Facets
from search_core.library import LibraryInfo, Store
from search_core.query_log import QueryLog
from search_core.relevance import Relevance
from search_core.search import SearchEngine
from search_core.selectivity import Selectivities
from search_core.settings import Settings, load_settings

if TYPE_CHECKING:
    from ingest.jobs import Jobs
    from search_core.encoders.base import Encoder

_log = logging.getLogger(__name__)
#: After so many seconds a page shows what a library was, once, while it is read anew behind it:
#: nobody who searches waits for a large library to be counted.
_FRESH_S = 20
_serving = threading.Event()


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings, read once."""
    return load_settings()


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Return the one connection to Milvus."""
    from search_core.store import MilvusStore

    return MilvusStore(resolve_endpoint(settings()))


@st.cache_resource(show_spinner=False)
def encoder() -> Encoder:
    """Return the one encoder, its first pass done."""
    from search_core.encoders.openclip import load_encoder

    loaded = load_encoder(settings())
    loaded.encode_texts(["a first sentence warms it up"])
    return loaded


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the queue of jobs."""
    from ingest.jobs import Jobs

    return Jobs(settings())


def engine(library: str) -> SearchEngine:
    """Return what answers a library's queries; raises EncoderMismatch, LibraryNotFound."""
    return SearchEngine(
        encoder(),
        store(),
        library,
        selectivities=selectivities(),
        relevance=relevance(),
        log=query_log(),
    )


@st.cache_resource(show_spinner=False)
def selectivities() -> Selectivities:
    """Return what tells how many pictures pass a filter, which all searches share."""
    return Selectivities(store())


@st.cache_resource(show_spinner=False)
def relevance() -> Relevance:
    """Return what tells matches from what is only the least unlike, which all searches share."""
    return Relevance(encoder(), store())


@st.cache_resource(show_spinner=False)
def query_log() -> QueryLog | None:
    """Return where searches are recorded; None where the settings say that they are not."""
    return QueryLog(settings().searches_path) if settings().record_searches else None


@st.cache_data(ttl=_FRESH_S, refresh_mode="background", show_spinner=False)
def libraries() -> list[LibraryInfo]:
    """Return all libraries by name."""
    return store().libraries()


@st.cache_data(ttl=_FRESH_S, refresh_mode="background", show_spinner=False)
def facets(library: str) -> Facets:
    """Return a library's cameras, tags and times."""
    return store().facets(library)


def forget_what_was_read() -> None:
    """Read libraries and facets anew: something was ingested, removed or rebuilt."""
    libraries.clear()
    facets.clear()


@asynccontextmanager
async def warm_while_serving(_app: object) -> AsyncIterator[None]:
    """Load the encoder and the libraries beside the server's start, before anybody searches."""
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
    _serving.set()
    yield


def is_serving() -> bool:
    """Whether this process is the dashboard's own server, with its routes."""
    return _serving.is_set()


def _warm_up() -> None:
    try:
        encoder()
        _wait_for_runtime()  # without it nothing is kept in caches
        for info in libraries():
            facets(info.name)
        # What is there now stays: no collection of garbage needs to look at it again.
        gc.collect()
        gc.freeze()
    except SightlineError as error:
        _log.warning("%s %s", error.message, error.hint)  # pages say it when it still stands


def _wait_for_runtime() -> None:
    for _ in range(300):
        if runtime.exists():
            return
        time.sleep(0.1)
