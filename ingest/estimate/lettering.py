"""What reading lettering would add to an ingest: a few of its pictures are read for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

from ingest.estimate.survey import Pending
from ingest.media.lettering.process import Picture, ReadingProcess, ReadTask
from ingest.media.lettering.reader import what_is_missing
from ingest.rows.lettering import reading_processes
from search_core.settings import Settings

#: So many of the pictures and of the videos are read, while there is time for it.
_READ = 3


def expected_reading_s(
    settings: Settings,
    pictures: Sequence[Pending],
    videos: Sequence[tuple[Pending, int]],
    keyframes: int,
    limit_s: float,
) -> float:
    """Return the seconds it takes to read so many keyframes, those of pictures among them.

    ``videos`` come with their lengths (ms). 0.0 where nothing is to be read, or nothing could be.
    """
    if settings.media.read == "off" or what_is_missing() or not keyframes:
        return 0.0
    of_pictures = min(len(pictures), keyframes)
    with closing(ReadingProcess()) as process:
        until_s = time.monotonic() + limit_s
        picture_s = _seconds_each(settings, process, [(p, 0) for p in pictures], until_s)
        frames = [(pending, length_ms // 2) for pending, length_ms in videos]
        frame_s = _seconds_each(settings, process, frames, until_s + limit_s)
    picture_s, frame_s = picture_s or frame_s, frame_s or picture_s
    total_s = of_pictures * picture_s + (keyframes - of_pictures) * frame_s
    return total_s / min(reading_processes(), max(1, len(pictures) + len(videos)))


def _seconds_each(
    settings: Settings,
    process: ReadingProcess,
    places: Sequence[tuple[Pending, int]],
    until_s: float,
) -> float:
    """Return what reading takes at some of these moments (ms), 0.0 where none could be read."""
    took_s: list[float] = []
    step = max(1, len(places) // _READ)
    for pending, pts_ms in places[::step][:_READ]:
        of_picture = pending.kind == "image"
        # Twice: the first time models are loaded, and the file is read from disk.
        pictures = tuple(Picture(str(n), pts_ms, 0, of_picture) for n in range(2))
        task = ReadTask(pending.task.path, pictures, settings.media.max_pixels)
        began_s = time.monotonic()
        for read in process.read(task):
            if read is not None:
                now_s = time.monotonic()
                if not read.reason and read.key == "1":
                    took_s.append(now_s - began_s)
                began_s = now_s
        if time.monotonic() > until_s:
            break
    return sum(took_s) / len(took_s) if took_s else 0.0
