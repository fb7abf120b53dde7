"""What engines are given and what they tell of it; all of it picklable."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from ingest.media.base import LeastSize, MediaKind
from ingest.media.capture_time.claims import TimeClaim
from ingest.media.keyframe_selector import KeyframeSelector
from ingest.media.keyframes.interval import GivenMoments
from ingest.report import SourceOutcome
from search_core.encoders.base import Embeddings, Encoder, EncoderIdentity, Pixels, Preprocess
from search_core.schema.entity import CAMERA_MAX_LENGTH
from search_core.settings import Settings

#: The stage at which a source may fail and keep the keyframes that came of it before.
KEEPS_KEYFRAMES = "decode"
#: Chooses no frame: for sources that are opened alone.
HEADERS_ALONE = GivenMoments(frozenset())
#: Opening draws nothing; the size that pictures may be reduced to does not matter.
_ANY_SIZE = Preprocess((224, 224))


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How every source of one ingest is decoded; ``thumbnail_px`` is the longer side.

    ``encoder`` is the one whose embeddings the library holds, None where nothing is embedded.
    """

    selector: KeyframeSelector
    encoder: EncoderIdentity | None
    preprocess: Preprocess
    data_dir: Path
    thumbnail_px: int
    max_pixels: int
    max_animation_frames: int

    @classmethod
    def of(
        cls,
        settings: Settings,
        selector: KeyframeSelector = HEADERS_ALONE,
        encoder: Encoder | None = None,
    ) -> Self:
        """Return how the settings have sources decoded, by default to be opened alone."""
        return cls(
            selector,
            encoder.identity if encoder else None,
            encoder.preprocess if encoder else _ANY_SIZE,
            settings.data_dir,
            settings.media.thumbnail_px,
            settings.media.max_pixels,
            settings.media.max_animation_frames,
        )

    @property
    def least(self) -> LeastSize:
        """How small pictures may be made for what becomes of them."""
        height, width = self.preprocess.size
        return LeastSize((width, height), self.thumbnail_px)


@dataclass(frozen=True, slots=True)
class SampleOf:
    """What to decode of a source that is only sampled: all of it, or a part where it is long.

    The part is from ``start_ms`` on; what takes longer than ``limit_s`` ends there.
    """

    start_ms: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class DecodeTask:
    """One source to decode.

    ``path`` is the file, ``uri`` how the source is told of. ``version`` is the file's (size,
    mtime_ns) when its content was hashed. ``camera`` is that of its main track. Times are epoch
    milliseconds: ``given_ms`` is when it began by what somebody said, ``sidecar_ms`` what Google
    Takeout's JSON file says, ``file_ms`` when the file was last written. ``name_claims`` are the
    times in its name, ``name_question`` what a name with several readings asks. ``unpacked`` says
    that the file was unpacked for this ingest, ``spooled`` that it is a copy of what is at ``uri``.
    ``header_only`` asks for Opened and Finished alone, without any frame, ``sample`` for a sample
    of the frames. ``track`` is the video track to decode, None for all.
    """

    uri: str
    path: Path
    source_id: str
    version: tuple[int, int]
    options: DecodeOptions
    camera: str = ""
    given_ms: int | None = None
    file_ms: int = 0
    unpacked: bool = False
    spooled: bool = False
    name_claims: tuple[TimeClaim, ...] = ()
    name_question: str = ""
    header_only: bool = False
    sample: SampleOf | None = None
    sidecar_ms: int | None = None
    track: int | None = None

    @property
    def stored_uri(self) -> str:
        """What search results point to."""
        return self.uri if self.spooled else str(self.path)

    def let_go(self, keyframes: int) -> None:
        """Remove the file, now that the source has ended, if it is of no use any more."""
        if self.spooled or (self.unpacked and not keyframes):
            self.path.unlink(missing_ok=True)


def camera_of_track(camera: str, track: int) -> str:
    """Return the camera of a video track of a file from ``camera``; 0 is the main track."""
    if not track:
        return camera
    suffix = f" track {track}"
    room = CAMERA_MAX_LENGTH - len(suffix)
    return camera.encode()[:room].decode("utf-8", "ignore") + suffix


def main_camera(camera: str, track: int) -> str:
    """Return the camera of a file's main track by that of one of its tracks."""
    return camera.removesuffix(f" track {track}") if track else camera


@dataclass(frozen=True, slots=True)
class Opened:
    """A source was opened: what it is, how long, its capture times, and how many video tracks.

    ``footage_ms`` is how much of the duration is footage; it is set for tasks of headers alone.
    """

    kind: MediaKind
    duration_ms: int
    claims: tuple[TimeClaim, ...] = ()
    tracks: int = 1
    footage_ms: int = 0


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One keyframe of a source; its thumbnail is written.

    ``span_ms`` is how long it stands for what the video shows, from ``pts_ms`` on. ``track`` is 0
    for the main video track, else the number of another one.
    """

    pts_ms: int
    width: int
    height: int
    thumbnail: str
    span_ms: int = 0
    track: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """A keyframe that is to be embedded."""

    keyframe: Keyframe
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Embedded:
    """A keyframe that the engine has embedded too; ``embedding`` is (dim,), of length 1.

    ``seconds`` is its share of the time that embedding took.
    """

    keyframe: Keyframe
    embedding: Embeddings
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat: decoding goes on, although there is no keyframe to send.

    ``cpu_s`` is what the process took so far, in seconds of a core. Of a sample, ``at_ms`` says how
    far the footage is that it stands for: where that begins, and where it ends.
    """

    cpu_s: float = 0.0
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A source is decoded; ``warning`` says what was wrong although there were keyframes.

    ``left_out`` is how many frames would have become keyframes but show nothing new.
    """

    warning: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A source could not be decoded, or not to its end; ``reason`` is a predicate about it.

    What came of it before stays where decoding failed; otherwise nothing of it may stay.
    """

    stage: str
    reason: str

    @property
    def keeps_keyframes(self) -> bool:
        """Whether the keyframes before stay: they show what the file holds."""
        return self.stage == KEEPS_KEYFRAMES


Event = Opened | Decoded | Embedded | Alive | Finished | Failed
Prepared = DecodeTask | SourceOutcome
Told = tuple[DecodeTask, Event] | SourceOutcome | None


class Engine(Protocol):
    """Decodes sources somewhere and gives the events of all of them in one stream.

    It may embed their keyframes as well: they are told of as Embedded then, not as Decoded.
    """

    def decode(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        """Yield outcomes as they come and the events of each task in order.

        Yields None now and then while there is nothing to tell. Closing the iterator stops all.
        """
        ...
