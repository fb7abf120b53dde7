"""Serving original footage to the browser in pieces, so that a long video plays from any moment.

Only files that a library names are served, by the id of an entity: no path is ever asked for. Who
asks is known by the browser's cookies, and gets what that user may see.
"""

from __future__ import annotations

import math
import threading
import time
import urllib.parse
from collections import OrderedDict
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard import resources
from dashboard.auth import identity
from ingest.ledger import Ledger
from ingest.sources.media_locator import is_as_taken_in
from search_core.access.roles import Access
from search_core.errors import SightlineError
from search_core.schema.entity import MediaEntity

_PATH = "/footage"
#: Pieces of one video asked for with no longer pause than this are one viewing.
_ONE_VIEWING_S = 600.0
_MOST_PLAYED = 1000
_lock = threading.Lock()
_played: OrderedDict[tuple[Access, str, str], float] = OrderedDict()
#: What a browser may be told a file is; other footage is offered as plain bytes.
_VIDEO_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
    ".ogv": "video/ogg",
}


def file_of(entity: MediaEntity) -> Path | None:
    """Return an entity's original file; None when it is gone or has other content now."""
    path = place_of(entity)
    if path is None or entity.is_live:
        return path
    with Ledger(resources.settings().ledger_path) as ledger:
        return path if is_as_taken_in(ledger, entity, path) else None


def place_of(entity: MediaEntity) -> Path | None:
    """Return the file that is where an entity's original was, whatever it holds now."""
    path = Path(urllib.parse.unquote(entity.uri.removeprefix("file://")))
    try:
        return path if path.is_absolute() and path.is_file() else None
    except (OSError, ValueError):
        return None


def url_of(library: str, entity: MediaEntity) -> str | None:
    """Return where this browser finds an entity's video; None outside the dashboard's server."""
    here = urllib.parse.urlsplit(st.context.url or "")
    if not here.netloc or not resources.is_serving():
        return None
    quoted = "/".join(urllib.parse.quote(part, safe="") for part in (library, entity.id))
    return f"{here.scheme}://{here.netloc}{_PATH}/{quoted}"


def plays_in_browsers(path: Path) -> bool:
    """Whether browsers usually play files of this kind; they may still lack the codec."""
    return path.suffix.lower() in _VIDEO_TYPES


def preview_of(library: str, entity: MediaEntity) -> tuple[str, float] | None:
    """Return where a card's video is found and where it begins in it (s); None where none plays.

    Whether the file still exists is checked when it is requested.
    """
    if not entity.in_video or entity.track or entity.is_remote:
        return None
    url = url_of(library, entity) if plays_in_browsers(Path(entity.uri)) else None
    return None if url is None else (url, entity.pts_ms / 1000)


def _serve(request: Request) -> Response:
    """Answer with a video or a part of it, as the Range header asks."""
    library, entity_id = request.path_params["library"], request.path_params["entity_id"]
    try:
        access = identity.who(request.cookies)
        if access is None:
            return PlainTextResponse("Log in first.", status_code=401)
        entity = resources.entity(library, entity_id, access)
        if entity is not None:
            _record(access, library, entity, request)
    except SightlineError:
        entity = None
    path = file_of(entity) if entity is not None and entity.in_video else None
    if path is None:
        return PlainTextResponse("There is no such footage.", status_code=404)
    return FileResponse(
        path,
        filename=path.name if "download" in request.query_params else None,
        media_type=_VIDEO_TYPES.get(path.suffix.lower(), "application/octet-stream"),
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'",
            # Somebody else may log in at the same browser.
            "Cache-Control": "private, no-cache"
            if identity.login().is_required
            else "private, max-age=3600",
        },
    )


def _record(access: Access, library: str, entity: MediaEntity, request: Request) -> None:
    """Write down that a video is played, once for all the pieces a browser asks for."""
    playing, now = (access, library, entity.id), time.monotonic()
    with _lock:
        known = _played.get(playing, -math.inf)
        _played[playing] = now
        _played.move_to_end(playing)
        while len(_played) > _MOST_PLAYED:
            _played.popitem(last=False)
    if now - known > _ONE_VIEWING_S:
        detail = {"id": entity.id, "camera": entity.camera, "file": entity.uri}
        address = request.client.host if request.client else ""
        identity.audit_log().record(access.name, "play", library, detail, address)


ROUTES = [Route(f"{_PATH}/{{library}}/{{entity_id}}", _serve)]
