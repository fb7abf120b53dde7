"""Lettering read on what cameras and watched folders gave, while they are watched."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.lettering import LiveReading
from ingest.media.lettering import process
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from search_core.schema.filters import Filter
from search_core.schema.lettering import Wording
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.cameras.footage import quiet, watching
from tests.ingest.rows.test_lettering import ENTRY, folder_of_colours
from tests.support.made_media import HistogramEncoder
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import wait_until

UNREAD = Filter(is_unread=True)


@pytest.fixture
def reading(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with which lettering is read, by a reader that needs no extra."""
    monkeypatch.setattr(process, "ENTRY", ENTRY)
    for module in ("ingest.rows.lettering", "ingest.cameras.lettering"):
        monkeypatch.setattr(f"{module}.what_is_missing", lambda: "")
    media = settings.media.model_copy(update={"read": "auto"})
    return settings.model_copy(update={"media": media})


def whole_files(parent: Path) -> list[str]:
    """Return files that were written a while ago."""
    files = sorted(folder_of_colours(parent).iterdir())
    for path in files:
        os.utime(path, (1_790_000_000, 1_790_000_000))
    return [str(path) for path in files]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_live_pictures_are_read_while_the_camera_is_watched(
    reading: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    with RtspServer({"gate": Channel(quiet())}) as server:
        gate = Camera("gate", SecretStr(server.url("gate")), "main")
        with watching(reading, store, encoder, [gate]) as watched:
            wait_until(lambda: watched.entities, "the first keyframe")
            wait_until(lambda: store.count("main", UNREAD) == 0, "it to be read")
    [found] = store.lettered("main", Wording(("colour",)))
    assert (found.id, found.captured_from) == (watched.entities[0].id, "live")


def test_a_watched_folders_files_are_left_to_it_and_what_is_gone_is_passed_over(
    reading: Settings, store: MemoryStore, encoder: HistogramEncoder, tmp_path: Path
) -> None:
    files = whole_files(tmp_path)
    report = ingest(
        files,
        IngestOptions(),
        settings=reading,
        store=store,
        encoder=encoder,
        library="main",
        watched=True,
    )
    assert (report.done, report.read) == (4, None)  # its next files do not wait for it
    Path(files[2]).unlink()

    live, over = LiveReading(reading, store), threading.Event()
    live.note("main")
    thread = threading.Thread(target=live.read_on, args=(over,))
    thread.start()
    wait_until(lambda: store.count("main", UNREAD) == 1, "three to be read")
    later = ingest(
        whole_files(tmp_path / "later"),
        IngestOptions(),
        settings=reading,
        store=store,
        encoder=encoder,
        library="other",
        watched=True,
    )
    live.note("other")
    wait_until(lambda: store.count("other", UNREAD) == 0, "another library to be read")
    over.set()
    thread.join()

    assert later.done == 4
    [left] = store.entities("main", UNREAD)
    assert Path(left.uri).name == "red.png"
