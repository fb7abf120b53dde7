"""A camera's own process: decodes its stream and sends keyframes; never loads torch.

Whatever the camera sends, only this process crashes, hangs or fills the memory.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from multiprocessing.connection import Connection

from PIL import Image

from ingest.cameras.events import LiveKeyframe, Lost, Ready, Seen, StreamEvent, StreamTask, Trouble
from ingest.cameras.live_stream import LiveFrame, LiveStream, silence_libav
from ingest.cameras.motion_gate import MotionGate
from ingest.cameras.stills import frame_ref, still_path
from ingest.media.thumbnails import write_picture, write_thumbnail
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.system.child_process import parent_process

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
        with suppress(OSError):
            while True:
                for event in follow(tasks.get(), gate):
                    connection.send(event)


def _receive(connection: Connection, tasks: queue.SimpleQueue[StreamTask]) -> None:
    """Pass tasks on; end the process at once when its parent is gone."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


def follow(task: StreamTask, gate: MotionGate) -> Iterator[StreamEvent]:
    """Decode a stream until it is lost: yield what is seen of it, its keyframes, and last Lost."""
    try:
        stream = LiveStream(task.url, task.transport, task.connect_s, task.stall_s, task.max_pixels)
        with closing(stream):
            try:
                yield from _watched(task, stream, gate)
            except MediaError:
                if stream.counts.frames:
                    yield _seen(stream)
                raise
    except MediaError as error:
        yield Lost(error.message)
    except MemoryError:
        yield Lost(Message("needs more memory to decode than there is"))
    except Exception as error:  # decoders raise anything at all
        yield Lost(Message("cannot be decoded: {error}", error=in_words(error)))


def _watched(task: StreamTask, stream: LiveStream, gate: MotionGate) -> Iterator[StreamEvent]:
    told_s = float("-inf")
    for live in stream.frames():
        if live is not None and gate.wants(live.grey, live.captured_ms):
            yield _kept(task, live)
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            yield _seen(stream)


def _seen(stream: LiveStream) -> Seen:
    counts = stream.counts
    seen = Seen(counts.last_frame_ms, counts.frames, counts.dropped, counts.lag_ms)
    counts.frames = counts.dropped = 0
    return seen


def _kept(task: StreamTask, live: LiveFrame) -> LiveKeyframe | Trouble:
    """Write a keyframe's still and thumbnail."""
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
    pixels = task.preprocess(image)
    return LiveKeyframe(live.captured_ms, image.width, image.height, pixels, thumbnail, str(still))
