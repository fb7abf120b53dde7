"""Cars, taxis, vans, pick-ups, buses and lorries, seen from the side with a strip of roof, and what
is lettered on them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sightline.demo.scenes.scenes import VEHICLE_EXTENT, Vehicle
from sightline.demo.scenes.sprites import PALETTE, Colour, Pen, Sprite, lit, reduced, shaded, tinted

GLASS: Colour = (52, 66, 82)
TYRE: Colour = (24, 24, 26)
LAMP: Colour = (250, 244, 214)
TAIL: Colour = (190, 26, 26)

HEADLAMP: dict[str, tuple[float, float]] = {
    "car": (1.0, 0.34),
    "taxi": (1.0, 0.34),
    "van": (1.12, 0.4),
    "pickup": (1.2, 0.42),
    "bus": (1.8, 0.34),
    "lorry": (1.66, 0.36),
}
"""Where the headlamp is when facing right: units from the middle of the vehicle, and above the
ground.
"""


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, which lettering needs")
    return font


@lru_cache(maxsize=128)
def _word(text: str, size: int) -> Image.Image:
    """The word as an 8-bit mask cropped to its ink, in a heavy face."""
    font = _font(size)
    stroke = max(1, round(size * 0.05))
    box = font.getbbox(text, stroke_width=stroke)
    mask = Image.new("L", (int(box[2] - box[0]) + 2, int(box[3] - box[1]) + 2), 0)
    ImageDraw.Draw(mask).text(
        (1 - box[0], 1 - box[1]), text, fill=255, font=font, stroke_width=stroke
    )
    return mask


def _letter(
    pen: Pen, text: str, left: float, bottom: float, right: float, top: float, colour: Colour
) -> None:
    """Writes ``text`` as large as fits into the box given in units."""
    x0, y0 = pen.at((left, top))
    x1, y1 = pen.at((right, bottom))
    room_x, room_y = int(x1 - x0), int(y1 - y0)
    if room_x < 4 or room_y < 4:
        return
    mask = _word(text, 64)
    ratio = min(room_x / mask.width, room_y / mask.height)
    width, height = max(2, int(mask.width * ratio)), max(2, int(mask.height * ratio))
    # Short words may be stretched: a lettered side reads from a distance.
    width = min(room_x, int(width * 1.25))
    mask = mask.resize((width, height), 2)
    ink = Image.new("RGBA", (width, height), (*colour, 255))
    pen.image.paste(ink, (int(x0 + (room_x - width) / 2), int(y0 + (room_y - height) / 2)), mask)


def _ink(body: Colour) -> Colour:
    """A colour for letters that stands out from the body."""
    light = 0.3 * body[0] + 0.59 * body[1] + 0.11 * body[2]
    return (24, 28, 58) if light > 140 else (244, 244, 240)


def _wheels(pen: Pen, centres: tuple[float, ...], radius: float) -> None:
    for x in centres:
        pen.arch((x, radius), radius * 1.2, radius * 1.28, (30, 30, 32))
        pen.disc((x, radius), radius, radius, TYRE)
        pen.disc((x, radius), radius * 0.56, radius * 0.56, (134, 136, 140))
        pen.disc((x, radius), radius * 0.2, radius * 0.2, (70, 70, 72))


def _car(pen: Pen, body: Colour, taxi: bool) -> None:
    roof = 0.76
    pen.polygon(((-0.62, 0.46), (-0.4, roof), (0.24, roof), (0.56, 0.46)), shaded(body, 0.94))
    pen.polygon(
        ((-0.4, roof), (-0.3, roof + 0.045), (0.2, roof + 0.045), (0.24, roof)),
        shaded(body, 1.12, 8),
    )
    pen.polygon(((-0.52, 0.47), (-0.36, roof - 0.05), (-0.08, roof - 0.05), (-0.08, 0.47)), GLASS)
    pen.polygon(
        ((-0.03, 0.47), (-0.03, roof - 0.05), (0.22, roof - 0.05), (0.46, 0.47)),
        shaded(GLASS, 1.15),
    )
    pen.polygon(
        (
            (-1.06, 0.2),
            (-1.06, 0.44),
            (-0.98, 0.5),
            (-0.6, 0.51),
            (0.56, 0.5),
            (0.98, 0.43),
            (1.06, 0.36),
            (1.07, 0.17),
            (0.95, 0.13),
            (-0.98, 0.13),
        ),
        body,
    )
    pen.box(-1.04, 0.13, 1.05, 0.19, shaded(body, 0.55))
    pen.limb(((-0.95, 0.46), (0.95, 0.42)), 0.022, shaded(body, 1.2, 14))
    pen.limb(((-0.06, 0.47), (-0.06, 0.2)), 0.014, shaded(body, 0.6))
    pen.box(0.96, 0.31, 1.06, 0.39, LAMP)
    pen.box(-1.06, 0.34, -0.99, 0.44, TAIL)
    if taxi:
        for i in range(14):
            if i % 2 == 0:
                left = -0.9 + i * 0.125
                pen.box(
                    left,
                    0.29,
                    left + 0.125,
                    0.35,
                    (24, 24, 24) if sum(body) > 300 else (236, 236, 232),
                )
                pen.box(
                    left + 0.125,
                    0.23,
                    left + 0.25,
                    0.29,
                    (24, 24, 24) if sum(body) > 300 else (236, 236, 232),
                )
        pen.box(-0.27, roof + 0.035, 0.17, roof + 0.2, (252, 232, 120), 0.02)
    _wheels(pen, (-0.66, 0.66), 0.185)


def _van(pen: Pen, body: Colour) -> None:
    pen.polygon(
        (
            (-1.16, 0.16),
            (-1.16, 1.1),
            (-1.1, 1.16),
            (0.52, 1.16),
            (0.66, 1.1),
            (0.92, 0.64),
            (1.14, 0.56),
            (1.18, 0.18),
        ),
        body,
    )
    pen.polygon(((-1.14, 1.12), (-1.06, 1.2), (0.5, 1.2), (0.62, 1.12)), shaded(body, 1.12, 8))
    pen.polygon(((0.42, 0.64), (0.42, 1.02), (0.62, 1.02), (0.84, 0.64)), GLASS)
    pen.box(-1.14, 0.14, 1.16, 0.21, shaded(body, 0.5))
    pen.limb(((0.36, 1.1), (0.36, 0.22)), 0.014, shaded(body, 0.7))
    pen.box(1.07, 0.36, 1.17, 0.47, LAMP)
    pen.box(-1.17, 0.4, -1.12, 0.62, TAIL)
    _wheels(pen, (-0.72, 0.74), 0.2)


def _pickup(pen: Pen, body: Colour) -> None:
    pen.polygon(((-0.12, 0.55), (-0.06, 0.88), (0.46, 0.88), (0.7, 0.55)), shaded(body, 0.95))
    pen.polygon(((-0.06, 0.88), (0.0, 0.93), (0.42, 0.93), (0.46, 0.88)), shaded(body, 1.12, 8))
    pen.polygon(((-0.05, 0.57), (0.0, 0.82), (0.44, 0.82), (0.61, 0.57)), GLASS)
    pen.polygon(
        ((-1.24, 0.24), (-1.24, 0.6), (-0.12, 0.6), (0.7, 0.58), (1.18, 0.52), (1.25, 0.24)), body
    )
    pen.polygon(((-1.22, 0.6), (-1.14, 0.68), (-0.14, 0.68), (-0.14, 0.6)), (50, 50, 52))
    pen.box(-1.24, 0.2, 1.24, 0.27, shaded(body, 0.5))
    pen.limb(((-0.14, 0.62), (-0.14, 0.26)), 0.02, shaded(body, 0.6))
    pen.box(1.14, 0.38, 1.25, 0.48, LAMP)
    pen.box(-1.25, 0.42, -1.2, 0.56, TAIL)
    _wheels(pen, (-0.76, 0.78), 0.22)


def _bus(pen: Pen, body: Colour) -> None:
    pen.box(-1.84, 0.16, 1.84, 1.34, body, 0.07)
    pen.polygon(((-1.8, 1.32), (-1.72, 1.42), (1.72, 1.42), (1.8, 1.32)), shaded(body, 1.12, 8))
    for i in range(6):
        left = -1.74 + i * 0.5
        pen.box(left, 0.72, left + 0.42, 1.16, shaded(GLASS, 0.9 + 0.06 * (i % 3)))
    pen.box(1.3, 0.26, 1.58, 1.16, shaded(GLASS, 1.1))
    pen.box(1.66, 0.66, 1.83, 1.18, GLASS)
    pen.box(-1.84, 0.15, 1.84, 0.23, shaded(body, 0.5))
    pen.box(1.76, 0.29, 1.85, 0.4, LAMP)
    pen.box(-1.85, 0.35, -1.79, 0.55, TAIL)
    _wheels(pen, (-1.1, 1.0), 0.215)


def _lorry(pen: Pen, body: Colour) -> None:
    pen.box(-1.68, 0.2, 1.5, 0.36, (48, 48, 50))
    pen.polygon(
        ((0.92, 0.22), (0.92, 1.24), (1.44, 1.24), (1.62, 0.84), (1.68, 0.74), (1.68, 0.22)),
        shaded(body, 0.9),
    )
    pen.polygon(((1.2, 0.78), (1.2, 1.12), (1.42, 1.12), (1.55, 0.78)), GLASS)
    pen.box(1.6, 0.3, 1.69, 0.42, LAMP)
    pen.box(-1.7, 0.36, 0.84, 1.48, body)
    pen.polygon(((-1.7, 1.48), (-1.6, 1.58), (0.78, 1.58), (0.84, 1.48)), shaded(body, 1.15, 10))
    pen.limb(((-1.69, 0.38), (0.83, 0.38)), 0.03, shaded(body, 0.6))
    pen.box(-1.7, 0.26, -1.62, 0.36, TAIL)
    _wheels(pen, (-1.3, -0.86, 1.22), 0.22)


def draw_vehicle(vehicle: Vehicle, height_px: float, supersample: int = 3) -> Sprite:
    """The vehicle drawn beside a person of ``height_px`` pixels; lettering always reads from left
    to right.
    """
    rng = np.random.default_rng(vehicle.look)
    body = tinted(PALETTE[vehicle.colour], rng)
    width, height = VEHICLE_EXTENT[vehicle.kind]
    pen = Pen(width + 0.06, height + 0.12, height_px * supersample)
    if vehicle.kind in ("car", "taxi"):
        _car(pen, body, vehicle.kind == "taxi")
    elif vehicle.kind == "van":
        _van(pen, body)
    elif vehicle.kind == "pickup":
        _pickup(pen, body)
    elif vehicle.kind == "bus":
        _bus(pen, body)
    else:
        _lorry(pen, body)
    facing = vehicle.at.facing
    if facing < 0:
        pen.image = pen.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pen.origin = (pen.image.width - pen.origin[0], pen.origin[1])
        pen.draw = ImageDraw.Draw(pen.image)
    if vehicle.kind == "taxi":
        left, right = sorted((-0.25 * facing, 0.15 * facing))
        _letter(pen, "TAXI", left, 0.81, right, 0.95, (20, 20, 20))
    if vehicle.lettering and vehicle.kind == "van":
        left, right = sorted((-1.08 * facing, 0.3 * facing))
        _letter(pen, vehicle.lettering, left, 0.46, right, 1.0, _ink(body))
    elif vehicle.lettering:
        left, right = sorted((-1.6 * facing, 0.76 * facing))
        _letter(pen, vehicle.lettering, left, 0.56, right, 1.36, _ink(body))
    image = lit(reduced(pen.image, supersample), rng, 1.18, 0.72)
    return Sprite(image, (pen.origin[0] / supersample, pen.origin[1] / supersample))
