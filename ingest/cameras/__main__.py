"""Watch the cameras and folders of the rosters, as they change, until SIGTERM.

``python -m ingest.cameras``.
"""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import closing

from ingest.cameras.camera import configured_cameras
from ingest.cameras.folders.folder import configured_folders
from ingest.cameras.folders.roster import FolderRoster
from ingest.cameras.roster import Roster
from ingest.cameras.service import watch
from search_core.errors import SightlineError
from search_core.settings import load_settings
from search_core.system.cancellation import stopped_by


def main() -> int:
    """Watch; return the exit status."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    for name in ("ingest.cameras", "ingest.cameras.folders"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        settings = load_settings()
        cameras = configured_cameras(settings)
        configured_folders(settings)  # refused before anything is loaded
        with stopped_by(signal.SIGTERM, signal.SIGINT) as stop:
            from search_core.encoders.openclip import load_encoder
            from search_core.store.endpoint import resolve_endpoint
            from search_core.store.milvus.store import MilvusStore

            encoder = load_encoder(settings)
            with closing(MilvusStore(resolve_endpoint(settings))) as store:
                roster, folders = Roster(settings).watched, FolderRoster(settings).watched
                watch(settings, store, encoder, cameras, stop, roster=roster, folders=folders)
    except SightlineError as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
