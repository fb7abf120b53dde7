"""Probe a live camera: decode its stream for a few seconds, in a process of its own.

Shows what a camera sends, or why it cannot be watched, before it is added.
"""

from __future__ import annotations

import io
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field

from PIL import Image

from ingest.cameras.camera import Camera
from ingest.cameras.decode_process import MOST_MEMORY_BYTES
from ingest.cameras.live_stream import LiveFrame, LiveStream, silence_libav
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.system.child_process import ChildProcess, parent_process

ENTRY = "ingest.cameras.probe:main"
STILL_PX = 960
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
    entry: str = ENTRY,
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


def main(handle: int) -> None:
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
            return _seen(stream, task.look_s)
    except MediaError as error:
        return error.message
    except MemoryError:
        return Message("needs more memory to decode than there is")
    except Exception as error:  # decoders raise anything at all
        return Message("cannot be decoded: {error}", error=in_words(error))


def _seen(stream: LiveStream, look_s: float) -> Glimpse:
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
    small.thumbnail((STILL_PX, STILL_PX))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=_JPEG_QUALITY)
    return data.getvalue()
