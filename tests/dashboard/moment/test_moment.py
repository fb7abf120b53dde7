"""A moment opened from its card: its picture, its tags, its file, what in it matched."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import resources
from ingest.media.files import content_of
from search_core.schema.entity import MediaEntity
from search_core.schema.filters import Filter
from search_core.settings import Settings, load_settings
from search_core.store.endpoint import resolve_endpoint
from search_core.store.milvus.store import MilvusStore
from tests.dashboard.conftest import ROWS, OpenPage, words
from tests.dashboard.searching import ask, card_lines


def test_an_address_opens_a_moment(library: list[MediaEntity], open_page: OpenPage) -> None:
    app = open_page("search", moment=library[3].id)
    assert library[3].id in [code.value for code in app.code]

    assert app.query_params["moment"] == library[3].id  # a reload opens it again

    app = open_page("search", moment="gone-0000000000")
    assert "is not in the library" in words(app)


@pytest.mark.parametrize("page", ["search", "library"])
def test_an_address_opens_a_moment_among_the_cards_it_is_of(
    library: list[MediaEntity], open_page: OpenPage, page: str
) -> None:
    app = open_page(page, moment=library[3].id)
    steps = [button.label for button in app.button if button.label in ("Previous", "Next")]
    assert steps == ["Previous", "Next"]


def test_tags_of_a_moment_are_changed(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("search", moment=library[3].id)
    app.multiselect(key=f"tags-{library[3].id}").set_value(["odd", "suspect"]).run()

    assert not app.exception
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        [tagged] = store.entities("main", Filter(tags=("suspect",)))
    assert (tagged.id, tagged.tags) == (library[3].id, ("odd", "suspect"))


def test_a_moment_is_deleted(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    app = open_page("search", moment=library[3].id)
    next(button for button in app.button if button.label == "Delete this picture").click().run()

    assert not app.exception
    assert "moment" not in app.query_params
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        assert store.count("main") == ROWS - 1
        assert not store.entities("main", Filter(ids=(library[3].id,)))

    app.run()
    assert "Deleted 1 picture." in words(app)
    app.button(key="undo-now").click().run()
    assert [toast.value for toast in app.toast] == ["Restored 1 picture."]
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        assert store.count("main") == ROWS
    assert "Deleted 1 picture." not in words(app)


def test_a_region_of_a_stored_picture_is_looked_for(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = open_page("search", like=library[3].id, region="0.1,0.1,0.6,0.9")
    # Its own picture is among the hits: a part of it is no search for itself.
    assert f"**{ROWS} hits**" in words(app)
    assert "This region" in words(app)

    app = open_page("search", like=library[3].id, region="nonsense")
    assert f"**{ROWS - 1} hits**" in words(app)


def test_stored_regions_of_a_moment_are_offered_to_search_by(
    library: list[MediaEntity], settings: Settings, open_page: OpenPage
) -> None:
    picture = library[3]
    regions = [
        picture.region("tile", number, box)
        for number, box in enumerate([(0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)])
    ]
    with closing(MilvusStore(resolve_endpoint(settings))) as store:
        vectors = [store.embedding("main", library[number].id) for number in (9, 20)]
        store.upsert("main", regions, np.stack(vectors))

    def offered(is_answer: bool) -> AppTest:
        script = (
            "import streamlit as st\n"
            "from dashboard import resources\n"
            "from dashboard.moment.regions import offer_regions, stored_regions\n"
            f"entity = resources.entity('main', {picture.id!r})\n"
            f"stored = stored_regions('main', entity, {regions[1].box})\n"
            f"chosen = offer_regions(entity, stored, {is_answer})\n"
            "st.markdown(f'chosen: {chosen}')\n"
        )
        return AppTest.from_string(script, default_timeout=60).run()

    app = offered(False)
    assert "Or choose a region of this picture:" in words(app)
    assert [button.key for button in app.button] == ["like-region-1", "like-region-2"]
    app.button(key="like-region-1").click().run()
    assert f"chosen: {regions[1].id}" in words(app)  # it was found by that one
    assert app.query_params["like"] in (regions[1].id, [regions[1].id])
    app = offered(True)
    app.button(key="unlike-region-2").click().run()
    assert app.query_params["not_like"] in (regions[0].id, [regions[0].id])

    app = open_page("search", like=regions[1].id)
    assert "This region" in words(app)
    assert f"**{ROWS - 1} hits**" in words(app)  # its own picture is left out
    app = open_page("search", like=library[5].id, not_like=regions[0].id)
    assert "without what looks like" in words(app)


def test_a_card_opens_its_moment_and_says_when_the_file_is_gone(
    library: list[MediaEntity], open_page: OpenPage
) -> None:
    app = ask(open_page("search"), "a red square")
    next(button for button in app.button if button.label == "Open 1").click().run()

    assert "The file is missing" in words(app)
    assert any(button.label == "More like this" for button in app.button)


def test_a_live_keyframe_opens_as_its_still(
    data_dir: Path, library: list[MediaEntity], open_page: OpenPage
) -> None:
    still = data_dir / "stills" / "dock" / "2026-03-01" / "08-15-30.250Z.jpg"
    still.parent.mkdir(parents=True)
    Image.new("RGB", (320, 180), (250, 20, 20)).save(still)
    live = replace(library[0], camera="dock", captured_from="live", duration_ms=0, uri=str(still))
    store = MilvusStore(resolve_endpoint(load_settings()))
    store.upsert("main", [live], store.embedding("main", live.id)[None])
    store.close()

    app = ask(open_page("search"), "a red square")
    app.multiselect(key="camera").set_value(["dock"]).run()
    [line] = card_lines(app)
    next(button for button in app.button if button.label == "Open 1").click().run()

    assert "live" in line
    assert "by this machine's clock" in words(app) and "Position" not in words(app)
    assert "The file is missing" not in words(app) and not app.warning
    assert still.name.replace(".", r"\.").replace("-", r"\-") in words(app)
    still.unlink()
    next(button for button in app.button if button.label == "Open 1").click().run()
    assert "The file is missing" in words(app)


def test_a_picture_with_only_the_files_time_is_marked(
    data_dir: Path, library: list[MediaEntity], open_page: OpenPage
) -> None:
    undated = replace(library[0], camera="dock", captured_from="file")
    store = MilvusStore(resolve_endpoint(load_settings()))
    store.upsert("main", [undated], store.embedding("main", undated.id)[None])
    store.close()

    app = ask(open_page("search"), "a red square")
    [marked] = [line for line in card_lines(app) if r"\(file's time\)" in line]
    assert "dock" in marked
    app.multiselect(key="camera").set_value(["dock"]).run()
    next(button for button in app.button if button.label == "Open 1").click().run()
    assert "the file has no capture time" in words(app)


def test_a_moment_shows_which_parts_of_it_matched(
    library: list[MediaEntity], open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = ask(open_page("search", fold="never"), "a red square")
    app.session_state["why"] = True
    next(button for button in app.button if button.label == "Open 1").click().run()

    assert app.toggle(key="why").value
    assert any("highest similarity" in part.proto.body for part in app.get("html"))
    assert "cannot show" not in words(app)

    monkeypatch.setattr(resources.encoder(), "explain", lambda image, embedding: None)
    next(button for button in app.button if button.label == "Open 2").click().run()
    assert "This encoder cannot show which parts of a picture match" in words(app)


def test_a_keyframe_of_another_video_track_says_how_to_see_it(
    data_dir: Path, library: list[MediaEntity], open_page: OpenPage
) -> None:
    """Browsers play a file's first video track, whichever is asked for."""
    drive = data_dir / "drive.mp4"
    drive.write_bytes(b"anything")
    source_id = content_of(drive).source_id
    rear = replace(
        library[0],
        id=f"{source_id}-v2-0000004000",
        source_id=source_id,
        camera="drive track 2",
        media_type="frame",
        pts_ms=4000,
        uri=str(drive),
    )
    with closing(MilvusStore(resolve_endpoint(load_settings()))) as store:
        store.upsert("main", [rear], store.embedding("main", library[0].id)[None])

    shown = words(open_page("search", moment=rear.id))
    assert "this is of track 2" in shown and "at 0:04.0, and choose that track" in shown
