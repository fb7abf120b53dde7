"""An ingest of MEDIA into DATA without the command and its model, which take seconds to start."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

from ingest.options import IngestOptions
from ingest.pipeline import ingest
from search_core.settings import load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.support.made_media import HistogramEncoder


def main() -> None:
    settings = load_settings(data_dir=Path(sys.argv[2]))
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        report = ingest(
            [sys.argv[1]],
            IngestOptions(keyframes="iframe"),
            settings=settings,
            store=store,
            encoder=HistogramEncoder(),
            library="main",
        )
    print(json.dumps(report.to_json()))


if __name__ == "__main__":
    main()
