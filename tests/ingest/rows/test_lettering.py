"""Lettering read on keyframes: after an ingest, as a backlog, ended midway, and overlays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.ledger import Ledger
from ingest.media.lettering import process, reader
from ingest.media.lettering.overlay import Overlays
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport
from ingest.rows.lettering import read_lettering
from search_core.errors import UsageError
from search_core.schema.filters import Filter
from search_core.schema.lettering import Line, Wording
from search_core.settings import MediaSettings, Settings
from search_core.store.library import EVERY_ROW
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder

needs_reader = pytest.mark.skipif(
    not reader.is_installed(), reason=f"needs the extra reading: {reader.INSTALL}"
)
#: Says something of each picture without any model, in the real process.
HELD = "SIGHTLINE_TEST_HELD"
ENTRY = "tests.ingest.rows.test_lettering:read_names"


def picture(path: Path, text: str = "", colour: str = "navy") -> Path:
    image = Image.new("RGB", (640, 360), colour)
    font = ImageFont.load_default(size=64)
    ImageDraw.Draw(image).text((120, 140), text, fill="white", font=font)
    image.save(path)
    return path


def read_names(handle: int) -> None:
    """Serve as the reading process does, with a reader that tells the colour of a corner."""

    class Colour:
        def read(self, image: Image.Image, *, is_photograph: bool) -> list[Line]:
            _wait_unless_first()
            pixel = bytes(image.crop((2, 2, 3, 3)).tobytes()).hex()
            return [Line(f"COLOUR {pixel}", 0.9, (0.1, 0.4, 0.6, 0.6))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "Reader", Colour)
        process.main(handle)


def _wait_unless_first() -> None:
    """Let one picture be read, and the others once there is a file that says so."""
    folder = os.environ.get(HELD)
    if not folder:
        return
    with suppress(FileExistsError):
        (Path(folder) / "first").touch(exist_ok=False)
        return
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)


@pytest.fixture
def made_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that needs no extra."""
    monkeypatch.setattr(process, "ENTRY", ENTRY)
    monkeypatch.setattr("ingest.rows.lettering.what_is_missing", lambda: "")
    monkeypatch.setattr("ingest.pipeline.what_is_missing", lambda: "")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", media=MediaSettings(workers=1, read="auto"))


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    yield MemoryStore()


def run(settings: Settings, store: MemoryStore, *paths: Path, **options: object) -> IngestReport:
    return ingest(
        [str(path) for path in paths],
        IngestOptions(**options),  # type: ignore[arg-type]
        settings=settings,
        store=store,
        encoder=HistogramEncoder(),
        library="main",
    )


def folder_of_colours(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir(parents=True)
    for colour in ("red", "green", "blue", "white"):
        picture(folder / f"{colour}.png", colour=colour)
    return folder


@needs_reader
def test_an_ingest_reads_what_is_written_with_its_place(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    report = run(
        settings, store, picture(tmp_path / "van.png", "FERN"), picture(tmp_path / "b.png")
    )
    assert report.read is not None
    assert (report.read.keyframes, report.read.lettered, report.read.failed) == (2, 1, 0)
    [entity] = store.lettered("main", Wording(("FERN",)))
    [line] = entity.lines
    assert line.text == "FERN"
    left, top, right, bottom = line.box
    assert 0.1 < left < 0.25 < right < 0.6
    assert 0.3 < top < 0.5 < bottom < 0.7
    assert store.count("main", Filter(is_unread=True)) == 0


def test_without_the_extra_nothing_breaks_and_the_command_is_named(
    tmp_path: Path, settings: Settings, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "is_installed", lambda: False)
    report = run(settings, store, folder_of_colours(tmp_path))
    assert (report.done, report.read) == (4, None)
    assert "pip install 'sightline[reading]'" in report.unread
    with (
        Ledger(settings.ledger_path) as ledger,
        pytest.raises(UsageError, match=r"sightline\[reading\]"),
    ):
        read_lettering(settings, store, ledger, "main")


@pytest.mark.usefixtures("made_reader")
def test_a_keyframe_with_regions_is_read_once_and_they_carry_its_lines(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    report = run(settings, store, folder_of_colours(tmp_path), regions="tiles")
    assert report.read is not None and report.read.keyframes == report.read.lettered == 4
    entities = [
        entity for page in store.vectors("main", where=EVERY_ROW) for entity in page.entities
    ]
    lettering = {entity.id: entity.lettering for entity in entities if not entity.is_region}
    regions = [entity for entity in entities if entity.is_region]
    assert len(lettering) == 4 and len(regions) > 4 and all(lettering.values())
    assert all(region.lettering == lettering[region.keyframe_id] for region in regions)
    assert len(store.lettered("main", Wording(("COLOUR",)))) == 4


@pytest.mark.usefixtures("made_reader")
def test_read_off_reads_nothing_and_the_backlog_is_read_later(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    report = run(settings, store, folder_of_colours(tmp_path), read="off")
    assert report.read is None
    assert store.count("main", Filter(is_unread=True)) == 4
    told: list[tuple[int, int]] = []
    with Ledger(settings.ledger_path) as ledger:
        read = read_lettering(
            settings,
            store,
            ledger,
            "main",
            on_progress=lambda done, total, _: told.append((done, total)),
        )
        assert (read.keyframes, read.lettered, read.interrupted) == (4, 4, False)
        assert told[0] == (0, 4)
        assert told[-1] == (4, 4)
        again = read_lettering(settings, store, ledger, "main")
    assert again.keyframes == 0
    assert len(store.lettered("main", Wording(("colour",)))) == 4
    assert len(store.lettered("main", Wording(("0000ff",)))) == 1


@pytest.mark.usefixtures("made_reader")
def test_an_ended_reading_goes_on_where_it_was(
    tmp_path: Path, settings: Settings, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of_colours(tmp_path)
    monkeypatch.setenv(HELD, str(tmp_path))
    told: list[str] = []

    report = ingest(
        [str(folder)],
        settings=settings,
        store=store,
        encoder=HistogramEncoder(),
        library="main",
        on_progress=lambda progress: told.append(progress.current),
        should_stop=lambda: "reading lettering, 1 of 4" in told,
    )

    assert report.interrupted
    assert report.done == 4  # searchable before anything is read
    left = store.count("main", Filter(is_unread=True))
    assert left in (3, 4)  # rows are written in order: another one may have been waited for
    (tmp_path / "go").touch()

    again = run(settings, store, folder)

    assert again.skipped == 4
    assert again.read is not None
    assert again.read.keyframes == left
    assert store.count("main", Filter(is_unread=True)) == 0


@pytest.mark.usefixtures("made_reader")
def test_what_is_gone_stays_unread_and_is_told(
    tmp_path: Path, settings: Settings, store: MemoryStore
) -> None:
    folder = folder_of_colours(tmp_path)
    run(settings, store, folder, read="off")
    (folder / "red.png").unlink()
    (folder / "blue.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    with Ledger(settings.ledger_path) as ledger:
        read = read_lettering(settings, store, ledger, "main")
    assert (read.keyframes, read.failed) == (2, 2)
    assert {Path(uri).name for uri in read.reasons} == {"red.png", "blue.png"}
    assert store.count("main", Filter(is_unread=True)) == 2


CLOCK = "GATE 2026-03-02 10:40:{:02}"
BOX = (0.02, 0.02, 0.4, 0.06)
AT_EDGE = (0.7, 0.02, 0.9, 0.06)
IN_VIEW = (0.4, 0.4, 0.6, 0.5)


@pytest.mark.parametrize(
    ("texts", "box", "camera", "expected"),
    [
        ([CLOCK.format(n) for n in range(4)], BOX, "gate", True),
        (["2026-03-02 10:40:06"], BOX, "gate", True),
        ([f"10:40:{n:02}" for n in range(4)], AT_EDGE, "gate", True),
        (["10:40"], AT_EDGE, "gate", False),
        (["CAM 01"] * 4, AT_EDGE, "gate", True),
        (["Main Gate"] * 4, AT_EDGE, "main-gate", True),
        (["ISTANBUL GRILL"] * 4, IN_VIEW, "gate", False),
        (["ISTANBUL GRILL"] * 4, AT_EDGE, "gate", False),
        (["FERN"], AT_EDGE, "fern-gate", False),
        (["06.00 - 22.00"] * 4, IN_VIEW, "gate", False),
    ],
)
def test_clocks_and_camera_names_that_recur_are_overlays_and_signs_are_not(
    texts: list[str], box: tuple[float, float, float, float], camera: str, expected: bool
) -> None:
    overlays = Overlays()
    frames = [[Line(text, 0.9, box)] for text in texts]
    for lines in frames:
        overlays.note(camera, lines)
    assert [line.is_overlay for lines in frames for line in overlays.marked(camera, lines)] == [
        expected
    ] * len(texts)


def test_a_name_beside_a_clock_is_an_overlay_too() -> None:
    overlays = Overlays()
    frames = [
        [Line(f"10:40:0{n}", 0.9, BOX), Line("Nordtor", 0.9, AT_EDGE), Line("FERN", 0.9, IN_VIEW)]
        for n in range(4)
    ]
    for lines in frames:
        overlays.note("7", lines)
    marked = overlays.marked("7", frames[-1])
    assert [line.is_overlay for line in marked] == [True, True, False]
