"""Watch the cameras of the roster, as it changes, until SIGTERM: ``python -m ingest.streams``."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import closing

from ingest.stopping import stopped_by
from ingest.streams.camera import configured_cameras
from ingest.streams.roster import Roster
from ingest.streams.watching import watch
from search_core.errors import SightlineError
from search_core.settings import load_settings


def main() -> int:
    """Watch; return the exit status."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("ingest.streams").setLevel(logging.INFO)
    try:
        settings = load_settings()
        cameras = configured_cameras(settings)
        with stopped_by(signal.SIGTERM, signal.SIGINT) as stop:
            from search_core.encoders.openclip import load_encoder
            from search_core.endpoint import resolve_endpoint
            from search_core.store.milvus.store import MilvusStore

            encoder = load_encoder(settings)
            with closing(MilvusStore(resolve_endpoint(settings))) as store:
                watch(settings, store, encoder, cameras, stop, roster=Roster(settings).watched)
    except SightlineError as error:
        sys.stderr.write(f"{error.message} {error.hint}".strip() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
