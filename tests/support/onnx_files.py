"""Small ONNX models, written as protocol buffers by hand: nothing has to be installed for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_TYPES = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int64): 7}


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, value: NDArray[np.generic]) -> bytes:
    dims = b"".join(_number(1, side) for side in value.shape)
    kind = _number(2, _TYPES[value.dtype])
    return dims + kind + _bytes(8, name) + _bytes(9, np.ascontiguousarray(value).tobytes())


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, side) if isinstance(side, int) else _bytes(2, side)) for side in shape
    )
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def node(op: str, inputs: Sequence[str], output: str, **ints: int) -> bytes:
    """Return an operation with one output and whole numbers as attributes."""
    attributes = b"".join(
        _bytes(5, _bytes(1, name) + _number(3, value) + _number(20, 2))
        for name, value in ints.items()
    )
    ins = b"".join(_bytes(1, each) for each in inputs)
    return ins + _bytes(2, output) + _bytes(4, op) + attributes


def onnx_model(
    inputs: Mapping[str, tuple[type[np.generic], Sequence[int | str]]],
    outputs: Mapping[str, Sequence[int | str]],
    nodes: Sequence[bytes] = (),
    constants: Mapping[str, NDArray[np.generic]] | None = None,
) -> bytes:
    """Return the bytes of a model; outputs are float32."""
    graph = b"".join(_bytes(1, each) for each in nodes) + _bytes(2, "made")
    graph += b"".join(_bytes(5, _tensor(name, each)) for name, each in (constants or {}).items())
    for name, (kind, shape) in inputs.items():
        graph += _bytes(11, _value(name, _TYPES[np.dtype(kind)], shape))
    graph += b"".join(_bytes(12, _value(name, 1, shape)) for name, shape in outputs.items())
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))


def fixed_model(
    outputs: Mapping[str, NDArray[np.float32]],
    shape: Sequence[int | str] = (1, 3, 64, 64),
    *,
    kind: type[np.generic] = np.float32,
    more_inputs: Mapping[str, tuple[type[np.generic], Sequence[int | str]]] | None = None,
) -> bytes:
    """Return a model that gives the same whatever it sees."""
    return onnx_model(
        {"images": (kind, shape), **(more_inputs or {})},
        {name: value.shape for name, value in outputs.items()},
        [node("Identity", [f"{name}.made"], name) for name in outputs],
        {f"{name}.made": value for name, value in outputs.items()},
    )


def red_and_blue_detector(side: int = 320) -> bytes:
    """Return a model that finds what is red and what is blue, in boxes of pixels, with scores."""
    nodes, boxes, scores = [], [], []
    constants: dict[str, NDArray[np.generic]] = {
        "green at": np.array([1], np.int64),
        "least": np.array(0.3, np.float32),
        "one": np.array(1, np.int64),
    }
    nodes.append(node("Gather", ["images", "green at"], "green", axis=1))
    for name, channel in (("red", 0), ("blue", 2)):
        constants[f"{name} at"] = np.array([channel], np.int64)
        nodes += [
            node("Gather", ["images", f"{name} at"], name, axis=1),
            node("Sub", [name, "green"], f"{name} more"),
            node("Greater", [f"{name} more", "least"], f"{name} is"),
            node("Cast", [f"{name} is"], f"{name} mask", to=1),
        ]
        for axis, other in (("x", 2), ("y", 3)):
            line, along = f"{name} {axis}", 5 - other
            nodes += [
                node("ArgMax", [f"{name} mask"], f"{line} at", axis=other, keepdims=1),
                node("GatherElements", [f"{name} mask", f"{line} at"], line, axis=other),
                node("ArgMax", [line], f"{line} first", axis=along, keepdims=1),
                node("ArgMax", [line], f"{line} last", axis=along, keepdims=1, select_last_index=1),
                node("Add", [f"{line} last", "one"], f"{line} end"),
            ]
        corners = [f"{name} x first", f"{name} y first", f"{name} x end", f"{name} y end"]
        nodes += [
            node("Concat", corners, f"{name} corners", axis=3),
            node("Cast", [f"{name} corners"], f"{name} box", to=1),
            node("GlobalMaxPool", [f"{name} mask"], f"{name} score"),
        ]
        boxes.append(f"{name} box")
        scores.append(f"{name} score")
    constants["as boxes"] = np.array([1, 2, 4], np.int64)
    constants["as scores"] = np.array([1, 2], np.int64)
    nodes += [
        node("Concat", boxes, "all boxes", axis=1),
        node("Reshape", ["all boxes", "as boxes"], "boxes"),
        node("Concat", scores, "all scores", axis=1),
        node("Reshape", ["all scores", "as scores"], "scores"),
    ]
    inputs = {"images": (np.float32, (1, 3, side, side))}
    return onnx_model(inputs, {"boxes": (1, 2, 4), "scores": (1, 2)}, nodes, constants)
