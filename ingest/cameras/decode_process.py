"""A camera's own process: decodes its stream and sends keyframes; never loads torch.

Whatever the camera sends, only this process crashes, hangs or fills the memory. Before a camera is
added its stream is decoded for a few seconds, in a process of its own too, to show what it sends,
or why it cannot be watched.
"""

from __future__ import annotations

import io
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from PIL import Image

from ingest.cameras.events import LiveKeyframe, Lost, Ready, Seen, StreamEvent, StreamTask, Trouble
from ingest.cameras.live_stream import LiveFrame, LiveStream, MotionGate, silence_libav
from ingest.cameras.stills import frame_ref, still_path
from ingest.media.base import DecodedFrame, Mask, small_mask
from ingest.media.regions.base import RegionFinder
from ingest.media.thumbnails import write_picture, write_thumbnail
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.system.child_process import ChildProcess, parent_process

if TYPE_CHECKING:  # a camera's process does without pydantic
    from ingest.cameras.camera import Camera

#: The longer side of the stills kept to be looked at.
STILL_PX = 1920
TELL_EVERY_S = 1.0
MOST_MEMORY_BYTES = 2 * 1024**3


def main(handle: int) -> None:
    """Serve the connection with this file descriptor until it closes."""
    silence_libav()
    with parent_process(handle, Ready(), most_memory_bytes=MOST_MEMORY_BYTES) as connection:
        tasks: queue.SimpleQueue[StreamTask] = queue.SimpleQueue()
        threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
        gate = MotionGate()  # outlives a connection: what was kept before a loss still counts
        finder: RegionFinder | None = None
        with suppress(OSError):
            while True:
                task = tasks.get()
                if finder is None and task.regions is not None:
                    finder = task.regions.finder(min(task.preprocess.size))
                for event in follow(task, gate, finder):
                    connection.send(event)


def _receive(connection: Connection, tasks: queue.SimpleQueue[StreamTask]) -> None:
    """Pass tasks on; end the process at once when its parent is gone."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


def follow(
    task: StreamTask, gate: MotionGate, finder: RegionFinder | None = None
) -> Iterator[StreamEvent]:
    """Decode a stream until it is lost: yield what is seen of it, its keyframes, and last Lost."""
    try:
        stream = LiveStream(task.url, task.transport, task.connect_s, task.stall_s, task.max_pixels)
        with closing(stream):
            try:
                yield from _watched(task, stream, gate, finder)
            except MediaError:
                if stream.counts.frames:
                    yield _seen(stream)
                raise
    except Exception as error:  # decoders raise anything at all
        yield Lost(_reason(error))


def _reason(error: Exception) -> str:
    """Return why a stream cannot be decoded."""
    if isinstance(error, MediaError):
        return error.message
    if isinstance(error, MemoryError):
        return Message("needs more memory to decode than there is")
    return Message("cannot be decoded: {error}", error=in_words(error))


def _watched(
    task: StreamTask, stream: LiveStream, gate: MotionGate, finder: RegionFinder | None
) -> Iterator[StreamEvent]:
    told_s = float("-inf")
    for live in stream.frames():
        if live is not None and gate.wants(live.grey, live.captured_ms):
            yield _kept(task, live, gate.foreground, finder)
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            yield _seen(stream)


def _seen(stream: LiveStream) -> Seen:
    counts = stream.counts
    seen = Seen(counts.last_frame_ms, counts.frames, counts.dropped, counts.lag_ms)
    counts.frames = counts.dropped = 0
    return seen


def _kept(
    task: StreamTask, live: LiveFrame, foreground: Mask, finder: RegionFinder | None
) -> LiveKeyframe | Trouble:
    """Write a keyframe's still and thumbnail, and find its regions."""
    image: Image.Image = live.image()
    still = still_path(task.stills_dir, task.camera, live.captured_ms)
    try:
        write_picture(image, still, STILL_PX)
        thumbnail = write_thumbnail(
            image, frame_ref(task.camera, live.captured_ms), task.data_dir, task.thumbnail_px
        )
    except OSError as error:
        return Trouble(
            Message("has pictures that cannot be kept: {reason}", reason=in_words(error))
        )
    size = (image.width, image.height)
    frame = DecodedFrame(live.captured_ms, *size, image, foreground=small_mask(foreground))
    regions = tuple(finder.regions_of(frame)) if finder is not None else ()
    return LiveKeyframe(
        *(live.captured_ms, *size),
        *(task.preprocess(image), thumbnail, str(still)),
        regions=regions,
        crops=tuple(task.preprocess(region.cut(image)) for region in regions),
    )


PROBE_ENTRY = "ingest.cameras.decode_process:probe"
GLIMPSE_PX = 960
#: How many cameras are probed at once; each takes a process.
MOST_AT_ONCE = 2
_SLACK_S = 5.0
_JPEG_QUALITY = 85
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a camera sends: ``codec`` as libav calls it, its frames a second, and a JPEG still.

    ``width`` and ``height`` are the picture's as it is shown; ``fps`` is 0 where one frame came.
    """

    codec: str
    width: int
    height: int
    fps: float
    still: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Task:
    """``url`` holds the password: it goes through a pipe and is never printed."""

    url: str = field(repr=False)
    transport: str
    connect_s: float
    look_s: float
    max_pixels: int


def look_at(
    camera: Camera,
    max_pixels: int,
    *,
    connect_s: float = 10.0,
    look_s: float = 3.0,
    entry: str = PROBE_ENTRY,
) -> Glimpse:
    """Look at a camera for ``look_s`` seconds, having waited ``connect_s`` at most for an answer.

    Raises MediaError with a predicate about the camera, without its address; UsageError where
    MOST_AT_ONCE are being looked at.
    """
    if not _places.acquire(blocking=False):
        raise UsageError("Other streams are being tested now.", "Try again in some seconds.")
    try:
        task = _Task(camera.url.get_secret_value(), camera.transport, connect_s, look_s, max_pixels)
        return _ask(task, entry)
    finally:
        _places.release()


def _ask(task: _Task, entry: str) -> Glimpse:
    patience_s = 2 * task.connect_s + task.look_s + _SLACK_S
    with closing(ChildProcess(entry, patience_s)) as process:
        told: Glimpse | str = next(filter(None, process.told(task, lambda message: True)))
    if isinstance(told, str):
        raise MediaError(told)
    return told


def probe(handle: int) -> None:
    """Take one task from the connection with this file descriptor, and answer it."""
    silence_libav()
    with parent_process(handle, "ready", most_memory_bytes=MOST_MEMORY_BYTES) as connection:
        connection.send(_answer(connection.recv()))


def _answer(task: _Task) -> Glimpse | str:
    """Return what is seen, or why nothing is."""
    try:
        stream = LiveStream(
            task.url, task.transport, task.connect_s, task.connect_s, task.max_pixels
        )
        with closing(stream):
            return _glimpsed(stream, task.look_s)
    except Exception as error:  # decoders raise anything at all
        return _reason(error)


def _glimpsed(stream: LiveStream, look_s: float) -> Glimpse:
    shown: LiveFrame | None = None
    began_s = time.monotonic()
    marks: list[tuple[int, float]] = []
    for live in stream.frames():
        if live is not None:
            shown = live
            # By the stream's own clock: what a camera sends at first it may send all at once.
            marks.append((stream.counts.frames, live.frame.time or 0.0))
        if len(marks) <= 1:
            began_s = time.monotonic()
        if shown is not None and time.monotonic() - began_s >= look_s:
            break
    assert shown is not None  # frames() never ends but by raising
    picture = shown.image()
    frames, seconds = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
    fps = frames / seconds if seconds > 0 else 0.0
    return Glimpse(stream.codec, picture.width, picture.height, fps, _jpeg(picture))


def _jpeg(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((GLIMPSE_PX, GLIMPSE_PX))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_JPEG_QUALITY)
    return data.getvalue()
