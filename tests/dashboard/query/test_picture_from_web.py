from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dashboard.query.pictures import fetch_picture
from search_core.errors import MediaError
from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import ROWS, OpenPage, words
from tests.support.loopback_servers import WebServer


@pytest.fixture
def web(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A web server on loopback that the settings let the dashboard ask."""
    monkeypatch.setenv("SIGHTLINE_REMOTE_ALLOW_URLS", "true")
    monkeypatch.setenv("SIGHTLINE_REMOTE_ALLOW_JOBS", "true")
    monkeypatch.setenv("SIGHTLINE_REMOTE_PRIVATE_HOSTS", '["127.0.0.1"]')
    file = io.BytesIO()
    Image.new("RGB", (64, 36), (200, 30, 30)).save(file, "PNG")
    with WebServer().running() as server:
        server.pages["/red.png"] = (200, {}, file.getvalue())
        server.pages["/page.html"] = (200, {}, b"<html>no picture</html>")
        yield server


def test_a_picture_at_an_address_is_searched_by(
    web: WebServer, library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search")
    app.text_input(key="picture_address").set_value(f"{web.address}/red.png").run()

    assert f"{ROWS} hits" in words(app)
    assert app.text_input(key="picture_address").value == ""

    app.text_input(key="picture_address").set_value(f"{web.address}/none.png?token=secret").run()
    assert "does not exist" in app.error[0].value
    assert "secret" not in app.error[0].value


def test_what_is_no_picture_or_no_address_says_so(web: WebServer) -> None:
    with pytest.raises(MediaError, match="not a picture"):
        fetch_picture(f"{web.address}/page.html")
    with pytest.raises(MediaError, match="not a web address"):
        fetch_picture("file:///etc/passwd")


def test_private_addresses_are_refused_and_nothing_is_offered_where_none_may_be_asked(
    web: WebServer,
    library: list[MediaEntity],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = web.address.rpartition(":")[2]
    with pytest.raises(MediaError, match="not on the public internet"):
        fetch_picture(f"http://localhost:{port}/red.png")
    assert web.requests == []

    from dashboard import resources

    monkeypatch.setenv("SIGHTLINE_REMOTE_ALLOW_JOBS", "false")
    resources.settings.clear()
    app = open_page("search")
    assert not [box for box in app.text_input if box.key == "picture_address"]
    with pytest.raises(MediaError, match="cannot be used here"):
        fetch_picture(f"{web.address}/red.png")
