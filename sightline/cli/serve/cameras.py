"""The process of `sightline serve` that watches cameras and folders, until SIGTERM.

``python -m sightline.cli.serve.cameras`` follows the rosters of cameras and folders as they change.
"""

from __future__ import annotations

import logging
import signal
import sys

from ingest.cameras.camera import configured_cameras
from ingest.cameras.folders.folder import configured_folders
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from ingest.cameras.service import shared_library, watch
from search_core.errors import SightlineError
from search_core.settings import load_settings
from search_core.system.cancellation import stopped_by
from sightline.workspace import Workspace


def main() -> int:
    """Watch; return the exit status."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    for name in ("ingest.cameras", "ingest.cameras.folders"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        settings = load_settings()
        cameras = configured_cameras(settings)
        folders = configured_folders(settings)  # refused before anything is loaded
        with stopped_by(signal.SIGTERM, signal.SIGINT) as stop, Workspace(settings) as workspace:
            encoder = workspace.encoder(library=shared_library(cameras, folders))
            store = workspace.store(create=True)
            roster, watched = Roster(settings).watched, FolderRoster(settings).watched
            watch(settings, store, encoder, cameras, stop, roster=roster, folders=watched)
    except SightlineError as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
