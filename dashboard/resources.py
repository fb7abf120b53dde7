"""What all sessions share: one workspace, with its store, its encoder and its queue of jobs.

What leaves it is for the page's user: the store, the engine, the jobs and what is
kept of them show and allow what that user may see and do.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import runtime

from dashboard.auth import identity
from dashboard.auth.guarded_jobs import GuardedJobs
from ingest.evidence.cases import Cases
from search_core.access.guarded_store import GuardedStore
from search_core.access.roles import LOCAL, Access
from search_core.errors import SightlineError, StoreError
from search_core.schema.entity import MediaEntity, keyframe_id_of
from search_core.schema.facets import Facets
from search_core.schema.filters import Filter
from search_core.search.engine import Query, SearchEngine
from search_core.search.match_strength import Relevance
from search_core.search.query_log import QueryLog, filter_to_dict
from search_core.search.query_pictures import QueryPictures
from search_core.search.saved_searches import SavedSearches
from search_core.settings import Settings, load_settings
from search_core.store.library import NO_FILTER, LibraryInfo, Store
from sightline.workspace import Workspace

if TYPE_CHECKING:
    from search_core.encoders.base import Encoder

_log = logging.getLogger(__name__)
#: Seconds after which a page shows the cached state of a library while it is reloaded behind it:
#: no search waits for a large library to be counted.
_FRESH_S = 20
_LOOKED_BACK = 100
#: Of how many filters the facets of what passes them are kept.
_MOST_FILTERS = 100
_serving = threading.Event()


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Return the settings, read once."""
    return load_settings()


def store() -> Store:
    """Return the store with the page's user's rights; raises NotLoggedIn."""
    return store_for(identity.current())


def store_for(access: Access) -> Store:
    """Return the store with a user's rights."""
    return GuardedStore(_milvus(), access, identity.audit_log(), identity.address())


def entity(library: str, entity_id: str, access: Access | None = None) -> MediaEntity | None:
    """Return an entity that the page's user, or one with this access, may see; else None."""
    store = store_for(access or identity.current())
    return next(iter(store.entities(library, Filter(ids=(entity_id,)), limit=1)), None)


def rows(library: str, ids: Sequence[str]) -> dict[str, MediaEntity]:
    """Return the keyframes and regions of these ids that the page's user may see, by id."""
    regions = tuple(row_id for row_id in ids if keyframe_id_of(row_id) != row_id)
    found = store().entities(library, Filter(ids=tuple(ids)), limit=len(ids)) if ids else []
    if regions:
        found += store().entities(library, Filter(ids=regions).regions_alone(), limit=len(regions))
    return {row.id: row for row in found}


def regions_of(library: str, entity: MediaEntity) -> list[MediaEntity]:
    """Return the regions that are stored of a keyframe, from left to right."""
    if not store().library(library).has_regions:
        return []
    found = store().entities(library, Filter(ids=(entity.id,)).regions_alone())
    return sorted(found, key=lambda row: (row.kind, row.box[1], row.box[0], row.box))


def close_store() -> None:
    """Let go of the one connection to Milvus."""
    _workspace().close()


@st.cache_resource(show_spinner=False)
def _workspace() -> Workspace:
    return Workspace(settings())


def _milvus() -> Store:
    return _workspace().store(create=True)


def encoder(library: str | None = None) -> Encoder:
    """Return the encoder of a library, of the usual one if not given, its first pass done."""
    loaded = _workspace().encoder(library=library)
    _warm(loaded.identity.digest, loaded)
    return loaded


def encoder_named(model: str, pretrained: str | None) -> Encoder:
    """Return the encoder of a name; raises EncoderUnavailable."""
    return _workspace().encoder(model, pretrained or None)


@st.cache_resource(show_spinner=False)
def _warm(digest: str, _encoder: Encoder) -> None:
    _encoder.encode_texts(["a first sentence warms it up"])


def jobs() -> GuardedJobs:
    """Return the queue of jobs with the page's user's rights."""
    return GuardedJobs(
        _workspace().jobs(),
        identity.current(),
        identity.audit_log(),
        settings(),
        identity.address(),
    )


def engine(library: str) -> SearchEngine:
    """Return the search engine of a library for the page's user.

    What is asked goes into the audit log. Raises EncoderMismatch, LibraryNotFound, NotLoggedIn.
    """
    access = identity.current()
    return SearchEngine(
        encoder(library),
        store_for(access),
        library,
        selectivities=_workspace().selectivities(),
        relevance=relevance(library),
        log=query_log(),
        cameras=access.cameras,
        on_ask=partial(_record_search, library),
    )


def recent_sentences(library: str, limit: int) -> list[str]:
    """Return what was lately looked for in a library, newest first: by this user, if it is known.

    What others look for is theirs.
    """
    access = identity.current()
    if access is LOCAL:
        log = query_log()
        return log.sentences(library, limit) if log is not None else []
    events = identity.audit_log().events(_LOOKED_BACK, who=access.name, action="search")
    texts = (str(e.detail.get("text", "")) for e in events if e.library == library)
    return list(dict.fromkeys(text for text in texts if text))[:limit]


def _record_search(library: str, query: Query, where: Filter, k: int) -> None:
    asked = {
        "text": query.text,
        "without": list(query.without),
        "picture": query.image is not None,
        "like": list(query.like),
        "less_like": list(query.less_like),
        "not_like": list(query.not_like),
        "filter": filter_to_dict(where),
        "k": k,
    }
    identity.record("search", library, {name: value for name, value in asked.items() if value})


def relevance(library: str | None = None) -> Relevance:
    """Return what tells matches from what is only the least unlike, which all searches share."""
    encoder(library)  # with its first pass done
    return _workspace().relevance(library)


def query_log() -> QueryLog | None:
    """Return where searches are recorded; None where the settings say that they are not."""
    return _workspace().query_log() if settings().record_searches else None


def cases() -> Cases:
    """Return the cases that evidence is collected in; pages show what their user may see."""
    return _workspace().cases()


def saved_searches() -> SavedSearches:
    """Return the searches that were saved by name; pages show those of their user."""
    return _workspace().saved_searches()


@st.cache_resource(show_spinner=False)
def query_pictures() -> QueryPictures | None:
    """Return where pictures searched by are kept; None where searches are not recorded."""
    known = settings()
    return QueryPictures(known.query_pictures_dir) if known.record_searches else None


def libraries() -> list[LibraryInfo]:
    """Return all libraries by name; raises NotLoggedIn."""
    identity.current()
    return _libraries()


def library_names(first: str | None = None) -> list[str]:
    """Return the libraries' names, ``first`` or the usual one first; only that without Milvus."""
    first = first or settings().library
    with suppress(StoreError):
        return list(dict.fromkeys([first, *(info.name for info in libraries())]))
    return [first]


def facets(library: str, where: Filter = NO_FILTER) -> Facets:
    """Return the cameras, tags and times of what passes and may be seen; raises NotLoggedIn."""
    return _facets(library, where.seen_by(identity.current().cameras))


# These reload outside of a page, without a user: callers pass what the user may see.


@st.cache_data(ttl=_FRESH_S, refresh_mode="background", show_spinner=False)
def _libraries() -> list[LibraryInfo]:
    return _milvus().libraries()


@st.cache_data(
    ttl=_FRESH_S, refresh_mode="background", show_spinner=False, max_entries=_MOST_FILTERS
)
def _facets(library: str, where: Filter) -> Facets:
    return _milvus().facets(library, where)


def forget_what_was_read() -> None:
    """Clear the caches of libraries and facets: something was ingested, removed or rebuilt."""
    _libraries.clear()
    _facets.clear()


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
        relevance().warm_up()
        for info in _libraries():
            _facets(info.name, NO_FILTER)
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
