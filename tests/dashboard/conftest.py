"""A small real library for the pages: Milvus Lite, an untrained CLIP, pictures of plain colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from dashboard import resources
from dashboard.auth import identity
from search_core.access.users import Users
from search_core.encoders.loading import load_encoder
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings, load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.conftest import make_entity
from tests.dashboard.asking import PASSWORD, post

NAVIGATION = Path(__file__).parents[2] / "dashboard" / "navigation.py"
ROWS = 25
HOSTILE = "gate <b>x</b> *y* ![z](http://evil.example/p.png)"


class OpenPage(Protocol):
    def __call__(self, name: str, **address: str) -> AppTest: ...


class Look(Protocol):
    def __call__(self, name: str, page: str = "", **address: str) -> AppTest: ...


@pytest.fixture
def data_dir(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty data directory that the dashboard's settings name."""
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SIGHTLINE_MODEL", f"local-dir:{tiny_model_dir}")
    monkeypatch.delenv("SIGHTLINE_MILVUS_URI", raising=False)
    _forget_everything()
    yield tmp_path
    if resolve_endpoint(load_settings()).uri == str(tmp_path / "milvus.db"):
        resources.close_store()
    _forget_everything()


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return load_settings()


@pytest.fixture
def library(settings: Settings) -> list[MediaEntity]:
    """The library `main` with ROWS keyframes of cam-0, cam-1, cam-2 and one hostile camera."""
    encoder = load_encoder(settings)
    entities, pictures = [], []
    for number in range(ROWS):
        picture = Image.new("RGB", (64, 36), (number * 10, 255 - number * 10, number % 3 * 120))
        entity = make_entity(number, thumbnail=f"thumbnails/so/source{number}/0.jpg")
        if number == 7:
            entity = replace(entity, camera=HOSTILE)
        path = settings.data_dir / entity.thumbnail
        path.parent.mkdir(parents=True)
        picture.save(path)
        entities.append(entity)
        pictures.append(picture)
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        store.ensure_library("main", encoder.identity)
        store.upsert("main", entities, encoder.encode_images(pictures))
        store.settle("main")
    return entities


@pytest.fixture
def open_page(data_dir: Path) -> OpenPage:
    """Return a function that opens a page by name, with what its address carries."""

    def open_named(name: str, **address: str) -> AppTest:
        script = (
            "from dashboard.components.errors import shown_in_words\n"
            "from dashboard.components.routes import pages\n"
            "with shown_in_words():\n"
            f"    next(page for page in pages() if page.url == '{name}').draw()\n"
        )
        app = (
            AppTest.from_file(str(NAVIGATION), default_timeout=60)
            if name == "search"
            else AppTest.from_string(script, default_timeout=60)
        )
        for key, value in address.items():
            app.query_params[key] = value
        return app.run()

    return open_named


def _forget_everything() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


def words(app: AppTest) -> str:
    """Return all that a page says, for looking into."""
    assert not app.exception, app.exception
    parts = [
        element.value
        for kind in ("markdown", "caption", "error", "info", "warning", "success")
        for element in app.get(kind)
        if isinstance(element, Element)
    ]
    return "\n".join(str(part) for part in parts)


@pytest.fixture
def users(settings: Settings) -> Users:
    """A viewer of cam-1 only, and an operator and an admin of all."""
    made = Users(settings.users_path)
    made.add("vera", "viewer", ["cam-1"], PASSWORD)
    made.add("otto", "operator", None, PASSWORD)
    made.add("anna", "admin", None, PASSWORD)
    return made


@pytest.fixture
def look(users: Users, library: list[MediaEntity], monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return a function that opens the dashboard as somebody, or a page's script."""

    def opened(name: str, page: str = "", **address: str) -> AppTest:
        token = post(name).token if name else "nobody's"
        cookies = {identity.COOKIE: token}
        monkeypatch.setattr(type(st.context), "cookies", property(lambda _: cookies))
        script = (
            "from dashboard.components.errors import shown_in_words\n"
            "from dashboard.components.routes import pages\n"
            "with shown_in_words():\n"
            f"    next(page for page in pages() if page.url == '{page}').draw()\n"
        )
        app = (
            AppTest.from_string(script, default_timeout=60)
            if page
            else AppTest.from_file(str(NAVIGATION), default_timeout=60)
        )
        for key, value in address.items():
            app.query_params[key] = value
        return app.run()

    return opened
