"""Links to searches by a picture."""

from __future__ import annotations

import io
import shutil

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.components.image_input import QueryPicture, read_picture
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from tests.dashboard.conftest import ROWS, OpenPage, words

GONE = "no longer stored"


@pytest.fixture
def picture() -> QueryPicture:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    Image.new("RGB", (64, 36), (200, 30, 30)).save(file, "JPEG", exif=exif)
    return read_picture(file.getvalue(), 10_000_000)


@pytest.fixture
def kept(picture: QueryPicture, settings: Settings) -> str:
    """The name of a picture that somebody searched by."""
    pictures = resources.query_pictures()
    assert pictures is not None
    assert pictures.keep(picture.data)
    return picture.digest


def captions(app: AppTest) -> list[str]:
    return [picture.caption for block in app.get("image") for picture in block.proto.imgs]


def test_nothing_but_pixels_is_kept(kept: str, settings: Settings) -> None:
    data = (settings.query_pictures_dir / kept).read_bytes()

    assert b"where I live" not in data
    assert Image.open(io.BytesIO(data)).format == "JPEG"


def test_a_link_searches_by_its_picture_and_the_region_of_it(
    kept: str, library: list[MediaEntity], open_page: OpenPage
) -> None:
    whole = open_page("search", picture=kept)
    part = open_page("search", picture=kept, region="0,0,0.5,0.5")
    again = open_page("search", picture=kept, region="0,0,0.5,0.5")

    for app in (whole, part, again):
        assert f"{ROWS} hits" in words(app)
        assert any(button.label == "Remove picture" for button in app.button)
    assert captions(part) == captions(again)
    assert part.query_params["picture"] == kept
    assert part.query_params["region"] == "0,0,0.5,0.5"


def test_a_removed_picture_leaves_the_address(
    kept: str, library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", picture=kept, region="0,0,0.5,0.5")
    next(button for button in app.button if button.label == "Remove picture").click().run()

    assert "picture" not in app.query_params
    assert "region" not in app.query_params
    assert "For example" in words(app)


def test_going_back_takes_the_picture_away(
    kept: str, library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", picture=kept)
    del app.query_params["picture"]
    app.run()

    assert "For example" in words(app)


@pytest.mark.parametrize("name", ["0" * 32, "../../users.json", "%00", "x" * 5000])
def test_a_link_whose_picture_is_gone_says_so_and_searches_by_the_rest(
    name: str, library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", picture=name, region="0,0,0.5,0.5")
    assert GONE in words(app)
    assert "For example" in words(app)

    app = open_page("search", picture=name, q="a car")
    assert GONE in words(app)
    assert f"{ROWS} hits" in words(app)
    next(button for button in app.button if button.label == "Search without it").click().run()
    assert GONE not in words(app)
    assert "picture" not in app.query_params


def test_a_kept_file_that_is_no_picture_is_gone(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    from search_core.search.query_pictures import digest_of

    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    pictures = resources.query_pictures()
    assert pictures is not None
    for data in (b"%!PS-Adobe-3.0 EPSF-3.0\n", bomb.getvalue()):
        pictures.keep(data)
        assert GONE in words(open_page("search", picture=digest_of(data)))


def test_where_searches_are_not_recorded_no_picture_is_kept(
    kept: str,
    library: list[MediaEntity],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    monkeypatch.setenv("SIGHTLINE_RECORD_SEARCHES", "false")
    resources.settings.clear()
    resources.query_pictures.clear()

    assert "searches are not recorded" in words(open_page("search", picture=kept))
    shutil.rmtree(settings.query_pictures_dir)
    assert resources.query_pictures() is None
