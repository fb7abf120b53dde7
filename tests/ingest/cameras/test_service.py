"""Live cameras end to end: a real RTSP server, real processes, rows in a store."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from ingest.cameras.camera import Camera, is_watched
from ingest.cameras.events import LiveKeyframe, Lost, Seen
from ingest.cameras.status_log import LEAST_GAP_MS, Diary
from ingest.cameras.stills import frame_ref
from ingest.rows.retention import Rule, prune
from search_core.errors import EncoderMismatch
from search_core.schema.filters import Filter
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.ingest.cameras.footage import passing, quiet, watching
from tests.support.made_media import HistogramEncoder
from tests.support.rtsp_server import Channel, RtspServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
PASSWORD = "hunter2@:/"
QUOTED = "hunter2%40%3A%2F"


def camera(server: RtspServer, name: str, userinfo: str = "") -> Camera:
    return Camera(name, SecretStr(server.url(name, userinfo)), "main")


def test_what_moves_is_kept_and_what_does_not_is_not(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}) as server:
        cameras = [camera(server, "gate")]
        with watching(settings, store, encoder, cameras) as watched:
            wait_until(lambda: watched.entities, "the first keyframe")
            wait_until(lambda: sum(e.frames for e in watched.of(Seen)) > 20, "four quiet seconds")
            assert len(watched.entities) == 1

            gate.show(passing())
            wait_until(lambda: len(watched.entities) > 1, "a keyframe of what passes")

    entity = watched.entities[1]
    assert entity.id == frame_ref("gate", entity.captured_at).primary_key
    assert (entity.camera, entity.captured_from, entity.media_type) == ("gate", "live", "frame")
    assert abs(entity.captured_at - gate.shown_at[0] * 1000) < 5_000
    assert (entity.width, entity.height) == (320, 180)
    with Image.open(entity.uri) as still, Image.open(settings.data_dir / entity.thumbnail) as small:
        assert still.size == (320, 180) and small.width == 64
        red, green, _ = np.asarray(still.convert("RGB"))[90, 10]
        assert red > 180 and green < 90
    assert Path(entity.uri).is_relative_to(settings.stills_dir / "gate")
    assert store.count("main") == len(watched.entities)
    with Diary(settings.ledger_path) as diary:
        [state] = diary.cameras()
        assert state.state == "stopped" and state.keyframes == len(watched.entities)
        assert state.dropped == 0 and diary.gaps() == []


def test_a_server_that_is_killed_and_comes_back_leaves_a_gap(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    gate = Channel(quiet())
    with RtspServer({"gate": gate}) as server:
        cameras = [camera(server, "gate")]
        with watching(settings, store, encoder, cameras) as watched:
            wait_until(lambda: watched.of(Seen), "frames")
            server.stop()
            wait_until(lambda: len(watched.of(Lost)) >= 2, "the loss, and a try in vain")
            seen = len(watched.of(Seen))
            last_ms = watched.of(Seen)[-1].last_frame_ms
            wait_until(lambda: time.time() * 1000 > last_ms + LEAST_GAP_MS, "a gap worth noting")
            server.start()
            wait_until(lambda: len(watched.of(Seen)) > seen, "frames again")
    with Diary(settings.ledger_path) as diary:
        [gap] = diary.gaps()
    reasons = {lost.reason for lost in watched.of(Lost)}
    assert reasons <= {"ended the stream", "broke the connection", "refuses the connection"}
    assert gap.began_ms == last_ms and gap.reason == watched.of(Lost)[0].reason
    assert gap.ended_ms == watched.of(Seen)[seen].last_frame_ms


def test_a_stalled_camera_is_noticed_and_disturbs_no_other(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    channels = {name: Channel(quiet()) for name in ("bad", "good")}
    with RtspServer(channels) as server:
        cameras = [camera(server, name) for name in channels]
        with watching(settings, store, encoder, cameras) as watched:
            wait_until(lambda: len({e.camera for e in watched.entities}) == 2, "both cameras")
            channels["bad"].stalled.set()
            wait_until(lambda: watched.of(Lost, "bad"), "the stall to be noticed")
            channels["good"].show(passing())
            wait_until(
                lambda: [e.camera for e in watched.entities].count("good") > 1, "the good camera"
            )
    assert watched.of(Lost, "bad")[0].reason == "sent no picture for 1.5 s"
    assert not watched.of(Lost, "good")


def test_rubbish_and_killed_processes_end_nothing_else(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    channels = {name: Channel(quiet()) for name in ("rubbish", "one", "two")}
    channels["rubbish"].sends_rubbish = True
    with RtspServer(channels) as server:
        cameras = [camera(server, name) for name in channels]
        with watching(settings, store, encoder, cameras) as watched:
            wait_until(lambda: watched.of(Seen, "one") and watched.of(Seen, "two"), "frames")
            os.kill(decoders()[0], signal.SIGKILL)
            wait_until(
                lambda: any("SIGKILL" in lost.reason for lost in watched.of(Lost)), "the crash"
            )
            wait_until(lambda: watched.of(Lost, "rubbish"), "the rubbish to be noticed")
            seen = {name: len(watched.of(Seen, name)) for name in ("one", "two")}
            wait_until(
                lambda: all(len(watched.of(Seen, name)) > seen[name] for name in seen),
                "both good cameras",
            )
    assert not watched.of(LiveKeyframe, "rubbish")


def decoders() -> list[int]:
    """Return this process's decoding children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and "ingest.cameras.decode_process" in command:
            found.append(int(stat.parent.name))
    return found


def test_a_password_is_used_and_found_nowhere(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    with RtspServer({"gate": Channel(quiet())}, user="admin", password=PASSWORD) as server:
        right = camera(server, "gate", f"admin:{QUOTED}")
        wrong = Camera("wrong", SecretStr(server.url("gate", "admin:hunter2")), "main")
        missing = Camera("missing", SecretStr(server.url("hunter2", f"admin:{QUOTED}")), "main")
        with watching(settings, store, encoder, [right, wrong, missing]) as watched:
            wait_until(lambda: watched.entities, "a keyframe")
            wait_until(lambda: watched.of(Lost, "wrong") and watched.of(Lost, "missing"), "losses")
            told = [
                (Path("/proc") / str(pid) / name).read_bytes()
                for pid in decoders()
                for name in ("cmdline", "environ")
            ]
    assert watched.of(Lost, "wrong")[0].reason == "refuses the name or the password"
    assert watched.of(Lost, "missing")[0].reason == "has no stream of that path"
    told += [file.read_bytes() for file in settings.data_dir.rglob("*") if file.is_file()]
    told += [repr(watched.events).encode(), repr(watched.entities).encode(), caplog.text.encode()]
    told += [repr([right, wrong, missing]).encode()]
    assert b"gate" in b"".join(told)
    assert b"hunter2" not in b"".join(told)


def test_a_camera_is_watched_by_one_process_only(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    with RtspServer({"gate": Channel(quiet())}) as server:
        cameras = [camera(server, "gate")]
        with watching(settings, store, encoder, cameras) as first:
            wait_until(lambda: first.of(Seen), "frames")
            assert is_watched(settings, "gate")
            with watching(settings, store, encoder, cameras) as second:
                wait_until(lambda: second.of(Lost), "the refusal")
    assert second.of(Lost)[0].reason == "is watched by another process already"
    assert not second.of(Seen) and not is_watched(settings, "gate")


def test_what_is_too_old_goes_with_its_pictures(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    gate = Channel(quiet())
    with (
        RtspServer({"gate": gate}) as server,
        watching(settings, store, encoder, [camera(server, "gate")]) as watched,
    ):
        wait_until(lambda: watched.entities, "a keyframe")
    [entity] = watched.entities
    rule = Rule("main", timedelta(days=30), "gate")
    then = datetime.fromtimestamp(entity.captured_at / 1000, UTC) + timedelta(days=30)

    assert prune(settings, store, rule, then).keyframes == 0
    assert Path(entity.uri).exists()
    late = then + timedelta(seconds=2)
    assert prune(settings, store, rule, late, dry_run=True).keyframes == 1
    assert prune(settings, store, rule, late).keyframes == 1

    assert store.count("main", Filter(cameras=("gate",))) == 0
    assert not Path(entity.uri).exists()
    assert not (settings.data_dir / entity.thumbnail).exists()


def test_another_encoders_library_is_refused(
    settings: Settings, store: MemoryStore, encoder: HistogramEncoder
) -> None:
    store.ensure_library("main", HistogramEncoder("b" * 32).identity)
    gate = Camera("gate", SecretStr("rtsp://127.0.0.1:9/x"), "main")
    with pytest.raises(EncoderMismatch), watching(settings, store, encoder, [gate]):
        pass
