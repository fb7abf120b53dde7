"""The decoding process: takes tasks from a connection, sends events back; never loads torch.

Started by :mod:`ingest.engines.base`. Decoders are C code fed with strangers' files: this process
may crash or hang, and only the source it is at is lost. Of a sample it sends the frames of a part
of the source, and marks that say which part they stand for.
"""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection

from PIL import Image

from ingest.engines.base import (
    Alive,
    Decoded,
    DecodeOptions,
    DecodeTask,
    Event,
    Failed,
    Finished,
    Keyframe,
    Opened,
    SampleOf,
)
from ingest.media.base import DecodedFrame, KeyframeSelector, OpenedMedia
from ingest.media.decoding import listen_to_libav, open_media
from ingest.media.files import CHANGED_WHILE_READ
from ingest.media.regions.base import Region, RegionFinder
from ingest.media.thumbnails import write_thumbnail
from ingest.media.video.video import Video
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.schema.entity import FrameRef
from search_core.system.child_process import parent_process
from search_core.system.machine import is_full

#: A part of a video is first watched this long, until the selector knows what nothing looks like.
WARM_UP_MS = 20_000
PART_MS = 60_000
#: What is shorter is sampled whole.
WHOLE_MS = 180_000


def sampled(
    media: OpenedMedia, selector: KeyframeSelector, sample: SampleOf, pulse: Callable[[], None]
) -> Iterator[DecodedFrame | Alive]:
    """Yield the keyframes of a sample and the marks of what they stand for.

    Of a part, one mark is where it is warmed up and the next where it ends; a source that is
    sampled from its beginning has that at its end alone.
    """
    until_s = time.monotonic() + sample.limit_s
    info = media.info
    if isinstance(media, Video) and info.duration_ms > WHOLE_MS:
        part = _Part(until_s)
        yield from media.part(selector, sample.start_ms, part.goes_on)
        if part.warm is not None:
            yield part.warm
            yield _mark(part.reached_ms)
        return
    for frame in media.frames(selector, pulse):
        yield frame
        if info.kind == "video" and time.monotonic() > until_s:
            yield _mark(frame.pts_ms)
            return
    yield _mark(info.duration_ms * info.tracks)


def _mark(at_ms: int) -> Alive:
    return Alive(time.process_time(), at_ms)


class _Part:
    """Says when a part of a video is warmed up, and when it is over."""

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self._began_ms: int | None = None
        self.warm: Alive | None = None
        self.reached_ms = 0

    def goes_on(self, time_ms: int, is_keyframe: bool) -> bool:
        """Whether the packet of this time still belongs to the part."""
        if self._began_ms is None:
            self._began_ms = time_ms
        into_ms = time_ms - self._began_ms
        if self.warm is None and into_ms >= WARM_UP_MS:
            self.warm = _mark(time_ms)
        self.reached_ms = max(self.reached_ms, time_ms)
        if time.monotonic() > self._until_s:
            return False
        return into_ms < (PART_MS if is_keyframe else 2 * PART_MS)


_STDERR = 2
#: What decoding may take on top of what the process starts with.
_MOST_MEMORY_BYTES = 8 * 1024**3
_ALIVE_EVERY_S = 5.0
#: A process whose parent died while a decoder hangs ends itself after this long.
_ORPHAN_S = 600.0
#: Encoders crop the middle; a thread of pixels scaled to their height would fill the memory.
_MOST_ELONGATED = 64


def main(handle: int) -> None:
    """Serve the connection with this file descriptor until it closes."""
    listen_to_libav()
    with parent_process(handle, Alive(), most_memory_bytes=_MOST_MEMORY_BYTES) as connection:
        serve(connection, decode_source)


def serve(
    connection: Connection,
    decode: Callable[[DecodeTask, Callable[[], None]], Iterator[Event]],
) -> None:
    """Decode what the connection asks for until it closes."""
    last_sent_s = time.monotonic()

    def send(event: Event) -> None:
        nonlocal last_sent_s
        faulthandler.cancel_dump_traceback_later()  # sending may wait for the parent
        connection.send(event)
        last_sent_s = time.monotonic()
        faulthandler.dump_traceback_later(_ORPHAN_S, exit=True, file=_STDERR)

    def pulse() -> None:
        if time.monotonic() - last_sent_s > _ALIVE_EVERY_S:
            send(Alive(time.process_time()))

    try:
        while (task := connection.recv()) is not None:
            send(Alive(time.process_time()))
            for event in decode(task, pulse):
                send(event)
            faulthandler.cancel_dump_traceback_later()
    except (EOFError, OSError):
        return  # the parent is gone


def decode_source(task: DecodeTask, pulse: Callable[[], None]) -> Iterator[Event]:
    """Decode one source: yield Opened, its keyframes, and last Finished or Failed."""
    stage = "open"
    try:
        with closing(_opened(task)) as media:
            info = media.info
            footage_ms = media.footage_ms() if task.header_only else 0
            yield Opened(info.kind, info.duration_ms, info.claims, info.tracks, footage_ms)
            if task.header_only:
                yield Finished("")
                return
            stage, finders = "decode", _Finders(task.options)
            for frame in _frames(media, task, pulse):
                if isinstance(frame, Alive):
                    yield frame
                    continue
                thumbnail = write_thumbnail(
                    frame.image,
                    FrameRef(task.source_id, frame.pts_ms, frame.track),
                    task.options.data_dir,
                    task.options.thumbnail_px,
                )
                regions = finders.regions_of(frame)
                keyframe = Keyframe(
                    *(frame.pts_ms, frame.width, frame.height, thumbnail),
                    *(frame.span_ms, frame.track, regions),
                )
                preprocess = task.options.preprocess
                crops = tuple(preprocess(region.cut(frame.image)) for region in regions)
                yield Decoded(keyframe, preprocess(compact(frame.image)), crops)
            warning, left_out = media.warning, media.left_out
        status = task.path.stat()
        if (status.st_size, status.st_mtime_ns) != task.version:
            yield Failed("read", CHANGED_WHILE_READ)
            return
        yield Finished(warning, left_out)
    except MediaError as error:
        yield Failed(stage, error.message)
    except MemoryError:
        yield Failed(stage, Message("needs more memory to decode than there is"))
    except OSError as error:
        if is_full(error):
            place = task.options.data_dir
            reason = Message("cannot be kept: no space is left on the disk of {place}", place=place)
            yield Failed("write", reason)
            return
        yield Failed(stage, Message("cannot be processed: {reason}", reason=in_words(error)))
    except Exception as error:  # decoders raise anything at all
        yield Failed(stage, Message("cannot be decoded: {error}", error=in_words(error)))


class _Finders:
    """Finds the regions of one source's keyframes; each video track has a background of its own."""

    def __init__(self, options: DecodeOptions) -> None:
        self._proposer = options.regions
        self._input_px = min(options.preprocess.size)
        self._of_track: dict[int, RegionFinder] = {}

    def regions_of(self, frame: DecodedFrame) -> tuple[Region, ...]:
        """Return a keyframe's regions, none without a proposer."""
        if self._proposer is None:
            return ()
        finder = self._of_track.get(frame.track)
        if finder is None:
            finder = self._of_track.setdefault(frame.track, self._proposer.finder(self._input_px))
        return tuple(finder.regions_of(frame))


def _frames(
    media: OpenedMedia, task: DecodeTask, pulse: Callable[[], None]
) -> Iterator[DecodedFrame | Alive]:
    if task.sample is None:
        return media.frames(task.options.selector, pulse)
    return sampled(media, task.options.selector, task.sample, pulse)


def _opened(task: DecodeTask) -> OpenedMedia:
    return open_media(
        task.path,
        max_pixels=task.options.max_pixels,
        max_animation_frames=task.options.max_animation_frames,
        least=task.options.least,
        keep_partial=True,
        track=task.track,
    )


def compact(image: Image.Image) -> Image.Image:
    """Return the middle of a picture that is absurdly long, other pictures as they are."""
    width, height = image.size
    most = min(width, height) * _MOST_ELONGATED
    if max(width, height) <= most:
        return image
    if width > height:
        left = (width - most) // 2
        return image.crop((left, 0, left + most, height))
    top = (height - most) // 2
    return image.crop((0, top, width, top + most))
