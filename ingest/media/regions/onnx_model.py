"""An object detector in an ONNX file, as what finds boxes; the file may be anybody's.

The names and shapes of a model's inputs and outputs say how its boxes are encoded. Supported are
the encodings in which permissively licensed detectors are exported. onnxruntime, of the extra
``reading``, is imported when a model is loaded. Nothing is unpickled, and no code of the file's is
run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search_core.errors import MediaError, in_words

Floats = NDArray[np.floating[Any]]

#: The side of the pictures given to a model that takes any size.
_USUAL_PX = 640
#: No detector of use takes smaller or larger pictures.
_LEAST_PX, _MOST_PX = 32, 2048
#: What a model gives is refused where there is more of it: no detector does.
_MOST_VALUES = 20_000_000
#: Boxes that a model is less sure of are noise.
LEAST_SCORE = 0.3
#: The surest boxes of a picture, before those that are nearly the same are made one.
MOST_FOUND = 300
#: How many pixels apart a raw grid's cells are; the last is of the largest models alone.
_STRIDES = (8, 16, 32, 64)
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_GREY = 114
#: How what onnxruntime says begins.
_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_SIZES_INPUT = "orig_target_sizes"

Colours = Literal["shares", "imagenet", "bgr bytes", "bytes"]
Boxes = Literal["centre", "pixels", "shares", "rows first", "grid"]


@dataclass(frozen=True, slots=True)
class Form:
    """What a model takes and gives, by its outputs' names.

    ``colours``: RGB from 0 to 1, less ImageNet's mean, or 0 to 255 as BGR or RGB. ``boxes`` are
    centre and size, left-top-right-bottom in pixels or as shares, top-left-bottom-right, or a raw
    grid. ``scores`` may be ``logits`` of classes.
    """

    boxes_from: str
    scores_from: str
    colours: Colours
    boxes: Boxes
    logits: bool = False


#: The first whose outputs a model has is its form.
FORMS = (
    Form("dets", "labels", "imagenet", "centre", logits=True),  # RF-DETR
    Form("pred_boxes", "logits", "shares", "centre", logits=True),  # RT-DETR, D-FINE by Optimum
    Form("detection_boxes", "detection_scores", "bytes", "rows first"),  # TensorFlow's SSD
    Form("bboxes", "scores", "imagenet", "shares"),  # SSD of the ONNX Model Zoo
    Form("boxes", "scores", "shares", "pixels"),  # torchvision; RT-DETR, D-FINE with their own
)
_YOLOX = Form("", "", "bgr bytes", "grid")


class OnnxModel:
    """A model that finds boxes in pictures, on one core; raises MediaError where it cannot.

    The errors are predicates about the file.
    """

    def __init__(self, data: bytes) -> None:
        self._session = _session(data)
        self._outputs = [output.name for output in self._session.get_outputs()]
        inputs = {each.name: each for each in self._session.get_inputs()}
        self._sizes_input = inputs.pop(_SIZES_INPUT, None)
        if len(inputs) != 1:
            raise MediaError("takes {names}, not one picture", names=", ".join(inputs) or "nothing")
        [self._input] = inputs.values()
        self._form = self._form_of_outputs()
        self._channels_last = len(self._input.shape) == 4 and self._input.shape[3] == 3
        self._size = self._size_of_input()
        self._type = _TYPES.get(self._input.type)
        if self._type is None:
            raise MediaError("takes pictures as {type}", type=str(self._input.type))

    def find(self, image: Image.Image) -> tuple[Floats, Floats]:
        """Return the boxes (n, 4), left-top-right-bottom as shares of an RGB picture, and scores.

        The surest ones, the surest first.
        """
        shown, (width, height) = self._shown(image)
        feed: dict[str, Any] = {self._input.name: self._pixels(shown)}
        if self._sizes_input is not None:
            feed[_SIZES_INPUT] = np.array([[shown.width, shown.height]], np.int64)
        try:
            given = self._session.run(None, feed)
        except Exception as error:  # onnxruntime's errors have no class in common
            raise MediaError("cannot be run: {reason}", reason=_short(error)) from None
        values = [np.asarray(each) for each in given]
        if sum(each.size for each in values) > _MOST_VALUES:
            raise MediaError("gives more values than any detector does")
        named = dict(zip(map(_plain, self._outputs), values, strict=True))
        boxes, scores = self._read(named, shown.size)
        scale = np.array([shown.width / width, shown.height / height] * 2, np.float32)
        return _surest(boxes * scale, scores)

    # Inputs

    def _form_of_outputs(self) -> Form:
        names = {_plain(name) for name in self._outputs}
        for form in FORMS:
            if {form.boxes_from, form.scores_from} <= names:
                return form
        if len(names) == 1 and len(self._session.get_outputs()[0].shape) == 3:
            return _YOLOX
        raise MediaError(
            "has the outputs {names}, which no supported detector has",
            names=", ".join(self._outputs),
        )

    def _size_of_input(self) -> tuple[int, int] | None:
        """Return (width, height) of what the model takes, None where any will do."""
        shape = [side if isinstance(side, int) else None for side in self._input.shape]
        if len(shape) == 4 and (count := shape.pop(0)) not in (1, None):
            raise MediaError("takes {count} pictures at once", count=count)
        if len(shape) != 3 or shape[2 if self._channels_last else 0] not in (3, None):
            raise MediaError("takes no RGB picture: {shape}", shape=str(self._input.shape))
        height, width = shape[:2] if self._channels_last else shape[1:]
        if width is not None and height is not None:
            if not all(_LEAST_PX <= side <= _MOST_PX for side in (width, height)):
                raise MediaError(
                    "takes pictures of {width}x{height} pixels", width=width, height=height
                )
            return width, height
        if len(self._input.shape) == 3 or self._channels_last:
            return None
        return _USUAL_PX, _USUAL_PX

    def _shown(self, image: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
        """Return a picture as the model takes it, and the (width, height) it fills of that."""
        image = image.convert("RGB")
        scale = _USUAL_PX / max(image.size)
        if self._size is None:
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            return image.resize(size, Image.Resampling.BILINEAR), size
        if self._form is not _YOLOX:
            return image.resize(self._size, Image.Resampling.BILINEAR), self._size
        scale = min(self._size[0] / image.width, self._size[1] / image.height)
        inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        shown = Image.new("RGB", self._size, (_GREY,) * 3)
        shown.paste(image.resize(inner, Image.Resampling.BILINEAR))
        return shown, inner

    def _pixels(self, shown: Image.Image) -> NDArray[Any]:
        values = np.asarray(shown).astype(np.float32)
        if self._type is np.uint8:
            pass
        elif self._form.colours == "bgr bytes":
            values = values[:, :, ::-1]
        elif self._form.colours != "bytes":
            values = values / np.float32(255)
            if self._form.colours == "imagenet":
                values = (values - _MEAN) / _DEVIATION
        if not self._channels_last:
            values = values.transpose(2, 0, 1)
        if len(self._input.shape) == 4:
            values = values[None]
        return np.ascontiguousarray(values, self._type)

    # Outputs

    def _read(self, given: Mapping[str, Any], size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Return boxes as shares of what was shown, of a size (width, height), and their scores."""
        form = self._form
        if form is _YOLOX:
            return _of_grid(_table(next(iter(given.values())), None), size)
        boxes = _table(given[form.boxes_from], 4)
        if form.logits:
            classes = _table(given[form.scores_from], None)
            scores = 1 / (1 + np.exp(-np.clip(classes.max(axis=1), -50, 50)))
        else:
            scores = given[form.scores_from].reshape(-1)
        if len(scores) != len(boxes):
            raise MediaError(
                "gives {boxes} boxes with {scores} scores", boxes=len(boxes), scores=len(scores)
            )
        if form.boxes == "centre":
            boxes = _from_centres(boxes)
        elif form.boxes == "rows first":
            boxes = boxes[:, [1, 0, 3, 2]]
        elif form.boxes == "pixels":
            boxes = np.divide(boxes, [*size, *size])
        return boxes, scores.astype(np.float32)


_TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


def _session(data: bytes) -> Any:
    """Load a model; what it refers to outside the file is not looked for."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Other processes have the other cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class in common
        raise MediaError("cannot be loaded: {reason}", reason=_short(error)) from None


def _short(error: Exception) -> str:
    """Return the first line of what onnxruntime says, without its code in brackets."""
    return _CODE.sub("", in_words(error).splitlines()[0])[:200]


def _plain(name: str) -> str:
    """Return an output's name without TensorFlow's number."""
    return name.partition(":")[0].lower()


def _table(value: Any, columns: int | None) -> Floats:
    """Return an output as rows of so many columns, of one picture; raises MediaError."""
    if value.ndim == 3 and len(value) == 1:
        value = value[0]
    if value.ndim == 1 and value.size == 0:
        value = value.reshape(0, columns or 1)
    if value.ndim != 2 or not value.shape[1] or columns not in (None, value.shape[1]):
        raise MediaError("gives an output of shape {shape}", shape=str(value.shape))
    table: Floats = value.astype(np.float32)
    return table


def _of_grid(table: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return the boxes of YOLOX's raw output, (cells, 5 + classes), as shares, and their scores."""
    cells, steps = [], []
    for stride in _STRIDES:
        across, down = size[0] // stride, size[1] // stride
        x, y = np.meshgrid(np.arange(across), np.arange(down))
        cells.append(np.stack((x, y), axis=-1).reshape(-1, 2))
        steps.append(np.full((across * down, 1), stride))
        if sum(map(len, steps)) == len(table) and table.shape[1] > 5:
            break
    else:
        raise MediaError("gives an output of shape {shape}", shape=str(table.shape))
    grid = np.concatenate(cells).astype(np.float32)
    stride_px = np.concatenate(steps).astype(np.float32)
    centres = (table[:, :2] + grid) * stride_px
    sides = np.exp(np.clip(table[:, 2:4], -20, 20)) * stride_px
    boxes = np.concatenate((centres, sides), axis=1) / np.array([*size, *size], np.float32)
    return _from_centres(boxes), table[:, 4] * table[:, 5:].max(axis=1)


def _from_centres(boxes: Floats) -> Floats:
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)


def _surest(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return the boxes that are some, within the picture, the surest first."""
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    boxes, scores = np.clip(boxes[sound], 0, 1), scores[sound]
    some = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (scores >= LEAST_SCORE)
    boxes, scores = boxes[some], scores[some]
    order = np.argsort(-scores, kind="stable")[:MOST_FOUND]
    return boxes[order], scores[order]
