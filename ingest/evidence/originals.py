"""The media that entities were made of: files with the content that was taken in, and spans.

Messages of the errors it raises are predicates ("is gone"), to be put after a file's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from ingest.ledger import Ledger
from ingest.media.decoding import open_media
from ingest.media.video.clips import Box, Clip, Span, cut_clip
from ingest.media.video.container import number_of, open_container, video_tracks
from ingest.sources.media_locator import Whereabouts
from ingest.sources.remote.fetching import fetched
from ingest.sources.remote.files import RemoteFiles
from search_core.errors import MediaError, UsageError
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, entities_where

_CHANGED = "has changed since it was taken in"
_GONE = "is gone"
#: What says of itself to be faster has timestamps that are finer than its frames.
_MOST_FRAMES_PER_S = 480
#: No recording is taken to be longer: earlier keyframes are not looked at for a span of time.
_LONGEST_MS = 24 * 3600 * 1000


class Originals:
    """Finds the files of entities; with the content that was taken in, or not at all."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._places = Whereabouts(settings, ledger)

    @contextmanager
    def file(self, library: str, entity: MediaEntity) -> Iterator[Path]:
        """Yield where an entity's file is, fetched where it has to be.

        Raises MediaError where it is gone, away, or has other content now.
        """
        if entity.is_live:
            yield self._still(entity)
            return
        if entity.is_remote:
            with self._fetched(entity) as path:
                yield path
            return
        yield Path(self._local(library, entity))

    def _still(self, entity: MediaEntity) -> Path:
        path = Path(entity.uri)
        if not path.is_file():
            raise MediaError(_GONE)
        return path

    def _local(self, library: str, entity: MediaEntity) -> str:
        state, why = self._places.look(entity.uri, entity.source_id)
        if state == "there":
            return entity.uri
        if elsewhere := self._places.elsewhere(library, entity.source_id, entity.uri):
            return elsewhere
        raise MediaError(why or (_CHANGED if state == "changed" else _GONE))

    @contextmanager
    def _fetched(self, entity: MediaEntity) -> Iterator[Path]:
        with fetched(self._settings, RemoteFiles(self._settings.remote), entity.uri) as found:
            path, content = found
            if content.source_id != entity.source_id:
                raise MediaError(_CHANGED)
            yield path


def picture_of(entity: MediaEntity, path: Path, *, max_pixels: int) -> Image.Image:
    """Return what an entity shows at its full size, upright RGB, from its file.

    Raises MediaError.
    """
    with closing(open_media(path, max_pixels=max_pixels, track=entity.track)) as media:
        return media.frame_at(0 if entity.is_live else entity.pts_ms).image


def shortest_frame_s(path: Path, track: int) -> float:
    """Return how long a frame of a video is shown, the shortest where its rate varies, in seconds.

    Raises MediaError.
    """
    with closing(open_container(path)) as container:
        tracks = video_tracks(container)
        video = next((item for item in tracks if number_of(container, item) == track), tracks[0])
        rates = [float(rate) for rate in (video.guessed_rate, video.average_rate) if rate]
    return 1 / max((rate for rate in rates if 0 < rate <= _MOST_FRAMES_PER_S), default=25)


def cut_moment(
    settings: Settings,
    entity: MediaEntity,
    source: Path,
    folder: Path,
    name: Callable[[Span], str],
    span: Span,
    *,
    exact: bool = False,
    boxes: Sequence[Box] = (),
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Clip:
    """Cut a span of the video that an entity is a moment of, ``source`` being its file.

    See :func:`ingest.media.video.clips.cut_clip`.
    """
    return cut_clip(
        source,
        folder,
        name,
        span,
        exact=exact,
        boxes=boxes,
        track=entity.track,
        taken_at_ms=entity.captured_at - entity.pts_ms,
        max_pixels=settings.media.max_pixels,
        should_stop=should_stop,
        on_progress=on_progress,
    )


def span_around(entity: MediaEntity, before_s: float, after_s: float) -> Span:
    """Return the span around a moment of a video, within the video; raises UsageError."""
    require_video(entity)
    start = max(0, entity.pts_ms - round(before_s * 1000))
    end = entity.pts_ms + round(after_s * 1000)
    if entity.duration_ms:
        end = min(end, entity.duration_ms)
    if before_s < 0 or after_s < 0 or end <= start:
        raise UsageError(
            "A clip of {before} s before and {after} s after the moment has no length.",
            "Give seconds above 0.",
            before=f"{before_s:g}",
            after=f"{after_s:g}",
        )
    return Span(start, end)


def require_video(entity: MediaEntity) -> None:
    """Raise UsageError for what is no moment of a video file."""
    if not entity.in_video:
        raise UsageError(
            "{id} is no moment of a video file: there is nothing to cut a clip from.",
            "Pictures of live cameras and photographs go into a case as pictures.",
            id=entity.id,
        )


def spans_between(
    store: Store, library: str, where: Filter, after_ms: int, before_ms: int
) -> list[tuple[MediaEntity, Span]]:
    """Return the spans of videos recorded between two moments (epoch ms), in order of time.

    ``where`` narrows cameras and the like; each span comes with a moment of its video, one within
    the span where there is any.
    """
    earliest = datetime.fromtimestamp((after_ms - _LONGEST_MS) / 1000, UTC)
    latest = datetime.fromtimestamp((before_ms + _LONGEST_MS) / 1000, UTC)
    near = replace(where, after=earliest, before=latest, media_type="frame")

    def distance(moment: MediaEntity) -> tuple[bool, int]:
        within = after_ms <= moment.captured_at < before_ms
        return not within, abs(moment.captured_at - after_ms)

    videos: dict[tuple[str, int], MediaEntity] = {}
    for page in entities_where(store, library, near):
        for entity in page:
            video = (entity.source_id, entity.track)
            if entity.in_video and distance(entity) <= distance(videos.get(video, entity)):
                videos[video] = entity
    found = []
    for entity in videos.values():
        begins = entity.captured_at - entity.pts_ms
        start, end = max(0, after_ms - begins), min(entity.duration_ms, before_ms - begins)
        if start < end:
            found.append((begins, entity, Span(start, end)))
    return [(entity, span) for _, entity, span in sorted(found, key=lambda item: item[0])]
