"""The reading process: opens media, decodes single frames and reads them; never loads torch.

Decoders are C code fed with strangers' files, and so is what reads them: this process may crash,
hang or run out of its memory, and only the pictures it is at stay unread.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ingest.media.decoding import listen_to_libav, open_media
from ingest.media.lettering.reader import Reader
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.schema.lettering import Line
from search_core.system.child_process import ChildProcess, parent_process

ENTRY = "ingest.media.lettering.process:main"
#: What reading takes on top of what the process starts with: a 1080p frame takes 0.6 GB.
MOST_MEMORY_BYTES = 6 * 1024**3
_HANG_S = 300.0
_LEAST_PRIORITY = 19


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame or photograph to read: ``key`` is its caller's name for it."""

    key: str
    pts_ms: int
    track: int = 0
    is_photograph: bool = False


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Pictures of one file; read ``in_background``, all other work of this machine goes before."""

    path: Path
    pictures: tuple[Picture, ...]
    max_pixels: int
    in_background: bool = False


@dataclass(frozen=True, slots=True)
class PictureRead:
    """The lines on a picture, or the reason (a predicate about its file) why it was not read."""

    key: str
    lines: tuple[Line, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    pass


@dataclass(frozen=True, slots=True)
class _AllRead:
    pass


class ReadingProcess:
    """Reads pictures in a process of its own, which is started when it is needed."""

    def __init__(self) -> None:
        self._child = ChildProcess(ENTRY, _HANG_S)

    def read(self, task: ReadTask) -> Generator[PictureRead | None, None, None]:
        """Yield what each picture of a task says; None now and then while nothing comes.

        Raises SightlineError where no process can start. What crashes or hangs is a reason for all
        pictures that are left.
        """
        left = {picture.key for picture in task.pictures}
        try:
            with closing(self._child.told(task, lambda told: isinstance(told, _AllRead))) as said:
                for told in said:
                    if isinstance(told, PictureRead):
                        left.discard(told.key)
                        yield told
                    elif told is None:
                        yield None
        except MediaError as error:
            for key in sorted(left):
                yield PictureRead(key, reason=error.message)

    def close(self) -> None:
        """End the process, where there is one."""
        self._child.close()


def main(handle: int) -> None:
    """Serve the connection with this file descriptor until it closes."""
    listen_to_libav()
    with parent_process(handle, _Ready(), most_memory_bytes=MOST_MEMORY_BYTES) as connection:
        reader: Reader | None = None
        try:
            while True:
                task: ReadTask = connection.recv()
                if task.in_background:
                    os.setpriority(os.PRIO_PROCESS, 0, _LEAST_PRIORITY)
                reader = reader or Reader()
                for read in _read(task, reader):
                    connection.send(read)
                connection.send(_AllRead())
        except (EOFError, OSError):
            return


def _read(task: ReadTask, reader: Reader) -> Iterator[PictureRead]:
    for picture in task.pictures:
        try:
            opened = open_media(task.path, max_pixels=task.max_pixels, track=picture.track)
            with closing(opened) as media:
                image = media.frame_at(picture.pts_ms).image
            lines = reader.read(image, is_photograph=picture.is_photograph)
            yield PictureRead(picture.key, tuple(lines))
        except MediaError as error:
            yield PictureRead(picture.key, reason=error.message)
        except MemoryError:
            reason = Message("needs more memory to be read than there is")
            yield PictureRead(picture.key, reason=reason)
        except Exception as error:  # decoders and models raise anything at all
            reason = Message("cannot be read: {error}", error=in_words(error))
            yield PictureRead(picture.key, reason=reason)
