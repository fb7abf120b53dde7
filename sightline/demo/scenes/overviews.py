"""Places as wide cameras on roofs see them: a car park and a square, looked down on.

The ground is a plane in world units of a person's height; see :func:`overview_y`.
"""

from __future__ import annotations

import math
from itertools import pairwise

from sightline.demo.scenes.canvas import Canvas
from sightline.demo.scenes.sprites import Colour, shaded

HORIZON_ABOVE = 0.06
"""The horizon of a wide camera, as a fraction of the frame's height from the top."""

CAMERA_HEIGHT = 4.5
"""How high a wide camera hangs, in persons' heights."""

ASPECT = 16 / 9


def overview_y(size: float) -> float:
    """Where a thing of this size stands before a wide camera (fraction of the frame's height)."""
    return HORIZON_ABOVE + CAMERA_HEIGHT * size


def _seen(x: float, z: float) -> tuple[float, float]:
    """Point of the frame where the ground ``x`` to the right and ``z`` away is seen, in persons'
    heights.
    """
    return 0.5 + x / z / ASPECT, overview_y(1 / z)


def _quad(canvas: Canvas, x0: float, x1: float, z0: float, z1: float, colour: Colour) -> None:
    corners = ((x0, z0), (x1, z0), (x1, z1), (x0, z1))
    canvas.polygon(tuple(_seen(x, z) for x, z in corners), colour)


def _disc(canvas: Canvas, z: float, radius: float, lift: float, colour: Colour) -> None:
    """A disc in the middle that lies ``lift`` above the ground."""
    around = [2 * math.pi * i / 72 for i in range(72)]
    points = []
    for angle in around:
        away = z + radius * math.sin(angle)
        x, y = _seen(radius * math.cos(angle), away)
        points.append((x, y - lift / away))
    canvas.polygon(tuple(points), colour)


def _fronts(canvas: Canvas, z: float) -> None:
    """A row of house fronts at the far end of the ground."""
    foot = overview_y(1 / z)
    x = -0.04
    while x < 1.02:
        width = canvas.between(0.13, 0.24)
        wall = canvas.grey(118, 172, canvas.between(0, 18))
        canvas.box(x, -0.01, x + width, foot, wall)
        canvas.box(x, foot - 0.052, x + width, foot, shaded(wall, 0.78))
        glass = shaded(wall, canvas.between(0.45, 0.62))
        count = int(width / 0.028)
        pitch = width / count
        for i in range(count):
            left = x + (i + 0.25) * pitch
            for row in (0.015, 0.085, 0.155):
                if row + 0.04 < foot - 0.06:
                    canvas.box(left, row, left + pitch * 0.5, row + 0.042, glass)
            if i % 2 == 0:
                canvas.box(left, foot - 0.042, left + pitch * 0.9, foot, shaded(glass, 0.8))
        canvas.line(x, -0.01, x, foot, shaded(wall, 0.7), 0.003)
        x += width


def _tree(canvas: Canvas, x: float, z: float, height: float = 1.7) -> None:
    """A tree with its trunk and a crown of many leaves, light above."""
    cx, foot = _seen(x, z)
    canvas.box(cx - 0.05 / z, foot - height * 0.6 / z, cx + 0.05 / z, foot, (78, 62, 48))
    for i in range(46):
        angle, far = canvas.between(0, 2 * math.pi), canvas.between(0, 1) ** 0.6
        dx = math.cos(angle) * far * 0.62 / z / ASPECT
        dy = math.sin(angle) * far * 0.52 / z
        lit = 0.72 + 0.34 * i / 46 - 0.25 * math.sin(angle) * far
        r = canvas.between(0.12, 0.22) / z
        px, py = cx + dx, foot - height / z + dy
        canvas.draw.ellipse(
            (
                (px - r / ASPECT) * canvas.width,
                (py - r) * canvas.height,
                (px + r / ASPECT) * canvas.width,
                (py + r) * canvas.height,
            ),
            fill=shaded((66, 92, 54), lit),
        )


def car_park_roof(canvas: Canvas) -> None:
    """A car park with many small bays, from the roof beside it."""
    canvas.horizon = HORIZON_ABOVE
    _fronts(canvas, 22)
    asphalt, white = canvas.grey(96, 112), canvas.grey(188, 206)
    pavement = canvas.grey(148, 166, 5)
    canvas.box(0, overview_y(1 / 22), 1, 1.01, asphalt)
    _quad(canvas, -30, 30, 19.4, 22, pavement)
    _quad(canvas, -30, 30, 18.4, 19.4, (82, 104, 66))
    _quad(canvas, -30, 30, 18.2, 18.4, pavement)
    for near, far in BAY_ROWS:
        _bays(canvas, near, far, white)
    for x in (-19.4, -6.5, 6.5, 19.4):
        _quad(canvas, x - 0.28, x + 0.28, 10.7, 15.0, shaded(pavement, 0.92))
        _tree(canvas, x, 14.6, 1.5)
    for i in range(-14, 15):
        _quad(canvas, i * 2.2, i * 2.2 + 1.1, 16.62, 16.78, white)
        _quad(canvas, i * 1.6, i * 1.6 + 0.8, 9.3, 9.42, white)
    for z in (6.0, 7.4, 12.0, 13.8):
        _arrow(canvas, 0.0, z, white)
    for i in range(9):
        _tree(canvas, -17 + i * 4.2 + canvas.between(-1, 1), 20.6, canvas.between(1.5, 2.2))


BAY_ROWS = ((5.1, 8.0), (10.7, 15.0))
"""From where to where bays are marked, in persons' heights from the camera."""

BAY_DEPTH = 1.44
BAY_COLUMNS = ((-13.2, -9.8), (-6.4, -3.2), (3.2, 6.4), (9.8, 13.2), (-19.4, -16.2), (16.2, 19.4))


def _bays(canvas: Canvas, near: float, far: float, white: Colour) -> None:
    count = round((far - near) / BAY_DEPTH)
    for left, right in BAY_COLUMNS:
        patch = shaded((104, 104, 106), canvas.between(0.94, 1.04))
        _quad(canvas, left, right, near, far, patch)
        for i in range(count + 1):
            z = near + (far - near) * i / count
            _quad(canvas, left, right, z - 0.035, z + 0.035, white)


def _arrow(canvas: Canvas, x: float, z: float, colour: Colour) -> None:
    _quad(canvas, x - 0.09, x + 0.09, z, z + 0.7, colour)
    tip = ((x - 0.32, z + 0.66), (x + 0.32, z + 0.66), (x, z + 1.1))
    canvas.polygon(tuple(_seen(px, pz) for px, pz in tip), colour)


def square(canvas: Canvas) -> None:
    """A paved square with a fountain, from a roof at its side."""
    canvas.horizon = HORIZON_ABOVE
    _fronts(canvas, 22)
    paving = canvas.grey(158, 172, 10)
    canvas.box(0, overview_y(1 / 22), 1, 1.01, paving)
    _quad(canvas, -30, 30, 20.6, 22, shaded(paving, 0.86))
    for row in range(26):
        z = 4.4 + row * 0.62
        for column in range(-26, 26):
            x = column * 0.62 + (row % 2) * 0.31
            if abs(x) > z * ASPECT / 2 + 1:
                continue
            slab = shaded(paving, canvas.between(0.955, 1.035))
            _quad(canvas, x + 0.015, x + 0.605, z + 0.015, z + 0.605, slab)
    dark = shaded(paving, 0.72)
    for z in (6.2, 12.9, 19.6):
        _quad(canvas, -30, 30, z, z + 0.22, dark)
    for x in (-9.2, -4.4, 4.4, 9.2):
        _quad(canvas, x - 0.11, x + 0.11, 4.2, 20.6, dark)
    _fountain(canvas, 9.4)
    for x in (-15, -11.5, -8, 8, 11.5, 15):
        _quad(canvas, x - 0.5, x + 0.5, 19.9, 20.5, (92, 78, 60))
        _tree(canvas, x, 20.2, 2.0)
    for x in (-4.9, -2.2, 2.2, 4.9):
        _bench(canvas, x, 19.9)


def _bench(canvas: Canvas, x: float, z: float) -> None:
    left, foot = _seen(x - 0.5, z)
    right, _ = _seen(x + 0.5, z)
    canvas.box(left, foot - 0.27 / z, right, foot - 0.2 / z, (122, 88, 58))
    for leg in (left + 0.001, right - 0.003):
        canvas.box(leg, foot - 0.22 / z, leg + 0.002, foot, (60, 58, 56))


def _fountain(canvas: Canvas, z: float) -> None:
    """A round basin of stone with water, a pillar in it, a bowl on that, and low jets."""
    stone: Colour = (172, 166, 152)
    _disc(canvas, z, 2.45, 0.0, (148, 144, 134))
    _disc(canvas, z, 2.05, 0.0, shaded(stone, 0.66))
    for step in range(8):
        _disc(canvas, z, 2.0, 0.04 * step, shaded(stone, 0.74))
    _disc(canvas, z, 2.0, 0.32, shaded(stone, 1.08))
    _disc(canvas, z, 1.78, 0.32, shaded(stone, 0.6))
    _disc(canvas, z, 1.75, 0.24, (92, 134, 150))
    _disc(canvas, z, 1.2, 0.24, (104, 148, 164))
    _disc(canvas, z, 0.7, 0.24, (134, 174, 186))
    x, foot = _seen(0, z)
    canvas.box(x - 0.16 / z / ASPECT, foot - 0.95 / z, x + 0.16 / z / ASPECT, foot - 0.2 / z, stone)
    canvas.box(x, foot - 0.95 / z, x + 0.16 / z / ASPECT, foot - 0.2 / z, shaded(stone, 0.8))
    _disc(canvas, z, 0.68, 0.86, shaded(stone, 0.76))
    _disc(canvas, z, 0.68, 0.95, shaded(stone, 1.06))
    _disc(canvas, z, 0.56, 0.94, (150, 186, 196))
    for i in range(12):
        angle = 2 * math.pi * i / 12
        start, end = 0.6, 1.15
        points = []
        for step in range(9):
            share = step / 8
            r = start + (end - start) * share
            away = z + r * math.sin(angle)
            px, py = _seen(r * math.cos(angle), away)
            points.append((px, py - (0.97 - 0.72 * share * share + 0.12 * share) / away))
        for (x0, y0), (x1, y1) in pairwise(points):
            canvas.line(x0, y0, x1, y1, (206, 222, 228), 0.0022)
