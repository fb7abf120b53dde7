"""What of a moment can be downloaded: its keyframe, a clip around it, the whole video."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from dashboard import resources
from dashboard.auth import identity
from dashboard.components import video_serving as footage
from dashboard.components.stills import thumbnail_file
from dashboard.i18n.formatting import local_time, viewer_zone
from dashboard.i18n.gettext import _
from ingest.evidence.bundle import file_stem, jpeg
from ingest.evidence.originals import cut_moment, picture_of, span_around
from ingest.media.video.clips import Span, copied_from
from search_core.errors import MediaError
from search_core.schema.entity import MediaEntity

#: Seconds of a clip before and after the moment that it is of.
CLIP_S = 5


def offer_downloads(library: str, entity: MediaEntity) -> None:
    """Draw the buttons that download a moment's picture, its clip and its video."""
    path = footage.file_of(entity)
    stem = file_stem(entity, None, viewer_zone())
    picture = thumbnail_file(entity.thumbnail) if entity.in_video else path
    if picture is not None:
        _download(
            _("The keyframe, small") if entity.in_video else _("The picture"),
            ":material/image:",
            f"{stem}{picture.suffix}",
            identity.download(library, {"id": entity.id}, picture.read_bytes),
        )
    if entity.in_video and path is not None:
        _download(
            _("The keyframe, full size"),
            ":material/photo_size_select_large:",
            f"{stem}-full.jpg",
            identity.download(library, {"id": entity.id}, lambda: _full_size(entity, path)),
        )
        with suppress(MediaError):  # such as an animation: no player's container holds it
            _clip_download(library, entity, path)
    url = footage.url_of(library, entity) if entity.in_video else None
    if url is not None and path is not None:
        st.link_button(
            _("The whole video"), f"{url}?download", icon=":material/movie:", width="stretch"
        )
    if picture is None and url is None:
        st.caption(_("Nothing is left to download."))


def _download(
    label: str, icon: str, name: str, data: Callable[[], bytes], about: str | None = None
) -> None:
    st.download_button(
        label, data=data, file_name=name, icon=icon, on_click="ignore", width="stretch", help=about
    )


def _clip_download(library: str, entity: MediaEntity, path: Path) -> None:
    span = span_around(entity, CLIP_S, CLIP_S)
    start_ms, suffix = copied_from(path, span.start_ms, entity.track)
    zone = viewer_zone()
    begins = local_time(entity.captured_at - entity.pts_ms + start_ms, zone)
    _download(
        _("The clip, {count} s each way").format(count=CLIP_S),
        ":material/content_cut:",
        f"{file_stem(entity, Span(start_ms, max(span.end_ms, start_ms + 1)), zone)}{suffix}",
        identity.download(
            library,
            {"id": entity.id, "clip": [span.start_ms, span.end_ms]},
            lambda: _clip(entity, path, span),
        ),
        _("As recorded, from the codec keyframe before: it begins at {time}.").format(time=begins),
    )


def _full_size(entity: MediaEntity, path: Path) -> bytes:
    limit = resources.settings().media.max_pixels
    return jpeg(picture_of(entity, path, max_pixels=limit))


def _clip(entity: MediaEntity, path: Path, span: Span) -> bytes:
    with TemporaryDirectory(prefix="sightline-") as folder:
        made = cut_moment(
            resources.settings(), entity, path, Path(folder), lambda shown: "clip", span
        )
        return made.path.read_bytes()
