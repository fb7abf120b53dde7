from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.media.base import SMALL_HEIGHT, SMALL_WIDTH, DecodedFrame, Mask
from ingest.media.regions.base import LEAST_SIDE, Region
from ingest.media.regions.motion import MotionBoxes, boxes_of
from ingest.media.regions.registry import PROPOSERS, parse_regions, regions_help
from ingest.media.regions.tiles import TILES, Tiles
from ingest.media.video.frames import turned
from ingest.options import IngestOptions
from search_core.errors import UsageError
from tests.support.onnx_files import red_and_blue_detector


def frame(
    second: int, *things: tuple[int, int, int, int], foreground: Mask | None = None
) -> DecodedFrame:
    """Return a grey picture with white things (left, top, right, bottom in pixels)."""
    image = Image.new("RGB", (640, 360), (90, 90, 90))
    for left, top, right, bottom in things:
        image.paste((240, 240, 240), (left, top, right, bottom))
    return DecodedFrame(1000 * second, 640, 360, image, foreground=foreground)


@pytest.fixture
def detector(tmp_path: Path) -> str:
    """A detector, as it is typed."""
    pytest.importorskip("onnxruntime")
    file = tmp_path / "Finds Things.onnx"
    file.write_bytes(red_and_blue_detector())
    return f"detector:{file}"


@pytest.mark.parametrize("name", list(PROPOSERS))
def test_every_proposer_has_what_the_registry_needs(
    name: str, request: pytest.FixtureRequest
) -> None:
    typed = request.getfixturevalue(name) if PROPOSERS[name].argument else name
    proposer = parse_regions(f" {typed.replace(name, name.upper(), 1)} ")
    assert proposer is not None and proposer.recipe.startswith(f"{name}:")
    assert pickle.loads(pickle.dumps(proposer)) == proposer
    assert parse_regions(proposer.spelling) == proposer
    proposer.check()
    assert name in regions_help() and PROPOSERS[name].help
    for region in proposer.finder().regions_of(frame(0)):
        left, top, right, bottom = region.box
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    assert IngestOptions(regions=typed).recipe != IngestOptions(regions="off").recipe


def test_off_proposes_nothing_and_what_is_unknown_is_named() -> None:
    assert parse_regions("off") is None
    with pytest.raises(UsageError, match="'boxes'"):
        IngestOptions(regions="boxes").recipe  # noqa: B018


def test_options_of_an_earlier_version_have_no_regions() -> None:
    assert IngestOptions.from_text('{"keyframes": "iframe"}').regions == "off"


def test_all_tiles_come_once_and_again_where_something_changed() -> None:
    finder = Tiles().finder()
    assert [region.box for region in finder.regions_of(frame(0))] == list(TILES)
    assert finder.regions_of(frame(1)) == []
    corner = (600, 320, 640, 360)
    changed = {region.box for region in finder.regions_of(frame(2, corner))}
    assert changed == {TILES[3], TILES[-1]}  # the last quarter and the last ninth
    assert finder.regions_of(frame(3, corner)) == []
    assert {region.box for region in finder.regions_of(frame(4))} == changed


def test_what_moves_gets_a_box_with_a_margin_and_what_touches_is_one_thing() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    mask[10:14, 20:24] = True
    mask[15:17, 20:24] = True  # a row apart
    mask[4:6, 50:54] = True
    walker, other = boxes_of(mask)
    assert walker[0] < 20 / 64 and walker[2] > 24 / 64
    assert walker[1] < 10 / 36 and walker[3] > 17 / 36
    assert walker[2] - walker[0] == pytest.approx(walker[3] - walker[1], abs=1e-3)
    assert other[2] - other[0] >= LEAST_SIDE
    assert boxes_of(np.zeros_like(mask)) == boxes_of(np.ones_like(mask)) == []


def test_rain_gets_no_boxes_and_what_stands_out_of_it_does() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    mask[2:32:6, 3:60:9] = True  # single blocks
    mask[3, 21] = mask[2, 31] = True  # drops that touch
    assert boxes_of(mask) == []
    mask[14:20, 40:44] = True
    [walker] = boxes_of(mask)
    left, top, right, bottom = walker
    assert left * SMALL_WIDTH <= 40 and right * SMALL_WIDTH >= 44
    assert top * SMALL_HEIGHT <= 14 and bottom * SMALL_HEIGHT >= 20


def test_many_small_things_are_no_rain() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    for column in (5, 20, 35, 50):
        mask[20:23, column] = True
    assert len(boxes_of(mask)) == 4


def test_a_box_at_the_edge_stays_within_the_picture() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    mask[34:, 62:] = True
    [box] = boxes_of(mask)
    assert box[2:] == (1.0, 1.0) and box[0] > 0.8


def test_motion_takes_the_selectors_foreground_and_else_compares_keyframes() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    mask[5:9, 5:9] = True
    given = MotionBoxes().finder().regions_of(frame(0, foreground=mask))
    assert [region.kind for region in given] == ["motion"] and given[0].box[0] < 5 / 64

    finder = MotionBoxes().finder()
    assert finder.regions_of(frame(0)) == []
    [own] = finder.regions_of(frame(1, (300, 200, 340, 240)))
    assert own.box[0] < 300 / 640 and own.box[2] > 340 / 640


def test_a_mask_is_turned_as_its_picture_is() -> None:
    mask = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    mask[0:4, 0:8] = True  # top left
    upside_down = turned(mask, Image.Transpose.ROTATE_180)
    assert upside_down[-4:, -8:].all() and upside_down.sum() == mask.sum()
    portrait = turned(mask, Image.Transpose.ROTATE_270)  # to the top right
    assert portrait.shape == mask.shape and portrait[0, -1] and not portrait[0, 0]


def test_a_region_is_cut_out_of_a_picture_of_any_size() -> None:
    region = Region("tile", 0, (0.5, 0.0, 1.0, 0.5))
    cut = region.cut(frame(0, (320, 0, 640, 180)).image)
    assert cut.size == (320, 180) and cut.getpixel((0, 0)) == (240, 240, 240)
    assert Region("motion", 0, (0.999, 0.999, 1.0, 1.0)).cut(Image.new("RGB", (4, 4))).size == (
        1,
        1,
    )


def moments(*frames: DecodedFrame, name: str = "auto", input_px: int = 50) -> list[set[str]]:
    """Return the kinds of the regions of each frame of one video or photograph."""
    proposer = parse_regions(name)
    assert proposer is not None
    finder = proposer.finder(input_px)
    return [{region.kind for region in finder.regions_of(each)} for each in frames]


def test_auto_takes_what_moves_before_a_fixed_camera() -> None:
    still = np.zeros((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    moves = still.copy()
    moves[5:9, 5:9] = True
    assert moments(frame(0, foreground=still), frame(1, foreground=moves)) == [set(), {"motion"}]
    # Where the selector does not look for it, keyframes are compared with those before.
    thing = (300, 200, 340, 240)
    assert moments(*(replace(each, span_ms=500) for each in (frame(0), frame(1, thing)))) == [
        set(),
        {"motion"},
    ]


def test_auto_tiles_what_a_moving_camera_shows_and_large_photographs() -> None:
    everything = np.ones((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    moved = frame(1, (0, 0, 640, 360), foreground=everything)
    assert moments(frame(0, foreground=~everything), moved) == [set(), {"tile"}]
    assert moments(frame(0)) == [{"tile"}]
    quarters = Tiles().finder().regions_of(frame(0))[:4]
    auto = parse_regions("auto")
    assert auto is not None and auto.finder(50).regions_of(frame(0)) == quarters


def test_auto_tiles_what_a_camera_shows_that_turns_slowly_but_not_what_passes_before_it() -> None:
    view = np.random.default_rng(5).integers(0, 255, (36, 128, 3), dtype=np.uint8)
    wide = Image.fromarray(view).resize((1280, 360), Image.Resampling.BICUBIC)

    def seen(second: int, left: int, lorry: int | None = None) -> DecodedFrame:
        image = wide.crop((left, 0, left + 640, 360))
        if lorry is not None:
            image.paste((240, 240, 240), (lorry, 180, lorry + 160, 280))
        return DecodedFrame(1000 * second, 640, 360, image, span_ms=1000)

    turning = moments(*(seen(second, 30 * second) for second in range(8)))
    assert turning[0] == set() and turning[2:] == [{"tile"}] * 6
    passing = moments(*(seen(second, 0, 90 * second - 200) for second in range(8)))
    assert {"tile"} not in passing and {"motion"} in passing


def test_auto_tiles_nothing_that_has_hardly_more_pixels_than_the_encoder_takes() -> None:
    everything = np.ones((SMALL_HEIGHT, SMALL_WIDTH), np.bool_)
    assert moments(frame(0), input_px=224) == [set()]
    assert moments(frame(1, foreground=everything), input_px=224) == [set()]
    assert moments(frame(0), input_px=60) == [{"tile"}]
