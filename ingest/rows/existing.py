"""What a library holds already of a source that is ingested again, with other keyframes.

Its camera and time may have been corrected, and its keyframes tagged. The new keyframes get the
same camera and time, so that the keyframes of a file agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ingest.engines.base import camera_of_track, main_camera
from ingest.media.capture_time.choice import CaptureTime
from ingest.rows.journal import pending_values
from search_core.messages import Message
from search_core.schema.entity import TAGS_MAX_CAPACITY, MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.library import Store, entities_where

#: Said of a source; the commands do what the ingest leaves undone.
KEPT = Message(
    "keeps its camera and time in the library, which are not those of the file: `sightline library "
    "retime --re-read` and `sightline library recamera --re-read` read them again"
)


@dataclass(frozen=True, slots=True)
class Existing:
    """The rows of a source: their ids, and what corrections and curation gave them.

    ``captured`` is when the source starts; ``cameras`` are by video track, none where the ingest
    was given one; ``curated`` has the caption and tags of the rows (ids) that have any.
    """

    ids: frozenset[str]
    captured: CaptureTime
    cameras: Mapping[int, str]
    curated: Mapping[str, tuple[str, tuple[str, ...]]]

    def camera_of(self, track: int, otherwise: str) -> str:
        """Return the camera of a video track; ``otherwise`` is the one of the ingest."""
        if track in self.cameras or not self.cameras:
            return self.cameras.get(track, otherwise)
        known = min(self.cameras)
        return camera_of_track(main_camera(self.cameras[known], known), track)

    def put_into(self, entity: MediaEntity) -> MediaEntity:
        """Return a new keyframe with the camera, and with the caption and tags of its old row."""
        caption, tags = self.curated.get(entity.id, ("", ()))
        both = tuple(dict.fromkeys((*tags, *entity.tags)))
        return replace(
            entity,
            camera=self.camera_of(entity.track, entity.camera),
            caption=entity.caption or caption,
            tags=both if len(both) <= TAGS_MAX_CAPACITY else tags,
        )


def find_existing(
    settings: Settings, store: Store, library: str, source_id: str
) -> Existing | None:
    """Return what a library holds of a source, None where it holds nothing.

    A correction that was stopped midway counts as written. Raises StoreError.
    """
    ids: set[str] = set()
    first: dict[int, MediaEntity] = {}
    curated: dict[str, tuple[str, tuple[str, ...]]] = {}
    for page in entities_where(store, library, Filter(source_ids=(source_id,))):
        for entity in page:
            ids.add(entity.id)
            known = first.setdefault(entity.track, entity)
            if entity.pts_ms < known.pts_ms:
                first[entity.track] = entity
            if entity.caption or entity.tags:
                curated[entity.id] = entity.caption, entity.tags
    if not ids:
        return None
    pending = pending_values(settings, library, [entity.id for entity in first.values()])
    rows = {
        track: pending[entity.id].put_into(entity) if entity.id in pending else entity
        for track, entity in first.items()
    }
    main = rows[min(rows)]
    captured = CaptureTime(main.captured_at - main.pts_ms, main.captured_from)
    cameras = {track: entity.camera for track, entity in rows.items()}
    return Existing(frozenset(ids), captured, cameras, curated)
