"""What a live keyframe is called and where its still lies: by camera and wall-clock time.

A camera's day (UTC) is a source; its stills are ``stills/CAMERA/2026-03-01/08-15-30.250Z.jpg`` in
the data directory. The name of the camera is written in its folder, which may be called otherwise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from search_core.schema.entity import FrameRef

if TYPE_CHECKING:  # a camera's process does without pydantic, and is a third smaller for it
    from search_core.settings import Settings

_DAY_MS = 86_400_000
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_NAME_FILE = "camera.txt"


def frame_ref(camera: str, captured_ms: int) -> FrameRef:
    """Return which frame that is: the camera's day in UTC, and the milliseconds since it began.

    So the primary key of a live keyframe is made of camera and wall-clock time, and nothing else.
    """
    day, in_day_ms = divmod(captured_ms, _DAY_MS)
    return FrameRef(source_of_day(camera, _date_of(day)), in_day_ms)


def source_of_day(camera: str, day: date) -> str:
    """Return the source id of a camera's day (UTC)."""
    text = f"live camera\0{camera}\0{day.isoformat()}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def folder_of(camera: str) -> str:
    """Return a camera's name as a folder's: itself when it is plain, else cleaned and unique."""
    if _PLAIN.fullmatch(camera):
        return camera
    digest = hashlib.blake2b(camera.encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', camera)[:48]}-{digest}"


def still_path(stills_dir: Path, camera: str, captured_ms: int) -> Path:
    """Return where the still of a moment lies: ``stills/CAMERA/2026-03-01/08-15-30.250Z.jpg``."""
    moment = datetime.fromtimestamp(captured_ms / 1000, UTC)
    name = f"{moment:%H-%M-%S}.{captured_ms % 1000:03d}Z.jpg"
    return stills_of(stills_dir, camera) / moment.date().isoformat() / name


def stills_of(stills_dir: Path, camera: str) -> Path:
    """Return the folder of a camera's stills, which has one for each day (UTC)."""
    return stills_dir / folder_of(camera)


def keep_name(stills_dir: Path, camera: str) -> None:
    """Make a camera's folder, and write the camera's name into it."""
    folder = stills_of(stills_dir, camera)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _NAME_FILE).write_text(camera, encoding="utf-8")


def days_kept(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the source and the folder of each camera's day of which there are stills."""
    for name_file in sorted(settings.stills_dir.glob(f"*/{_NAME_FILE}")):
        camera = name_file.read_text(encoding="utf-8")
        for folder in sorted(name_file.parent.iterdir()):
            if (day := _day_of(folder)) is not None:
                yield source_of_day(camera, day), folder


def _day_of(folder: Path) -> date | None:
    try:
        return date.fromisoformat(folder.name)
    except ValueError:
        return None


def _date_of(days_since_epoch: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days_since_epoch)
