"""Times, positions and other people's text as the dashboard writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard.i18n.gettext import _, ngettext
from search_core.schema.entity import MediaEntity

Noun = Literal[
    "camera", "clip", "file", "gap", "hit", "job", "keyframe", "moment", "other", "pair", "picture",
    "recorded search", "source", "stored picture", "vector",
]  # fmt: skip
_COUNTED: Mapping[Noun, Callable[[int], str]] = {
    "camera": lambda n: ngettext("{count} camera", "{count} cameras", n),
    "clip": lambda n: ngettext("{count} clip", "{count} clips", n),
    "file": lambda n: ngettext("{count} file", "{count} files", n),
    "gap": lambda n: ngettext("{count} gap", "{count} gaps", n),
    "hit": lambda n: ngettext("{count} hit", "{count} hits", n),
    "job": lambda n: ngettext("{count} job", "{count} jobs", n),
    "keyframe": lambda n: ngettext("{count} keyframe", "{count} keyframes", n),
    "moment": lambda n: ngettext("{count} moment", "{count} moments", n),
    "other": lambda n: ngettext("{count} other", "{count} others", n),
    "pair": lambda n: ngettext("{count} pair", "{count} pairs", n),
    "picture": lambda n: ngettext("{count} picture", "{count} pictures", n),
    "recorded search": lambda n: ngettext(
        "{count} recorded search", "{count} recorded searches", n
    ),
    "source": lambda n: ngettext("{count} source", "{count} sources", n),
    "stored picture": lambda n: ngettext("{count} stored picture", "{count} stored pictures", n),
    "vector": lambda n: ngettext("{count} vector", "{count} vectors", n),
}
_zone: ContextVar[tzinfo | None] = ContextVar("zone", default=None)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@])")


def plain(text: str) -> str:
    """Return text that Markdown shows as it is: file and camera names are other people's."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


@contextmanager
def one_zone() -> Iterator[None]:
    """Within it, find the viewer's time zone once: a page asks for it with every time it shows."""
    token = _zone.set(viewer_zone())
    try:
        yield
    finally:
        _zone.reset(token)


def viewer_zone() -> tzinfo:
    """Return the time zone of the browser, else this machine's."""
    if (found := _zone.get()) is not None:
        return found
    try:
        name = st.context.timezone
        if name:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    return datetime.now(UTC).astimezone().tzinfo or UTC


def local_time(epoch_ms: int, zone: tzinfo | None = None) -> str:
    """Return epoch milliseconds in the viewer's zone, to the second."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, zone or viewer_zone())
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def time_range(first_ms: int, last_ms: int) -> str:
    """Return when something began and ended, the day said once."""
    zone = viewer_zone()
    first, last = local_time(first_ms, zone), local_time(last_ms, zone)
    if first == last:
        return first
    return f"{first} – {last[11:] if first[:10] == last[:10] else last}"


def position(entity: MediaEntity) -> str:
    """Return where in its video a keyframe is, as ``0:12.4``; "photo" for an image, or "live"."""
    if not entity.in_video:
        return _("live") if entity.is_live else _("photo")
    return clock(entity.pts_ms)


def clock(offset_ms: int) -> str:
    """Return an offset into a video as ``M:SS.t``, with hours when there are any."""
    minutes, tenths = divmod(offset_ms // 100, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{tenths // 10:02d}.{tenths % 10}"


def counted(count: int, noun: Noun) -> str:
    """Return a count with its noun: ``1 keyframe``, ``2,500 keyframes``."""
    return _COUNTED[noun](count).format(count=f"{count:,}")


def megabytes(size_bytes: int) -> str:
    """Return a file size as people read it."""
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:,.0f} kB"
