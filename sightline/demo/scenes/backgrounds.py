"""The places as their cameras see them, drawn in daylight: ground in perspective, walls,
markings, furniture. What wide cameras see is in :mod:`sightline.demo.scenes.overviews`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from sightline.demo.scenes.canvas import SUPERSAMPLE, Canvas, FloatImage
from sightline.demo.scenes.overviews import car_park_roof, square
from sightline.demo.scenes.scenes import Place, Weather
from sightline.demo.scenes.sprites import Colour, shaded


def _sky(canvas: Canvas, colour: Colour) -> None:
    canvas.box(0, 0, 1, 1, colour)


def _buildings(canvas: Canvas) -> None:
    x = -0.05
    while x < 1.05:
        width, top = canvas.between(0.12, 0.32), canvas.between(-0.1, canvas.horizon - 0.1)
        wall = canvas.grey(95, 165, canvas.between(-4, 14))
        canvas.box(x, top, x + width, canvas.horizon + 0.03, wall)
        step = canvas.between(0.035, 0.06)
        glass = shaded(wall, canvas.between(0.5, 0.75))
        row = max(top, 0) + 0.02
        while row < canvas.horizon - 0.03:
            column = x + 0.012
            while column < x + width - 0.02:
                canvas.box(column, row, column + step * 0.5, row + 0.035, glass)
                column += step
            row += 0.065
        x += width


def _trees(canvas: Canvas, base: float, colour: Colour) -> None:
    for _ in range(int(canvas.rng.integers(10, 22))):
        x, r = canvas.between(0, 1), canvas.between(0.03, 0.09)
        shade = shaded(colour, canvas.between(0.7, 1.2))
        canvas.draw.ellipse(
            (
                (x - r) * canvas.width,
                (base - r * 2.2) * canvas.height,
                (x + r) * canvas.width,
                (base + r * 0.5) * canvas.height,
            ),
            fill=shade,
        )


def _lamp_post(canvas: Canvas, x: float) -> None:
    colour = canvas.grey(50, 90)
    foot = canvas.between(0.38, 0.5)
    canvas.line(x, foot, x, 0.02, colour, 0.014)
    canvas.line(x, 0.03, x + canvas.between(-0.07, 0.07), 0.025, colour, 0.012)


def _junction(canvas: Canvas) -> None:
    _sky(canvas, canvas.grey(175, 215, -6))
    _buildings(canvas)
    pavement, road = canvas.grey(140, 170, 4), canvas.grey(82, 108)
    canvas.box(0, canvas.horizon, 1, 1, pavement)
    canvas.quad(-3, 3, -0.2, canvas.between(0.62, 0.72), road)
    shift = canvas.between(-0.5, 0.5)
    canvas.quad(shift - 0.45, shift + 0.45, 0.3, 1.0, road)
    white = canvas.grey(190, 220)
    for i in range(-8, 9):
        canvas.quad(i * 0.3, i * 0.3 + 0.14, 0.28, 0.295, white)
    side = 1 if canvas.rng.random() < 0.5 else -1
    for i in range(7):
        left = shift + side * 0.62 + side * i * 0.13
        canvas.quad(left, left + 0.065, 0.04, 0.22, white)
    for i in range(6):
        canvas.quad(shift - 0.015, shift + 0.015, 0.72 + i * 0.05, 0.74 + i * 0.05, white)
    canvas.quad(-3, 3, 0.635, 0.65, shaded(pavement, 0.72))
    _lamp_post(canvas, canvas.between(0.05, 0.95))
    x = canvas.between(0.05, 0.95)
    canvas.line(x, 0.46, x, 0.12, (40, 42, 40), 0.012)
    canvas.box(x - 0.012, 0.09, x + 0.012, 0.19, (30, 32, 30))


def _car_park(canvas: Canvas) -> None:
    _sky(canvas, canvas.grey(170, 215, -6))
    if canvas.rng.random() < 0.5:
        _buildings(canvas)
    _trees(canvas, canvas.horizon, (62, 82, 54))
    asphalt = canvas.grey(92, 124)
    canvas.box(0, canvas.horizon, 1, 1, asphalt)
    canvas.box(0, canvas.horizon - 0.02, 1, canvas.horizon + 0.02, canvas.grey(100, 140, 5))
    white = canvas.grey(185, 215)
    pitch, shift = canvas.between(0.32, 0.5), canvas.between(-0.2, 0.2)
    for i in range(-7, 8):
        x = i * pitch + shift
        canvas.quad(x, x + 0.022, 0.5, 0.86, white)
        canvas.quad(x, x + 0.022, -0.1, 0.2, white)
    canvas.quad(-3, 3, 0.86, 0.872, white)
    for x in (canvas.between(0.05, 0.4), canvas.between(0.6, 0.95)):
        _lamp_post(canvas, x)


def _gate(canvas: Canvas) -> None:
    _sky(canvas, canvas.grey(170, 210, -4))
    _trees(canvas, canvas.horizon - 0.04, (58, 76, 50))
    wall = canvas.grey(120, 165, canvas.between(0, 16))
    top = canvas.horizon - canvas.between(0.1, 0.18)
    middle, half = canvas.between(0.38, 0.62), canvas.between(0.16, 0.24)
    canvas.box(0, canvas.horizon, 1, 1, canvas.grey(120, 150, 6))
    canvas.box(0, top, middle - half, canvas.horizon + 0.07, wall)
    canvas.box(middle + half, top, 1, canvas.horizon + 0.07, wall)
    for i in range(1, 5):
        y = top + i * 0.05
        canvas.line(0, y, middle - half, y, shaded(wall, 0.86), 0.006)
        canvas.line(middle + half, y, 1, y, shaded(wall, 0.86), 0.006)
    road = canvas.grey(88, 112)
    y0 = canvas.horizon + 0.02
    canvas.polygon(
        (
            (middle - half, y0),
            (middle + half, y0),
            (middle + half * 2.8, 1),
            (middle - half * 2.8, 1),
        ),
        road,
    )
    pillar = shaded(wall, 0.8)
    for x in (middle - half, middle + half):
        canvas.box(x - 0.025, top - 0.06, x + 0.025, canvas.horizon + 0.09, pillar)
    # A boom of red and white, raised or across.
    x0, y0 = middle - half, canvas.horizon + 0.04
    x1 = middle + half * 0.9
    y1 = y0 if canvas.rng.random() < 0.6 else y0 - canvas.between(0.15, 0.25)
    for i in range(8):
        a, b = i / 8, (i + 1) / 8
        colour: Colour = (190, 60, 56) if i % 2 else (214, 214, 210)
        canvas.line(
            x0 + (x1 - x0) * a,
            y0 + (y1 - y0) * a,
            x0 + (x1 - x0) * b,
            y0 + (y1 - y0) * b,
            colour,
            0.018,
        )
    hut = middle + half + canvas.between(0.05, 0.16)
    canvas.box(
        hut, canvas.horizon - 0.12, hut + 0.15, canvas.horizon + 0.12, canvas.grey(150, 190, 8)
    )
    canvas.box(hut + 0.02, canvas.horizon - 0.08, hut + 0.13, canvas.horizon + 0.01, (62, 76, 88))


def _loading_dock(canvas: Canvas) -> None:
    wall = canvas.grey(125, 175, canvas.between(-6, 12))
    _sky(canvas, wall)
    edge = canvas.horizon + 0.14
    for i in range(26):
        x = i / 25
        canvas.line(x, 0, x, edge, shaded(wall, 0.94), 0.005)
    canvas.box(0, edge - 0.07, 1, edge, canvas.grey(85, 110))
    canvas.box(0, edge, 1, 1, canvas.grey(125, 155, 3))
    doors = int(canvas.rng.integers(2, 4))
    shutter = canvas.grey(165, 205, canvas.between(-8, 4))
    for i in range(doors):
        x = (i + 0.5) / doors + canvas.between(-0.03, 0.03)
        half = 0.13 if doors == 3 else 0.17
        canvas.box(x - half - 0.015, 0.0, x + half + 0.015, edge - 0.06, (66, 66, 68))
        opened = canvas.rng.random() < 0.25
        canvas.box(x - half, 0.0, x + half, edge - 0.07, (38, 38, 42) if opened else shutter)
        if not opened:
            for j in range(7):
                y = j * edge / 8
                canvas.line(x - half, y, x + half, y, shaded(shutter, 0.84), 0.008)
        for side in (-1, 1):
            canvas.box(
                x + side * (half + 0.015) - 0.01,
                edge - 0.1,
                x + side * (half + 0.015) + 0.01,
                edge,
                (30, 30, 30),
            )
    for i in range(24):
        colour: Colour = (206, 178, 60) if i % 2 else (44, 44, 44)
        canvas.box(i / 24, edge - 0.018, (i + 1) / 24, edge, colour)
    for i in range(-3, 4):
        canvas.quad(i * 0.55 - 0.015, i * 0.55 + 0.015, 0.0, 0.52, canvas.grey(185, 205, 14))


def _shop_aisle(canvas: Canvas) -> None:
    _sky(canvas, canvas.grey(200, 225, 4))
    middle = canvas.between(0.42, 0.58)
    floor = canvas.grey(165, 205, 5)
    far = canvas.horizon + 0.08
    canvas.box(0, far, 1, 1, floor)
    for i in range(-9, 10):
        canvas.line(middle + i * 0.045, far, middle + i * 0.32, 1, shaded(floor, 0.9), 0.005)
    y = far
    while y < 1:
        canvas.line(0, y, 1, y, shaded(floor, 0.9), 0.005)
        y += 0.02 + (y - far) * 0.28
    for side in (-1, 1):
        inner, outer = middle + side * 0.14, middle + side * 0.62
        for shelf in range(5):
            a0, a1 = 0.05 + shelf * 0.062, 0.05 + (shelf + 1) * 0.062
            b0, b1 = -0.35 + shelf * 0.22, -0.35 + (shelf + 1) * 0.22
            canvas.polygon(
                ((inner, a0), (inner, a1), (outer, b1), (outer, b0)), canvas.grey(85, 115)
            )
            for i in range(14):
                s, t = i / 14, (i + 0.82) / 14
                hue = canvas.rng.integers(80, 190, 3)
                pale = hue * 0.45 + hue.mean() * 0.55
                colour = (int(pale[0]), int(pale[1]), int(pale[2]))
                x0, x1 = inner + (outer - inner) * s, inner + (outer - inner) * t
                lift = 0.3 * canvas.between(0.5, 1)
                u0, v0 = a0 + (b0 - a0) * s, a1 + (b1 - a1) * s
                u1, v1 = a0 + (b0 - a0) * t, a1 + (b1 - a1) * t
                canvas.polygon(
                    (
                        (x0, u0 + (v0 - u0) * lift),
                        (x0, v0 - 0.004),
                        (x1, v1 - 0.004),
                        (x1, u1 + (v1 - u1) * lift),
                    ),
                    colour,
                )
    canvas.box(middle - 0.14, 0.05, middle + 0.14, far, canvas.grey(150, 190, 8))
    for i in range(3):
        canvas.box(
            middle - 0.06 - i * 0.05,
            0.015 - i * 0.004,
            middle + 0.06 + i * 0.05,
            0.025,
            (250, 250, 246),
        )


def _snow_field(canvas: Canvas) -> None:
    _sky(canvas, canvas.grey(190, 222, -5))
    _trees(canvas, canvas.horizon - 0.01, (66, 78, 74))
    snow = canvas.grey(212, 232, -4)
    canvas.box(0, canvas.horizon, 1, 1, snow)
    for _ in range(5):
        y = canvas.between(canvas.horizon, 1)
        slope = canvas.between(-0.08, 0.08)
        canvas.line(
            -0.1,
            y - slope,
            1.1,
            y + slope,
            shaded(snow, canvas.between(0.93, 0.98)),
            canvas.between(0.01, 0.05),
        )
    base, pitch = canvas.horizon + canvas.between(0.03, 0.08), canvas.between(0.07, 0.12)
    for i in range(16):
        x = i * pitch
        canvas.line(x, base, x, base - 0.09, (104, 92, 80), 0.012)
    canvas.line(0, base - 0.06, 1, base - 0.06, (120, 108, 96), 0.007)
    x = canvas.between(0.1, 0.9)
    for i in range(22):
        x += canvas.between(-0.02, 0.03)
        y = canvas.horizon + 0.06 + i * 0.032
        canvas.box(x, y, x + 0.008 + i * 0.0006, y + 0.008, shaded(snow, 0.84))


_PLACES: dict[Place, Callable[[Canvas], None]] = {
    "junction": _junction,
    "car_park": _car_park,
    "gate": _gate,
    "loading_dock": _loading_dock,
    "shop_aisle": _shop_aisle,
    "snow_field": _snow_field,
    "car_park_roof": car_park_roof,
    "square": square,
}


def smooth_noise(rng: np.random.Generator, width: int, height: int, cells: int) -> FloatImage:
    """Soft patches as float32 (height, width) around 0 with unit-like spread, about ``cells``
    patches across.
    """
    rows = max(2, cells * height // width)
    coarse = rng.standard_normal((rows, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def draw_background(
    place: Place, weather: Weather, width: int, height: int, seed: int
) -> FloatImage:
    """The place in daylight with nothing in it: RGB float32 (height, width, 3), 0 to 255.

    Rain darkens the ground; falling snow has whitened it.
    """
    rng = np.random.default_rng((seed, 11))
    canvas = Canvas(width, height, rng)
    _PLACES[place](canvas)
    image = canvas.image.reduce(SUPERSAMPLE)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(height / 90 * 0.4))
    pixels = np.asarray(image, dtype=np.float32).copy()
    texture = (
        1
        + 0.05 * smooth_noise(rng, width, height, 12)
        + 0.03 * smooth_noise(rng, width, height, 48)
    )
    pixels *= texture[..., None]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    ground = np.clip((down - canvas.horizon - 0.02) * 14, 0, 1)
    if weather == "rain":
        pixels *= 1 - 0.22 * ground
        pixels = pixels * 0.86 + pixels.mean() * 0.12
    elif weather == "snow" and place != "snow_field":
        cover = ground * np.clip(
            0.78 + 0.25 * smooth_noise(rng, width, height, 10)[..., None], 0.35, 0.95
        )
        pixels = pixels * (1 - cover) + np.float32(222) * cover
        pixels = pixels * 0.85 + np.float32(200) * 0.15
    return pixels
