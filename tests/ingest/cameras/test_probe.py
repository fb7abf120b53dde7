from __future__ import annotations

import io

import pytest
from PIL import Image
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.decode_process import MOST_AT_ONCE, Glimpse, _places, look_at
from search_core.errors import MediaError, UsageError
from tests.ingest.cameras.footage import FPS, quiet
from tests.support.rtsp_server import Channel, RtspServer

MAX_PIXELS = 10_000_000
SECRET = "hunter2"


def look(url: str, *, entry: str | None = None, max_pixels: int = MAX_PIXELS) -> Glimpse:
    camera = Camera("gate", SecretStr(url), "main")
    how = {"entry": entry} if entry else {}
    return look_at(camera, max_pixels, connect_s=1.0, look_s=1.0, **how)


def test_tells_what_a_camera_sends() -> None:
    with RtspServer({"gate": Channel(quiet())}, user="admin", password=SECRET) as server:
        seen = look(server.url("gate", f"admin:{SECRET}"))

    assert (seen.codec, seen.width, seen.height) == ("h264", 320, 180)
    assert seen.fps == pytest.approx(FPS, abs=1.5)
    assert Image.open(io.BytesIO(seen.still)).size == (320, 180)


def test_says_why_a_camera_cannot_be_watched_without_its_address() -> None:
    rubbish = Channel(quiet(), sends_rubbish=True)
    with RtspServer({"gate": Channel(quiet()), "bad": rubbish}, user="a", password="b") as server:
        reasons = {
            "password": server.url("gate", f"admin:{SECRET}"),
            "path": server.url("other", "a:b"),
            "decoded": server.url("bad", "a:b"),
        }
        for said, url in reasons.items():
            with pytest.raises(MediaError, match=said) as raised:
                look(url)
            assert SECRET not in str(raised.value) and "127.0.0.1" not in str(raised.value)
        with pytest.raises(MediaError, match="pixels"):
            look(server.url("gate", "a:b"), max_pixels=100)
    with pytest.raises(MediaError, match="refuses the connection"):
        look(server.url("gate"))


@pytest.mark.parametrize(
    ("entry", "said"), [("hang", "gave nothing for 3 s"), ("end", "exit status 7")]
)
def test_a_decoder_that_hangs_or_dies_is_no_matter(
    entry: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.cameras.decode_process._SLACK_S", 0.0)
    with pytest.raises(MediaError, match=said):
        look("rtsp://127.0.0.1:9/x", entry=f"tests.ingest.cameras.hostile_process:{entry}")


def test_only_some_are_looked_at_together() -> None:
    for _ in range(MOST_AT_ONCE):
        assert _places.acquire(blocking=False)
    try:
        with pytest.raises(UsageError, match="being tested now"):
            look("rtsp://127.0.0.1:9/x")
    finally:
        _places.release(MOST_AT_ONCE)
