"""Regions by a detector in an ONNX file: the forms that are read, and files that are none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.media.base import DecodedFrame
from ingest.media.regions.base import LEAST_SIDE
from ingest.media.regions.detector import MOST_BOXES, Detector
from ingest.media.regions.onnx_model import MOST_FOUND, OnnxModel
from ingest.media.regions.registry import parse_regions, spelled
from ingest.options import IngestOptions
from search_core.errors import MediaError, UsageError
from search_core.schema.entity import Box
from tests.support.onnx_files import fixed_model, onnx_model, red_and_blue_detector

pytest.importorskip("onnxruntime")

GREY = Image.new("RGB", (640, 360), (90, 90, 90))
#: The box that models below give, as shares of the picture.
BOX = (0.25, 0.5, 0.375, 0.75)


def numbers(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def saved(folder: Path, data: bytes) -> Detector:
    file = folder / "model.onnx"
    file.write_bytes(data)
    found = parse_regions(f"detector:{file}")
    assert isinstance(found, Detector)
    return found


def boxes(detector: Detector, image: Image.Image = GREY) -> list[Box]:
    regions = detector.finder().regions_of(DecodedFrame(0, *image.size, image))
    assert [region.kind for region in regions] == ["detector"] * len(regions)
    return [region.box for region in regions]


def test_what_is_red_or_blue_is_found_with_a_margin(tmp_path: Path) -> None:
    picture = GREY.copy()
    picture.paste((230, 20, 20), (64, 36, 128, 90))
    picture.paste((20, 20, 230), (480, 180, 500, 190))
    detector = saved(tmp_path, red_and_blue_detector())
    red, blue = boxes(detector, picture)
    assert red[0] < 0.1 and red[1] < 0.1 and red[2] > 0.2 and red[3] > 0.25
    assert red[2] - red[0] == pytest.approx(red[3] - red[1], abs=1e-3)
    assert blue[2] - blue[0] == pytest.approx(LEAST_SIDE, abs=1e-3)
    assert boxes(detector) == []


def _grid(cell: tuple[int, int], size: tuple[int, int]) -> bytes:
    """Return what YOLOX gives where it sees one thing: a box of stride 8, at a cell of it."""
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))
    table = np.full((1, cells, 5 + 3), -5, np.float32)
    table[:, :, 4:] = 0
    at = cell[1] * (size[0] // 8) + cell[0]
    table[0, at] = [0.5, 0.5, np.log(2), np.log(2), 0.9, 0.1, 0.9, 0.1]
    return fixed_model({"output": table}, (1, 3, size[1], size[0]))


CENTRE = numbers([[[0.3125, 0.625, 0.125, 0.25], [0.5, 0.5, 0.1, 0.1]]])
LOGITS = numbers([[[-9, 3, -9], [-9, -9, -4]]])
PIXELS = numbers([[16, 32, 24, 48], [0, 0, 10, 10]])
SURE = numbers([0.9, 0.1])
FORMS = {
    "RF-DETR": fixed_model({"dets": CENTRE, "labels": LOGITS}),
    "RT-DETR or D-FINE by Optimum": fixed_model(
        {"logits": LOGITS, "pred_boxes": CENTRE}, ("batch", 3, "height", "width")
    ),
    "RT-DETR or D-FINE by its own export": fixed_model(
        {"labels": numbers([1, 2]), "boxes": PIXELS[None], "scores": SURE[None]},
        ("N", 3, 64, 64),
        more_inputs={"orig_target_sizes": (np.int64, ("N", 2))},
    ),
    "torchvision": fixed_model(
        {"boxes": PIXELS * 10, "labels": numbers([1, 2]), "scores": SURE}, (3, 640, 640)
    ),
    "SSD of the ONNX Model Zoo": fixed_model(
        {"bboxes": numbers([[BOX, (0, 0, 0.1, 0.1)]]), "labels": SURE, "scores": SURE[None]}
    ),
    "SSD by TensorFlow": fixed_model(
        {
            "num_detections:0": numbers([2]),
            "detection_boxes:0": numbers([[[0.5, 0.25, 0.75, 0.375], [0, 0, 0.1, 0.1]]]),
            "detection_scores:0": SURE[None],
        },
        (1, "height", "width", 3),
        kind=np.uint8,
    ),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_boxes_of_every_form_are_read(form: str) -> None:
    found, scores = OnnxModel(FORMS[form]).find(GREY)
    assert found.tolist() == [pytest.approx(BOX, abs=1e-4)]
    assert scores[0] >= 0.9


def test_the_raw_grid_of_yolox_is_read_without_the_grey_below_the_picture() -> None:
    found, scores = OnnxModel(_grid((3, 2), (64, 64))).find(Image.new("RGB", (64, 32)))
    # The middle of a cell is 28, 20 of 64 x 32 pixels, and the box has 16 pixels each way.
    assert found.tolist() == [pytest.approx((20 / 64, 12 / 32, 36 / 64, 28 / 32))]
    assert scores.tolist() == [pytest.approx(0.81)]
    wide, _ = OnnxModel(_grid((3, 2), (64, 64))).find(Image.new("RGB", (640, 320)))
    assert wide.tolist() == found.tolist()


def test_boxes_that_are_none_are_dropped_and_nearly_equal_ones_are_one(tmp_path: Path) -> None:
    nothing = [(np.nan, 0, 1, 1), (np.inf, 0, 1, 1), (40, 40, 20, 20), (-50, 10, -20, 20)]
    things = [(-1e9, -1e9, 1e9, 1e9), (10, 10, 20, 20), (10, 10, 20.5, 20), (40, 40, 50, 50)]
    given = numbers([*nothing, (11, 10, 20, 20), *things])
    scores = numbers([0.9] * 4 + [np.nan, 0.95, 0.8, 0.9, 0.7])
    first, second = boxes(saved(tmp_path, fixed_model({"boxes": given, "scores": scores})))
    assert first[0] < 10 / 64 and first[2] > 20.5 / 64  # the surer of the two
    assert second[0] < 40 / 64 < 50 / 64 < second[2]


def test_of_thousands_of_boxes_the_surest_are_taken(tmp_path: Path) -> None:
    places = np.random.default_rng(3).uniform(0, 56, (5000, 2)).astype(np.float32)
    model = fixed_model(
        {
            "boxes": np.concatenate((places, places + 6), axis=1),
            "scores": np.linspace(0.4, 1, 5000, dtype=np.float32),
        }
    )
    found, scores = OnnxModel(model).find(GREY)
    assert len(found) == MOST_FOUND and scores.min() > 0.95
    assert len(boxes(saved(tmp_path, model))) == MOST_BOXES


HOSTILE = {
    "cannot be loaded": b"nonsense",
    "cannot be loaded: ": FORMS["RF-DETR"][:-40],
    "takes images, more, not one picture": fixed_model(
        {"boxes": PIXELS, "scores": SURE}, more_inputs={"more": (np.float32, (1,))}
    ),
    "takes pictures of 65536x65536 pixels": fixed_model(
        {"boxes": PIXELS, "scores": SURE}, (1, 3, 65536, 65536)
    ),
    "takes 16 pictures at once": fixed_model({"boxes": PIXELS, "scores": SURE}, (16, 3, 64, 64)),
    "takes no RGB picture": fixed_model({"boxes": PIXELS, "scores": SURE}, (1, 7, 64, 64)),
    "no supported detector": fixed_model({"classes": numbers([1, 2]), "embedding": SURE}),
    "gives an output of shape (9, 6)": fixed_model({"output": numbers([[[0] * 6] * 9])}),
    "gives an output of shape (2, 3)": fixed_model({"boxes": PIXELS[:, :3], "scores": SURE}),
    "gives 2 boxes with 3 scores": fixed_model({"boxes": PIXELS, "scores": numbers([1, 1, 1])}),
}


@pytest.mark.parametrize("reason", list(HOSTILE))
def test_a_file_that_is_no_detector_is_refused_in_a_sentence(reason: str, tmp_path: Path) -> None:
    detector = saved(tmp_path, HOSTILE[reason])
    with pytest.raises(UsageError) as refused:
        detector.check()
    assert reason in refused.value.message and "model.onnx" in refused.value.message
    assert "\n" not in refused.value.message
    with pytest.raises(MediaError, match="cannot be given regions"):
        boxes(detector)


def test_a_model_that_makes_nothing_is_refused(tmp_path: Path) -> None:
    model = onnx_model({"images": (np.float32, (1, 3, 64, 64))}, {"boxes": (1, 4), "scores": (1,)})
    assert b"boxes" in model  # outputs that nothing makes
    with pytest.raises(UsageError, match="cannot be loaded"):
        saved(tmp_path, model).check()


def test_a_file_that_is_not_there_is_named_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        IngestOptions(regions=f"detector:{tmp_path / 'none.onnx'}").spelled()
    with pytest.raises(UsageError, match="not a file"):
        parse_regions(f"detector:{tmp_path}")
    with pytest.raises(UsageError, match="No file is named"):
        parse_regions("detector:")
    with pytest.raises(UsageError, match="Unknown kind of regions 'detector'") as refused:
        parse_regions("detector")
    assert refused.value.hint is not None and "detector:FILE" in refused.value.hint


def test_without_what_runs_it_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    with pytest.raises(UsageError) as refused:
        saved(tmp_path, red_and_blue_detector())
    assert "pip install 'sightline[reading]'" in str(refused.value.hint)


def test_it_is_recorded_by_place_and_digest_and_another_file_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = saved(tmp_path, red_and_blue_detector())
    monkeypatch.chdir(tmp_path)
    assert spelled("detector:model.onnx") == first.spelling
    assert f"#{first.digest}" in first.spelling and first.digest in first.recipe
    assert str(tmp_path) not in first.recipe  # a file that was moved is the same
    second = saved(tmp_path, red_and_blue_detector(64))
    assert second.recipe != first.recipe and len(boxes(second)) == 0
    with pytest.raises(MediaError, match="is another file than it was"):
        boxes(first)
    (tmp_path / "model.onnx").unlink()
    assert IngestOptions(regions=first.spelling).recipe.endswith(first.recipe)
