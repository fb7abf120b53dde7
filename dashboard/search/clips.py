"""Clips of a time: what was recorded between two moments, for a case or to take along."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.cases.adding import add_items, exact_switch, may_collect
from dashboard.components import video_serving as footage
from dashboard.components.errors import shown_in_words
from dashboard.i18n.formatting import counted, megabytes, plain, time_range, viewer_zone
from dashboard.i18n.gettext import _
from ingest.evidence.bundle import Bundle, BundleWriter
from ingest.evidence.cases import Item, clip_item
from ingest.evidence.originals import spans_between
from ingest.ledger import Ledger
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter

_MOST_LISTED = 12
#: A zip that is downloaded is made in memory.
_MOST_BYTES = 1024**3


def offer_clips(library: str, cameras: tuple[str, ...], first_ms: int, last_ms: int) -> None:
    """Draw the button that offers clips of a time (epoch ms) of these cameras, of all for none."""
    if st.button(
        _("Clips of this time"),
        icon=":material/content_cut:",
        type="tertiary",
        help=_("Cut what the cameras recorded then, for a case or to download."),
    ):
        wanted = Filter(cameras=cameras)
        with st.spinner(_("Looking for recordings …"), show_time=False):
            spans = spans_between(resources.store(), library, wanted, first_ms, last_ms)
        by = identity.current().name
        found = [clip_item(library, entity, span, by) for entity, span in spans]
        st.dialog(_("Clips of this time"), width="medium")(_clips)(
            library, found, first_ms, last_ms
        )


@shown_in_words()
def _clips(library: str, found: Sequence[Item], first_ms: int, last_ms: int) -> None:
    when = time_range(first_ms, last_ms)
    st.caption(plain(when))
    if not found:
        text = _("No video was recorded then: photographs and pictures of live cameras are stills.")
        st.info(text)
        return
    items = _chosen(found)
    st.markdown("\n".join(f"- {_told(item)}" for item in items[:_MOST_LISTED]))
    if len(items) > _MOST_LISTED:
        st.caption(_("… and {count} more").format(count=f"{len(items) - _MOST_LISTED:,}"))
    if not items:
        return
    _download(library, items, when)
    if may_collect():
        with st.expander(_("Add to a case"), icon=":material/cases:"):
            add_items("clips", library, items)


def _chosen(found: Sequence[Item]) -> list[Item]:
    """Draw what chooses among the clips, and how they are cut; return those that are wanted."""
    names = list(dict.fromkeys(_camera(item) for item in found))
    chosen: list[str] = names
    if len(names) > 1:
        chosen = st.pills(
            _("Cameras"), names, selection_mode="multi", default=names, key="clips-cameras"
        )
    exact = exact_switch("clips-exact")
    by = identity.current().name
    return [
        clip_item(item.library, _moment(item), item.span, by, exact=exact)
        for item in found
        if item.span is not None and _camera(item) in chosen
    ]


def _download(library: str, items: Sequence[Item], when: str) -> None:
    size = sum(map(_bytes_of, items))
    settings, zone = resources.settings(), viewer_zone()

    def make() -> bytes:
        file = io.BytesIO()
        bundle = Bundle(when, items, zone, {"library": library, "time": when})
        with Ledger(settings.ledger_path) as ledger:
            BundleWriter(settings, ledger).write(bundle, file)
        return file.getvalue()

    detail = {
        "file": "clips.zip",
        "ids": [_moment(item).id for item in items],
        "clips": [[item.span.start_ms, item.span.end_ms] for item in items if item.span],
    }
    st.download_button(
        _("Download {clips} (zip)").format(clips=counted(len(items), "clip")),
        data=identity.download(library, detail, make),
        file_name="sightline-clips.zip",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        disabled=size > _MOST_BYTES,
        key="clips-download",
    )
    text = _("About {size}. File names and the list in it say where each clip begins.")
    if size > _MOST_BYTES:
        text = _("About {size}, too much for one download. Choose fewer cameras or a shorter time.")
    st.caption(text.format(size=megabytes(size)))


def _bytes_of(item: Item) -> int:
    """Return about how large a clip will be: its share of its recording."""
    entity, span = _moment(item), item.span
    path = footage.place_of(entity)
    if path is None or span is None or not entity.duration_ms:
        return 0
    return path.stat().st_size * (span.end_ms - span.start_ms) // entity.duration_ms


def _moment(item: Item) -> MediaEntity:
    assert item.entity is not None
    return item.entity


def _camera(item: Item) -> str:
    return _moment(item).camera or _("no camera")


def _told(item: Item) -> str:
    """Return a clip as Markdown: its camera, its time, and why it could not be cut."""
    entity, span = _moment(item), item.span
    assert span is not None
    begins = entity.captured_at - entity.pts_ms
    text = f"**{plain(_camera(item))}** · "
    text += plain(time_range(begins + span.start_ms, begins + span.end_ms))
    if not entity.is_remote and footage.file_of(entity) is None:
        text += " · " + _("the recording is gone or has changed: a thumbnail stands for it")
    return text
