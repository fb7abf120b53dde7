"""The real `sightline ingest` of a folder as a process that can be killed, and what it left."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ingest.curation.verification import verify
from search_core.errors import LibraryNotFound
from search_core.settings import MilvusSettings, Settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore

ROOT = Path(__file__).parents[2]


class Ingest:
    """Takes ``media`` into the library main of ``data``, and of the Milvus at ``uri`` if given.

    Where a serve runs on ``data`` its Milvus is used. A ``bare`` one does without the command and
    its model. ``environment`` are more settings.
    """

    def __init__(
        self,
        media: Path,
        data: Path,
        uri: str | None = None,
        *,
        bare: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = Settings(data_dir=data, milvus=MilvusSettings(uri=uri))
        self._media = media
        self._bare = bare
        self._environment = {
            "SIGHTLINE_MEDIA_READ": "off",
            "SIGHTLINE_MODEL": "sightline-demo",
            **(environment or {}),
            **({"SIGHTLINE_MILVUS_URI": uri} if uri else {}),
        }

    def start(self, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start it; its report comes on stdout."""
        media, data = str(self._media), str(self.settings.data_dir)
        command = [
            "sightline.cli.main",
            "--data-dir",
            data,
            "ingest",
            media,
            "--keyframes",
            "iframe",
        ]
        module = ["tests.integration.bare_ingest", media, data] if self._bare else command
        kept = {name: value for name, value in os.environ.items() if "SIGHTLINE" not in name}
        return subprocess.Popen(
            [sys.executable, "-m", *module, *([] if self._bare else ["--json"])],
            cwd=ROOT,
            env={**kept, **self._environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self) -> dict[str, Any]:
        """Run it to its end; returns its report."""
        out, _ = self.start().communicate()
        report: dict[str, Any] = json.loads(out)
        return report

    @contextmanager
    def store(self) -> Iterator[MilvusStore]:
        """The Milvus it uses, open."""
        with closing(MilvusStore(resolve_endpoint(self.settings))) as store:
            yield store

    def ids(self) -> list[str]:
        """The id of every row of the library, in order, as often as it is there."""
        with self.store() as store:
            found = sorted(e.id for page in store.vectors("main") for e in page.entities)
            assert store.count("main") == len(found)
            return found

    def findings(self) -> list[str]:
        """What `sightline verify` would say."""
        with self.store() as store:
            return [f"{f.kind} {f.subject}" for f in verify(self.settings, store, ["main"])]

    def check_ledger(self) -> None:
        """Assert that the ledger is a whole database."""
        with closing(sqlite3.connect(self.settings.ledger_path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def begin_anew(self) -> None:
        """Drop the library and remove the data directory."""
        with self.store() as store, suppress(LibraryNotFound):
            store.drop_library("main")
        shutil.rmtree(self.settings.data_dir)
