"""How a decoded video frame is meant to be seen: pixel shape, then rotation or mirroring."""

from __future__ import annotations

import struct
from fractions import Fraction

from PIL import Image

_Op = Image.Transpose
#: The signs of a display matrix's a, b, c, d (x' = ax + cy, y' = bx + dy, y downwards).
_OPERATIONS: dict[tuple[int, int, int, int], Image.Transpose] = {
    (-1, 0, 0, -1): _Op.ROTATE_180,
    (0, 1, -1, 0): _Op.ROTATE_270,  # Pillow turns anticlockwise: this is a quarter clockwise
    (0, -1, 1, 0): _Op.ROTATE_90,
    (-1, 0, 0, 1): _Op.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): _Op.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): _Op.TRANSPOSE,
    (0, -1, -1, 0): _Op.TRANSVERSE,
}
_MATRIX = struct.Struct("=9i")
_ONE = 1 << 16
#: Beyond this a pixel shape is a broken header, not an anamorphic lens.
_MOST_STRETCH = 8


def display_operation(matrix: bytes | None) -> Image.Transpose | None:
    """Return what turns a frame upright, from libav's 3x3 display matrix (nine 16.16 int32).

    None when there is nothing to do, or for angles that are no quarter turns.
    """
    if matrix is None or len(matrix) < _MATRIX.size:
        return None
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    a_sign, b_sign, c_sign, d_sign = (round(value / _ONE) for value in (a, b, c, d))
    return _OPERATIONS.get((a_sign, b_sign, c_sign, d_sign))


def square_size(width: int, height: int, pixel_shape: Fraction | None) -> tuple[int, int]:
    """Return (width, height) that shows the frame with square pixels, never smaller than it is."""
    if not pixel_shape or pixel_shape <= 0 or pixel_shape == 1:
        return width, height
    if not 1 <= max(pixel_shape, 1 / pixel_shape) <= _MOST_STRETCH:
        return width, height
    if pixel_shape > 1:
        return round(width * pixel_shape), height
    return width, round(height / pixel_shape)
