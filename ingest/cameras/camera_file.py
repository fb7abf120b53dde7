"""The cameras that were added while Sightline runs: one file, which only its owner can read.

Their addresses hold passwords and are nowhere else.
"""

from __future__ import annotations

from pathlib import Path

from search_core.schema.camera import CameraSettings
from search_core.schema.durations import format_duration
from search_core.system.added_tables import AddedTables, quoted

_HEAD = "# Cameras added by the dashboard or `sightline cameras add`. It holds their passwords.\n"


class AddedCamera(CameraSettings):
    """A camera as it is kept; ``paused`` ones are not watched."""

    paused: bool = False


class AddedCameras(AddedTables[AddedCamera]):
    """The cameras in the file at ``path``; no error repeats an address."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "camera", AddedCamera, head=_HEAD, lines=_lines)


def _lines(given: AddedCamera) -> dict[str, str]:
    return {
        "url": quoted(given.url.get_secret_value()),
        "library": quoted(given.library) if given.library else "",
        "retain": quoted(format_duration(given.retain)) if given.retain else "",
        "transport": quoted(given.transport) if given.transport != "tcp" else "",
        "paused": "true" if given.paused else "",
    }
