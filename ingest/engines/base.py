"""What engines are given and what they tell of it, all of it picklable; the engine of this machine.

That one decodes in processes, each watched by a thread: one may crash, the rest go on. When a
process dies, or says nothing for too long, the source it was at failed and a fresh process takes
the next one. What the processes send waits in one bounded queue, so decoding is never far ahead of
embedding.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from ingest.media.base import KeyframeSelector, LeastSize, MediaKind
from ingest.media.capture_time.claims import TimeClaim
from ingest.media.keyframes.interval import GivenMoments
from ingest.media.regions.base import LEAST_SIDE, Region, RegionProposer
from ingest.report import SourceOutcome
from search_core.encoders.base import Embeddings, Encoder, EncoderIdentity, Pixels, Preprocess
from search_core.errors import MediaError
from search_core.schema.entity import CAMERA_MAX_LENGTH
from search_core.settings import Settings
from search_core.system.child_process import ChildProcess
from search_core.system.machine import available_memory_bytes, cores

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
    ``regions`` proposes which parts of a keyframe are embedded as well, None for none.
    """

    selector: KeyframeSelector
    encoder: EncoderIdentity | None
    preprocess: Preprocess
    data_dir: Path
    thumbnail_px: int
    max_pixels: int
    max_animation_frames: int
    regions: RegionProposer | None = None

    @classmethod
    def of(
        cls,
        settings: Settings,
        selector: KeyframeSelector = HEADERS_ALONE,
        encoder: Encoder | None = None,
        regions: RegionProposer | None = None,
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
            regions,
        )

    @property
    def least(self) -> LeastSize:
        """How small pictures may be made for what becomes of them."""
        height, width = self.preprocess.size
        if self.regions is not None:  # the smallest region is as large as the encoder takes
            height, width = (round(side / LEAST_SIDE) for side in (height, width))
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
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A keyframe that is to be embedded; ``crops`` are its regions, in their order."""

    keyframe: Keyframe
    pixels: Pixels
    crops: tuple[Pixels, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """A keyframe that the engine has embedded too.

    ``embeddings`` (1 + regions, dim), of length 1, begin with that of the whole picture.
    ``seconds`` is its share of the time that embedding took.
    """

    keyframe: Keyframe
    embeddings: Embeddings
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


HANG_S = 120.0
ENTRY = "ingest.engines.decode_process:main"
_LOOK_EVERY_S = 0.1


class Decoder(ChildProcess):
    """Decodes one source after the other in a process of its own, started when it is needed."""

    def __init__(self, entry: str = ENTRY, hang_s: float = HANG_S) -> None:
        super().__init__(entry, hang_s)
        #: What starting a process took, once one has begun a source: seconds of a core.
        self.start_s = 0.0

    def events(self, task: DecodeTask) -> Generator[Event | None, None, None]:
        """Yield a source's events, at the end Finished or Failed; None while nothing comes.

        Closing it before the end ends the process. Raises SightlineError when no process can start.
        """
        try:
            with closing(
                self.told(task, lambda event: isinstance(event, Finished | Failed))
            ) as told:
                for event in told:
                    if isinstance(event, Alive):
                        self.start_s = self.start_s or event.cpu_s
                    yield event
        except MediaError as error:
            yield Failed("decode", error.message)

    def header(self, task: DecodeTask) -> Opened | Failed:
        """Return what a source is by its header, or why that cannot be told."""
        told = list(self.events(replace(task, header_only=True)))
        return next(event for event in told if isinstance(event, Opened | Failed))


_EVENTS_IN_FLIGHT = 128


class Threads:
    """What threads tell waits in one bounded queue, so none is far ahead of the one who reads it.

    ``stop`` is set once nobody reads any more; the threads have to end then.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._news: queue.Queue[Told | _Ended] = queue.Queue(_EVENTS_IN_FLIGHT)

    def told(
        self,
        work: Mapping[str, Callable[[], None]],
        on_stop: Callable[[], None] = lambda: None,
        most_s: float | None = None,
    ) -> Generator[Told, None, None]:
        """Run each work in a thread of its name; yield their messages, None while waiting.

        Raises what one raised. At the end, also when it is closed, all is stopped: ``on_stop`` is
        called, and each thread waited for, ``most_s`` seconds at the most.
        """
        threads = [
            threading.Thread(target=self._until_end, args=(do,), name=name, daemon=True)
            for name, do in work.items()
        ]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                try:
                    news = self._news.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield None
                    continue
                if not isinstance(news, _Ended):
                    yield news
                    continue
                running -= 1
                if news.error is not None:
                    raise news.error
        finally:
            self.stop.set()
            on_stop()
            for thread in threads:
                thread.join(most_s)

    def tell(self, news: Told | _Ended) -> None:
        """Put something in the queue; once all is stopped, nobody reads it and it is dropped."""
        while not self.stop.is_set():
            try:
                self._news.put(news, timeout=_LOOK_EVERY_S)
                return
            except queue.Full:
                continue

    def _until_end(self, work: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised  # it is raised again where the events are read
        finally:
            self.tell(_Ended(error))


class _Ended:
    """The last word of a thread; ``error`` is what it died of, if anything."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


_MOST_WORKERS = 8
#: Memory to have for each: photographs take 60 to 170 MB, 4K video 200, the largest PNG 1,400.
WORKER_BYTES = 512 * 1024**2


class LocalEngine:
    """Decodes in ``workers`` processes; :func:`fitting_workers` when not given.

    ``hang_s`` is how long a process may be silent; ``entry`` is what it runs, ``module:function``.
    """

    def __init__(
        self, workers: int | None = None, *, hang_s: float = HANG_S, entry: str = ENTRY
    ) -> None:
        self.workers = workers or fitting_workers()
        self.hang_s = hang_s
        self.entry = entry

    def decode(self, prepared: Iterator[Prepared]) -> Generator[Told, None, None]:
        """Yield outcomes and events as they come, None while waiting; closing it stops all."""
        threads, lock = Threads(), threading.Lock()

        def next_item() -> Prepared | None:
            with lock:
                return None if threads.stop.is_set() else next(prepared, None)

        def supervise() -> None:
            with closing(Decoder(self.entry, self.hang_s)) as decoder:
                while (item := next_item()) is not None:
                    if isinstance(item, SourceOutcome):
                        threads.tell(item)
                    else:
                        _pass_on(decoder, item, threads)

        return threads.told({f"decoder-{n}": supervise for n in range(self.workers)})


def fitting_workers() -> int:
    """Return how many decoding processes suit this machine: one per core, at most eight.

    Fewer where there is no memory for them; one in any case.
    """
    memory = available_memory_bytes()
    fitting = _MOST_WORKERS if memory is None else memory // WORKER_BYTES
    return max(1, min(_MOST_WORKERS, cores(), fitting))


def _pass_on(decoder: Decoder, task: DecodeTask, threads: Threads) -> None:
    """Tell what the decoder says of a source."""
    with closing(decoder.events(task)) as events:
        for event in events:
            if threads.stop.is_set():
                return
            if event is not None:
                threads.tell((task, event))
