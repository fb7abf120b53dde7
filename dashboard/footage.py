"""Serving original footage to the browser in pieces, so that a long video plays from any moment.

Only files that a library names are served, by the id of an entity: no path is ever asked for.
"""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard import resources
from search_core.entities import MediaEntity
from search_core.errors import SightlineError
from search_core.filters import Filter

_PATH = "/footage"
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
    """Return an entity's original file, None when it is not where it was."""
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


def _entity(library: str, entity_id: str) -> MediaEntity | None:
    found = resources.store().entities(library, Filter(ids=(entity_id,)), limit=1)
    return found[0] if found else None


def _serve(request: Request) -> Response:
    """Answer with a video or a part of it, as the Range header asks."""
    try:
        entity = _entity(request.path_params["library"], request.path_params["entity_id"])
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
            "Cache-Control": "private, max-age=3600",
        },
    )


ROUTES = [Route(f"{_PATH}/{{library}}/{{entity_id}}", _serve)]
