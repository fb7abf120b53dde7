"""Google Takeout's sidecars give their pictures the times they were taken at."""

from __future__ import annotations

import json
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.media.capture_time.metadata import sidecar_of, taken_ms
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import make_photo

TAKEN = datetime(2019, 7, 4, 10, 20, 30, tzinfo=UTC)


def sidecar(moment: datetime = TAKEN) -> bytes:
    """Return what Takeout writes of a picture taken then."""
    return json.dumps(
        {
            "title": "a.png",
            "creationTime": {"timestamp": "1700000000"},
            "photoTakenTime": {"timestamp": str(int(moment.timestamp())), "formatted": "…"},
        }
    ).encode()


@pytest.mark.parametrize(
    ("name", "its_sidecar"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        (
            "PXL_20230101_101010123.PORTRAIT.jpg",
            "PXL_20230101_101010123.PORTRAIT.jpg.supplement.json",
        ),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_2.MP4", "IMG_2.HEIC.json"),
        (
            "a_very_long_name_that_goes_on_and_on_without_end_at_all.jpg",
            "a_very_long_name_that_goes_on_and_on_without_e.json",
        ),
    ],
)
def test_a_sidecar_is_found_by_its_name(name: str, its_sidecar: str) -> None:
    others = ["IMG_10.jpg.json", "IMG_1.png.json", "IMG_1.jpg(3).json", "metadata.json", name]
    assert sidecar_of(name, [*others, its_sidecar]) == its_sidecar
    assert sidecar_of(name, others) is None


@given(
    st.binary(max_size=80)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["photoTakenTime", "timestamp", "x"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_anything_may_stand_in_a_sidecar(data: bytes) -> None:
    assert taken_ms(data) is None or isinstance(taken_ms(data), int)


def test_times_that_cannot_be_are_no_times() -> None:
    assert taken_ms(sidecar()) == TAKEN.timestamp() * 1000
    assert taken_ms(sidecar(datetime(1965, 5, 1, tzinfo=UTC))) == -147_398_400_000
    assert taken_ms(sidecar(datetime(1970, 1, 1, tzinfo=UTC))) is None
    assert taken_ms(sidecar(datetime(2999, 1, 1, tzinfo=UTC))) is None
    assert taken_ms(b"[" * 100_000) is None


def test_pictures_get_their_sidecars_times_in_folders_and_zips(
    take_in: TakeIn, media: Path, store: MemoryStore, tmp_path: Path
) -> None:
    album = media / "Photos from 2019"
    album.mkdir()
    make_photo(album / "a.png")
    (album / "a.png.supplemental-metadata.json").write_bytes(sidecar())
    (album / "metadata.json").write_text('{"title": "Photos from 2019"}')
    packed = make_photo(tmp_path / "b.png", colour=(20, 40, 200))
    with zipfile.ZipFile(media / "takeout.zip", "w") as out:
        out.write(packed, "Takeout/b.png")
        out.writestr("Takeout/b.png.json", sidecar(datetime(1999, 1, 2, 3, 4, tzinfo=UTC)))
    report = take_in(media)
    assert (report.done, report.failed) == (2, 0)
    taken = {Path(entity.uri).name: entity for entity in store.entities("main")}
    assert taken["a.png"].captured_at_iso.startswith("2019-07-04T10:20:30")
    assert taken["b.png"].captured_at_iso.startswith("1999-01-02T03:04:00")
    assert {entity.captured_from for entity in taken.values()} == {"sidecar"}


def test_a_time_that_is_given_wins_over_a_sidecar(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    (media / "a.png.json").write_bytes(sidecar())
    take_in(media, started_at=datetime(2024, 1, 1, tzinfo=UTC))
    [entity] = store.entities("main")
    assert entity.captured_at_iso.startswith("2024-01-01") and entity.captured_from == "given"


def test_a_sidecar_that_cannot_be_read_costs_no_picture(
    take_in: TakeIn, media: Path, store: MemoryStore
) -> None:
    make_photo(media / "a.png")
    (media / "a.png.json").mkdir()
    os.utime(media / "a.png", (1_600_000_000, 1_600_000_000))
    assert take_in(media).done == 1
    [entity] = store.entities("main")
    assert entity.captured_from == "file"
