from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from dashboard import resources
from dashboard.components import video_serving as footage
from ingest.media.files import content_of
from search_core.encoders.loading import load_encoder
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.conftest import make_entity


def get(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Ask the routes as a server would."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # nothing more comes, and nobody hangs up
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(Starlette(routes=footage.ROUTES)(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:])


def keep(settings: Settings, entity: MediaEntity) -> str:
    encoder = load_encoder(settings)
    store = resources.store()
    store.ensure_library("main", encoder.identity)
    store.upsert("main", [entity], encoder.encode_texts(["x"]))
    store.settle("main")
    return f"/footage/main/{entity.id}"


def entity_of(video: Path) -> MediaEntity:
    return make_entity(1, uri=str(video), source_id=content_of(video).source_id)


def test_serves_a_video_in_pieces(settings: Settings, tmp_path: Path) -> None:
    video = tmp_path / "gate.mp4"
    video.write_bytes(bytes(range(100)))
    path = keep(settings, entity_of(video))

    status, headers, body = get(path, range="bytes=10-19")

    assert (status, body) == (206, bytes(range(10, 20)))
    assert headers["content-type"] == "video/mp4"
    assert headers["x-content-type-options"] == "nosniff"


def test_serves_only_videos_of_the_library(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<script>")
    path = keep(settings, make_entity(1, uri=str(secret), media_type="image"))

    assert get(path)[0] == 404
    assert get("/footage/main/other")[0] == 404
    assert get("/footage/none/other")[0] == 404
    assert get(f"/footage/main/{secret}")[0] == 404


def test_what_is_no_video_by_name_is_plain_bytes(settings: Settings, tmp_path: Path) -> None:
    odd = tmp_path / "odd.html"
    odd.write_text("<script>")

    _, headers, _ = get(keep(settings, entity_of(odd)))

    assert headers["content-type"] == "application/octet-stream"


def test_a_file_with_other_content_is_not_served(settings: Settings, tmp_path: Path) -> None:
    video = tmp_path / "gate.mp4"
    video.write_bytes(bytes(range(100)))
    entity = entity_of(video)
    path = keep(settings, entity)
    video.write_bytes(bytes(range(99)))

    assert get(path)[0] == 404
    assert footage.file_of(entity) is None
    assert footage.place_of(entity) == video


def test_a_file_that_is_gone_is_none(tmp_path: Path) -> None:
    gone = make_entity(1, uri=str(tmp_path / "gone.mp4"))

    assert footage.file_of(gone) is None
    assert footage.file_of(replace(gone, uri="relative.mp4")) is None
    assert footage.file_of(replace(gone, uri="rtsp://cam/1")) is None
    assert footage.file_of(replace(gone, uri="\x00")) is None


def test_only_what_browsers_play_is_previewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "url_of", lambda library, entity: f"/footage/{entity.id}")
    frame = make_entity(1, pts_ms=2500)

    assert footage.preview_of("main", frame) == (f"/footage/{frame.id}", 2.5)
    for changes in (
        {"media_type": "image"},
        {"uri": "/footage/1.avi"},
        {"uri": "s3://bucket/1.mp4"},
        {"captured_from": "live", "duration_ms": 0},
    ):
        assert footage.preview_of("main", replace(frame, **changes)) is None, changes
