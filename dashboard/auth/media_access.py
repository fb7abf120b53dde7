"""Whose page shows a file that Streamlit serves: thumbnails, photographs, downloads.

Streamlit gives the files of all sessions to whoever knows their addresses. With a login they are
for those on whose pages they are now, or were until a moment ago.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import PurePosixPath

from streamlit import runtime
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

from search_core.access.roles import Access

MEDIA = "/media/"
_MOST_SESSIONS = 10_000
_MOST_FILES = 2_000
_lock = threading.Lock()
_sessions: OrderedDict[str, Access] = OrderedDict()
#: While a page is drawn again Streamlit knows nothing of what it showed before; browsers may still
#: be fetching that.
_shown_before: OrderedDict[str, frozenset[str]] = OrderedDict()

_handed_out: OrderedDict[tuple[bytes, Access], None] = OrderedDict()


def remember(access: Access | None) -> None:
    """Remember the user of the page that is being drawn; None where logged out."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return
    with _lock:
        if _sessions.get(context.session_id) != access:
            _shown_before.pop(context.session_id, None)
        if access is None:
            _sessions.pop(context.session_id, None)
            return
        _sessions[context.session_id] = access
        _sessions.move_to_end(context.session_id)
        while len(_sessions) > _MOST_SESSIONS:
            _shown_before.pop(_sessions.popitem(last=False)[0], None)


def keep_shown() -> None:
    """Remember what the page that was just drawn shows, until it was drawn again."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not runtime.exists():
        return
    files = frozenset(list(_files_of(context.session_id))[:_MOST_FILES])
    with _lock:
        _shown_before[context.session_id] = files


def hand_out(access: Access, data: bytes) -> None:
    """Give a user access to a file that no page shows: one made for a download."""
    with _lock:
        _handed_out[hashlib.sha256(data).digest(), access] = None
        while len(_handed_out) > _MOST_FILES:
            _handed_out.popitem(last=False)


def may_have(access: Access, path: str) -> bool:
    """Whether a page of a user with this access shows or offers the file at ``path``."""
    file_id = PurePosixPath(path.removeprefix(MEDIA)).stem
    with _lock:
        own = [session for session, whose in _sessions.items() if whose == access]
        shown = any(file_id in _shown_before.get(session, ()) for session in own)
    shown = shown or any(file_id in _files_of(session) for session in own)
    return shown or _was_handed_out(access, file_id)


def _was_handed_out(access: Access, file_id: str) -> bool:
    if not runtime.exists() or not _handed_out:
        return False
    file = runtime.get_instance().media_file_mgr.read_file(file_id)
    return file is not None and (hashlib.sha256(file.content).digest(), access) in _handed_out


def _files_of(session_id: str) -> set[str]:
    """Return the ids of the files that Streamlit holds for a session's page."""
    if not runtime.exists():
        return set()
    manager = runtime.get_instance().media_file_mgr
    with manager._lock:
        return set(manager._files_by_session_and_coord.get(session_id, {}).values())
