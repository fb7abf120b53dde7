"""What Sightline stores: one entity per image or keyframe, its fields and its primary key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from search_core.schema.lettering import LETTERING_TEXT_FIELD, Line, lines_of, searched_text

MediaType = Literal["image", "frame"]
#: What a row's vector is of: all of a picture, what moves in it, one of its tiles, or what a
#: detector found.
RowKind = Literal["frame", "motion", "tile", "detector"]
#: A part of a picture: left, top, right and bottom as fractions of it as displayed.
Box: TypeAlias = tuple[float, float, float, float]
#: Where ``captured_at`` was read; `ingest.media.capture_time.SOURCES` says in which order.
CapturedFrom = Literal[
    "given",
    "sidecar",
    "container",
    "exif",
    "xmp",
    "iptc",
    "gps",
    "name",
    "overlay",
    "modified",
    "day",
    "file",
    "live",
]

EMBEDDING_FIELD = "embedding"
ID_MAX_LENGTH = 64
URI_MAX_LENGTH = 4096
CAMERA_MAX_LENGTH = 256
CAPTION_MAX_LENGTH = 2048
TAG_MAX_LENGTH = 128
TAGS_MAX_CAPACITY = 64
MINUTES_A_DAY = 24 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: How a region's id ends: the first letter of its kind, and its number.
_REGION = re.compile(r"-[a-z]\d+$")
_TRACK = re.compile(r"-v(\d+)-\d+")
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class FrameRef:
    """One moment of one source: content hash and presentation time in milliseconds.

    ``track`` is 0 for the main video track of a file, else the number of another one.
    """

    source_id: str
    pts_ms: int
    track: int = 0

    @property
    def primary_key(self) -> str:
        """The entity's id: the same content and moment always get the same key."""
        track = f"v{self.track}-" if self.track else ""
        return f"{self.source_id}-{track}{self.pts_ms:010d}"


@dataclass(frozen=True, slots=True)
class MediaEntity:
    """One searchable image or keyframe, or a region of one, without its embedding.

    Times are milliseconds: ``captured_at`` and ``ingested_at`` since the epoch in UTC, ``pts_ms``
    since the start of the video (0 for images), ``duration_ms`` the length of the whole video.
    ``captured_from`` says where ``captured_at`` was read. ``width`` and ``height`` are pixels as
    displayed, after rotation. ``thumbnail`` is a path relative to the data directory. A live
    camera's keyframe counts ``pts_ms`` from the beginning of its day (UTC). ``span_ms`` is how long
    a keyframe stands for what its video shows, from ``pts_ms`` on; 0 where unknown. ``lettering``
    holds the lines that were read on it, see `lines`; "" where it was not read yet.

    A region is a row beside its keyframe's, whose ``frame_id`` that is, with all that the keyframe
    has but for the embedding: that of the ``box`` alone (left, top, right, bottom as fractions).
    ``kind`` is how the box was found; a keyframe's is "frame", and it has no box.
    """

    id: str
    source_id: str
    media_type: MediaType
    uri: str
    camera: str
    captured_at: int
    captured_from: CapturedFrom
    pts_ms: int
    duration_ms: int
    width: int
    height: int
    thumbnail: str
    ingested_at: int
    caption: str = ""
    tags: tuple[str, ...] = field(default=())
    span_ms: int = 0
    lettering: str = ""
    frame_id: str = ""
    kind: RowKind = "frame"
    box: tuple[float, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that were read on it."""
        return lines_of(self.lettering)

    @property
    def lettering_text(self) -> str:
        """What its lines are searched by."""
        return searched_text(self.lettering)

    @property
    def is_region(self) -> bool:
        """Whether it is a region of a keyframe, and none itself."""
        return self.kind != "frame"

    @property
    def keyframe_id(self) -> str:
        """The id of the keyframe that it is of, or its own."""
        return self.frame_id or self.id

    @property
    def keyframe(self) -> MediaEntity:
        """The keyframe that it is a region of, or itself."""
        if not self.is_region:
            return self
        return replace(self, id=self.frame_id, frame_id="", kind="frame", box=())

    def region(self, kind: RowKind, number: int, box: Box) -> MediaEntity:
        """Return a region of this keyframe: the ``number``-th of its kind."""
        return replace(
            self, id=f"{self.id}-{kind[0]}{number}", frame_id=self.id, kind=kind, box=box
        )

    @property
    def track(self) -> int:
        """Which video track of its file it is of: 0 for the main one, which players show."""
        found = _TRACK.fullmatch(self.keyframe_id.removeprefix(self.source_id))
        return int(found[1]) if found else 0

    @property
    def ref(self) -> FrameRef:
        """Which moment of its source it is."""
        return FrameRef(self.source_id, self.pts_ms, self.track)

    @property
    def is_live(self) -> bool:
        """Whether it is a keyframe of a live camera: ``uri`` is its still, and no video plays."""
        return self.captured_from == "live"

    @property
    def in_video(self) -> bool:
        """Whether it is a moment of a video file."""
        return self.media_type == "frame" and not self.is_live

    @property
    def is_remote(self) -> bool:
        """Whether ``uri`` is an address, and no file of this machine."""
        return is_address(self.uri)

    @property
    def minute_of_day(self) -> int:
        """The minute of the day in UTC at which it was captured, 0 to 1439."""
        return minute_of_day(self.captured_at)

    @property
    def captured_at_iso(self) -> str:
        """``captured_at`` as ISO 8601 in UTC, to the millisecond."""
        return iso_from_ms(self.captured_at)


#: The names of all that it has but the embedding, under which it is stored.
SCALAR_FIELDS = tuple(field.name for field in fields(MediaEntity))
#: Stored beside them, made of ``captured_at`` wherever a row is written: see `minute_of_day`.
MINUTE_FIELD = "minute_of_day"
STORED_FIELDS = (*SCALAR_FIELDS, MINUTE_FIELD, LETTERING_TEXT_FIELD)
#: What tells regions from keyframes; where a library lacks them, all rows are keyframes.
KIND_FIELD, FRAME_ID_FIELD, BOX_FIELD = "kind", "frame_id", "box"
REGION_FIELDS = (KIND_FIELD, FRAME_ID_FIELD, BOX_FIELD)


def keyframe_id_of(row_id: str) -> str:
    """Return the id of the keyframe that a row is of, by its own id; a keyframe's is itself."""
    return _REGION.sub("", row_id)


def keyframes_among(entities: Iterable[MediaEntity]) -> list[MediaEntity]:
    """Return the keyframes among rows, without their regions: what people count."""
    return [entity for entity in entities if not entity.is_region]


def is_address(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/clip.mp4``; ``file://`` is none."""
    found = _ADDRESS.match(path)
    return found is not None and found[1].lower() != "file"


def minute_of_day(epoch_ms: int) -> int:
    """Return the minute of the day in UTC, 0 to 1439, of epoch milliseconds."""
    return epoch_ms // 60_000 % MINUTES_A_DAY


def iso_from_ms(epoch_ms: int) -> str:
    """Return epoch milliseconds as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms_from_datetime(moment: datetime) -> int:
    """Return a moment as epoch milliseconds; one without a zone is taken as local time.

    Every datetime has one: where a local time is outside what the system's clock can tell, its
    offset from UTC is taken as 0.
    """
    if moment.tzinfo is None:
        try:
            return round(moment.timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            moment = moment.replace(tzinfo=UTC)
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def clock_from_ms(offset_ms: int) -> str:
    """Return an offset into a video as ``H:MM:SS.mmm`` (hours only when there are any)."""
    seconds, ms = divmod(offset_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}.{ms:03d}"
