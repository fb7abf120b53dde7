"""Cameras that are added, changed, paused and removed while others are watched: real streams."""

from __future__ import annotations

import sys

import pytest

from ingest.cameras.camera import is_watched
from ingest.cameras.events import Lost, Seen
from ingest.cameras.roster import Roster
from ingest.cameras.status_log import Diary
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.cameras.footage import passing, quiet, watching
from tests.support.made_media import HistogramEncoder
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SECRET = "hunter2"


@pytest.fixture
def roster(settings: Settings) -> Roster:
    return Roster(settings)


def test_cameras_come_and_go_while_another_stays_connected(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    roster: Roster,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    channels = {name: Channel(quiet()) for name in ("gate", "dock", "moved")}
    with RtspServer(channels, user="admin", password=SECRET) as server:
        roster.add(roster.make("gate", server.url("gate", f"admin:{SECRET}")))
        with watching(settings, store, encoder, [], roster.watched) as watched:
            wait_until(lambda: watched.of(Seen, "gate"), "the camera that was there")

            roster.add(roster.make("dock", server.url("dock", f"admin:{SECRET}"), library="yard"))
            wait_until(lambda: store.libraries()[1:] and store.count("yard"), "the added camera")
            assert is_watched(settings, "dock")

            roster.pause("dock")
            wait_until(lambda: not is_watched(settings, "dock"), "the pause")
            roster.pause("dock", paused=False)
            wait_until(lambda: channels["dock"].connections == 2, "it to be watched again")

            roster.change("dock", address=server.url("moved", f"admin:{SECRET}"))
            wait_until(lambda: channels["moved"].connections, "the other address")
            channels["moved"].show(passing())
            kept = len(watched.entities)
            wait_until(lambda: len(watched.entities) > kept, "a keyframe from there")

            roster.remove("dock")
            wait_until(lambda: not is_watched(settings, "dock"), "the removal")
            seen = len(watched.of(Seen, "gate"))
            wait_until(lambda: len(watched.of(Seen, "gate")) > seen, "the camera that stayed")
    assert channels["gate"].connections == 1
    assert not watched.of(Lost)
    assert store.count("yard") >= 2  # what it took is not removed with it
    assert [state.name for state in roster.states()] == ["gate"]
    with Diary(settings.ledger_path) as diary:
        states = {state.name: state.state for state in diary.cameras()}
    assert states == {"gate": "stopped", "dock": "removed"}
    told = [file.read_bytes() for file in settings.data_dir.rglob("*") if file.is_file()]
    assert sum(SECRET.encode() in text for text in told) == 1  # cameras.toml
    assert SECRET not in caplog.text + repr(watched.events) + repr(watched.entities)


def test_what_moves_before_a_camera_becomes_regions(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder, roster: Roster
) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}) as server:
        roster.add(roster.make("gate", server.url("gate"), regions="motion"))
        with watching(settings, store, encoder, [], roster.watched) as watched:
            wait_until(lambda: watched.of(Seen), "frames")
            gate.show(passing())
            wait_until(lambda: store.libraries() and store.library("main").has_regions, "a region")
            roster.change("gate", regions="off")
            wait_until(lambda: gate.connections == 2, "it to be watched without")
    regions = store.entities("main", Filter().regions_alone())
    assert {row.kind for row in regions} == {"motion"}
    assert {row.keyframe.id for row in regions} <= {row.id for row in store.entities("main")}
    assert all(row.box[1] < 0.5 < row.box[3] for row in regions)  # it passes in the middle


def test_how_long_keyframes_are_kept_changes_no_connection(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder, roster: Roster
) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}) as server:
        roster.add(roster.make("gate", server.url("gate")))
        with watching(settings, store, encoder, [], roster.watched) as watched:
            wait_until(lambda: watched.of(Seen), "frames")
            roster.keep_for("gate", None)
            roster.add(roster.make("other", server.url("missing")))
            wait_until(lambda: watched.of(Lost, "other"), "the next look at the roster")
    assert gate.connections == 1 and not watched.of(Lost, "gate")


def test_trouble_with_one_camera_or_with_the_file_ends_no_other(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    roster: Roster,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.ensure_library("others", HistogramEncoder("b" * 32).identity)
    gate = Channel(quiet())
    with RtspServer({"gate": gate}) as server:
        roster.add(roster.make("gate", server.url("gate")))
        with watching(settings, store, encoder, [], roster.watched) as watched:
            wait_until(lambda: watched.of(Seen), "frames")
            roster.add(roster.make("wrong", server.url("gate"), library="others"))
            wait_until(lambda: watched.of(Lost, "wrong"), "the refusal")
            settings.cameras_path.write_text("[cameras")
            wait_until(lambda: "cameras.toml cannot be read" in caplog.text, "the broken file")
            seen = len(watched.of(Seen, "gate"))
            wait_until(lambda: len(watched.of(Seen, "gate")) > seen, "frames all the same")
    assert watched.of(Lost, "wrong")[0].reason.startswith("cannot be watched: The library others")
    assert gate.connections == 1
