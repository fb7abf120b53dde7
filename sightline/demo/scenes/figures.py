"""People, the bicycles and motorcycles they ride, and dogs."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from sightline.demo.scenes.scenes import Dog, Person
from sightline.demo.scenes.sprites import (
    PALETTE,
    SKIN,
    Colour,
    Pen,
    Point,
    Sprite,
    lit,
    reduced,
    shaded,
    tinted,
)

DARK: Colour = (38, 38, 42)
METAL: Colour = (92, 94, 98)


def _joint(start: Point, angle: float, length: float) -> Point:
    """End of a bone that hangs down from ``start``, swung forwards by ``angle`` radians."""
    return start[0] + math.sin(angle) * length, start[1] - math.cos(angle) * length


def _leg(pen: Pen, hip: Point, swing: float, bend: float, colour: Colour, shoe: Colour) -> None:
    knee = _joint(hip, swing, 0.235)
    foot = _joint(knee, swing - bend, 0.225)
    pen.limb((hip, knee, foot), 0.092, colour)
    pen.limb((foot, (foot[0] + 0.055, foot[1] - 0.005)), 0.05, shoe)


def _arm(
    pen: Pen, shoulder: Point, swing: float, bend: float, sleeve: Colour, skin: Colour
) -> Point:
    elbow = _joint(shoulder, swing, 0.165)
    hand = _joint(elbow, swing + bend, 0.15)
    pen.limb((shoulder, elbow, hand), 0.072, sleeve)
    pen.disc(hand, 0.034, 0.034, skin)
    return hand


def _head(pen: Pen, neck: Point, person: Person, skin: Colour, hair: Colour, helmet: bool) -> None:
    x, y = neck[0], neck[1] + 0.085
    pen.disc((x, y), 0.066, 0.08, skin)
    if helmet:
        pen.disc((x - 0.004, y + 0.008), 0.086, 0.094, (44, 46, 52))
        pen.box(x + 0.01, y - 0.02, x + 0.082, y + 0.03, (150, 170, 186))
    elif person.hat:
        colour = PALETTE[person.hat]
        pen.arch((x, y + 0.012), 0.086, 0.112, colour)
        pen.box(x - 0.09, y + 0.0, x + 0.135, y + 0.032, shaded(colour, 0.85))
    else:
        pen.arch((x - 0.006, y + 0.012), 0.074, 0.082, hair)
        pen.box(x - 0.08, y - 0.03, x - 0.03, y + 0.02, hair)


def _torso(pen: Pen, hip: Point, neck: Point, width: float, colour: Colour) -> None:
    dx, dy = neck[0] - hip[0], neck[1] - hip[1]
    norm = math.hypot(dx, dy)
    nx, ny = dy / norm, -dx / norm
    low, high = width * 0.44, width * 0.5
    pen.polygon(
        (
            (hip[0] - nx * low, hip[1] - ny * low - 0.02),
            (hip[0] + nx * low, hip[1] + ny * low - 0.02),
            (neck[0] + nx * high, neck[1] + ny * high - 0.02),
            (neck[0] + nx * 0.04, neck[1] + ny * 0.04 + 0.01),
            (neck[0] - nx * 0.04, neck[1] - ny * 0.04 + 0.01),
            (neck[0] - nx * high, neck[1] - ny * high - 0.02),
        ),
        colour,
    )


def _on_foot(
    pen: Pen,
    person: Person,
    rng: np.random.Generator,
    colours: tuple[Colour, Colour, Colour, Colour],
) -> None:
    top, trousers, skin, hair = colours
    shoe = shaded(DARK, 0.9)
    cycle = math.sin(person.at.phase * 2 * math.pi)
    running, walking = person.action == "running", person.action == "walking"
    lean = 0.22 if running else 0.05 if walking else 0.0
    stride = 0.95 if running else 0.45 if walking else 0.07
    width = 0.25 if running or walking else 0.29
    lift = 0.03 * abs(cycle) if running else 0.0
    swing = stride * (cycle if abs(cycle) > 0.35 else math.copysign(0.35, cycle))
    hip = (0.0, 0.475 + lift - (0.03 if running else 0.0))
    neck = (math.sin(lean) * 0.36, hip[1] + math.cos(lean) * 0.345)
    shoulder = (neck[0], neck[1] - 0.045)
    back = (
        (shoulder[0] - 0.02, shoulder[1])
        if running or walking
        else (shoulder[0] - width / 2, shoulder[1])
    )
    fore = (
        (shoulder[0] + 0.02, shoulder[1])
        if running or walking
        else (shoulder[0] + width / 2, shoulder[1])
    )
    spread = 0.0 if running or walking else 0.055
    bend = 1.3 if running else 0.25 if walking else 0.06
    far = shaded(top, 0.72)
    _arm(pen, back, -swing * 0.95, bend if running else 0.2, far, skin)
    back_bend = 1.25 if running else 0.35 if walking else 0.02
    _leg(pen, (hip[0] - spread, hip[1]), -abs(swing) * 0.8, back_bend, shaded(trousers, 0.75), shoe)
    _leg(pen, (hip[0] + spread, hip[1]), abs(swing), 0.75 if running else 0.1, trousers, shoe)
    if person.bag:
        bag = shaded((84, 62, 44), float(rng.uniform(0.7, 1.4)))
        if running or walking:
            pen.box(
                shoulder[0] - 0.27,
                shoulder[1] - 0.25,
                shoulder[0] - 0.08,
                shoulder[1] + 0.03,
                bag,
                0.04,
            )
        else:
            pen.box(fore[0] - 0.02, 0.2, fore[0] + 0.19, 0.39, bag, 0.02)
    _torso(pen, hip, neck, width, top)
    pen.box(
        hip[0] - width * 0.42,
        hip[1] - 0.03,
        hip[0] + width * 0.42,
        hip[1] + 0.02,
        shaded(trousers, 0.9),
    )
    _head(pen, neck, person, skin, hair, helmet=False)
    if person.umbrella:
        hand = _arm(pen, fore, 0.5, 1.9, shaded(top, 0.88), skin)
        colour = PALETTE[person.umbrella]
        crown = (hand[0] - 0.05, neck[1] + 0.17)
        pen.limb((hand, (crown[0], crown[1] + 0.2)), 0.02, DARK)
        pen.arch(crown, 0.33, 0.25, colour)
        for side in (-0.17, 0.0, 0.17):
            pen.limb(
                ((crown[0] + side, crown[1]), (crown[0] + side * 0.3, crown[1] + 0.23)),
                0.012,
                shaded(colour, 0.7),
            )
    else:
        _arm(pen, fore, swing * 0.95, bend, shaded(top, 0.88), skin)


def _wheel(pen: Pen, centre: Point, radius: float, tyre: float) -> None:
    pen.ring(centre, radius, tyre, (24, 24, 26))
    pen.ring(centre, radius - tyre, 0.012, METAL)
    pen.disc(centre, 0.026, 0.026, METAL)


def _riding(
    pen: Pen,
    person: Person,
    rng: np.random.Generator,
    colours: tuple[Colour, Colour, Colour, Colour],
) -> None:
    top, trousers, skin, hair = colours
    shoe = shaded(DARK, 0.9)
    turn = person.at.phase * 2 * math.pi
    motor = person.action == "motorcycle"
    if motor:
        body = shaded((58, 60, 66), float(rng.uniform(0.7, 1.3)))
        for x in (-0.33, 0.33):
            pen.disc((x, 0.145), 0.145, 0.145, (24, 24, 26))
            pen.disc((x, 0.145), 0.075, 0.075, (120, 122, 126))
        pen.limb(((0.33, 0.145), (0.23, 0.45)), 0.045, METAL)
        pen.box(-0.2, 0.12, 0.16, 0.28, (70, 70, 72), 0.03)
        pen.limb(((-0.42, 0.17), (0.02, 0.13)), 0.05, (170, 170, 172))
        pen.polygon(
            ((-0.46, 0.4), (-0.3, 0.26), (0.2, 0.26), (0.26, 0.43), (0.1, 0.47), (-0.08, 0.38)),
            body,
        )
        pen.disc((0.31, 0.42), 0.05, 0.05, (236, 230, 200))
        hip, grip, crank = (-0.13, 0.47), (0.2, 0.55), (-0.02, 0.2)
        lean, reach = 0.22, 0.0
    else:
        frame = shaded((70, 72, 78), float(rng.uniform(0.6, 1.5)))
        _wheel(pen, (-0.3, 0.18), 0.18, 0.03)
        _wheel(pen, (0.3, 0.18), 0.18, 0.03)
        crank = (-0.03, 0.18)
        pen.limb(((-0.3, 0.18), crank, (0.22, 0.42), (-0.11, 0.42), (-0.3, 0.18)), 0.026, frame)
        pen.limb((crank, (-0.13, 0.48)), 0.026, frame)
        pen.limb(((0.3, 0.18), (0.2, 0.52), (0.26, 0.54)), 0.026, frame)
        pen.box(-0.2, 0.46, -0.06, 0.5, DARK, 0.015)
        hip, grip, lean, reach = (-0.13, 0.51), (0.25, 0.55), 0.42, 0.09
    neck = (hip[0] + math.sin(lean) * 0.36, hip[1] + math.cos(lean) * 0.35)
    shoulder = (neck[0] - 0.01, neck[1] - 0.045)
    for side, shade in ((math.pi, 0.75), (0.0, 1.0)):
        foot = (
            crank[0] + math.cos(turn + side) * reach,
            crank[1] + 0.02 + math.sin(turn + side) * reach,
        )
        knee = ((hip[0] + foot[0]) / 2 + 0.15, (hip[1] + foot[1]) / 2 + 0.06)
        pen.limb((hip, knee, foot), 0.09, shaded(trousers, shade))
        pen.limb((foot, (foot[0] + 0.06, foot[1])), 0.045, shoe)
    _torso(pen, hip, neck, 0.245, top)
    elbow = ((shoulder[0] + grip[0]) / 2 + 0.0, (shoulder[1] + grip[1]) / 2 - 0.045)
    pen.limb((shoulder, elbow, grip), 0.068, shaded(top, 0.85))
    pen.disc(grip, 0.034, 0.034, skin)
    _head(pen, (neck[0] + 0.015, neck[1] - 0.01), person, skin, hair, helmet=motor)


def draw_person(person: Person, height_px: float, supersample: int = 3) -> Sprite:
    """The person, ``height_px`` pixels tall when standing; fallen people lie along the ground."""
    rng = np.random.default_rng(person.look)
    hair = ((40, 28, 22), (74, 50, 30), (22, 20, 20), (150, 120, 70))[int(rng.integers(4))]
    skin = SKIN[int(rng.integers(len(SKIN)))]
    colours = (tinted(PALETTE[person.top], rng), tinted(PALETTE[person.trousers], rng), skin, hair)
    riding = person.action in ("bicycle", "motorcycle")
    pen = Pen(1.2, 1.34, height_px * supersample)
    if riding:
        _riding(pen, person, rng, colours)
    else:
        _on_foot(pen, person, rng, colours)
    image = pen.image
    anchor = pen.origin
    if person.at.facing < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        anchor = (image.width - anchor[0], anchor[1])
    if person.action == "fallen":
        image = image.rotate(
            (90 + float(rng.uniform(-9, 9))) * person.at.facing,
            expand=True,
            resample=Image.Resampling.BILINEAR,
        )
        box = image.getbbox() or (0, 0, image.width, image.height)
        image = image.crop(box)
        anchor = (image.width / 2, image.height * 0.86)
    image = lit(reduced(image, supersample), rng)
    return Sprite(image, (anchor[0] / supersample, anchor[1] / supersample))


def draw_dog(dog: Dog, height_px: float, supersample: int = 3) -> Sprite:
    """The dog beside a person of ``height_px`` pixels (it stands a little over half as tall)."""
    rng = np.random.default_rng(dog.look)
    coat = tinted(PALETTE[dog.colour], rng)
    if dog.colour == "brown":
        coat = shaded(coat, 1.15)
    far = shaded(coat, 0.72)
    pen = Pen(1.0, 0.66, height_px * supersample)
    cycle = math.sin(dog.at.phase * 2 * math.pi)
    if dog.action == "sitting":
        pen.limb(((-0.2, 0.04), (-0.31, 0.12)), 0.05, coat)
        pen.limb(((0.08, 0.3), (0.1, 0.02)), 0.06, far)
        pen.polygon(((-0.26, 0.02), (-0.05, 0.02), (0.14, 0.34), (0.03, 0.43), (-0.2, 0.22)), coat)
        pen.disc((-0.14, 0.11), 0.13, 0.11, coat)
        pen.limb(((0.06, 0.32), (0.07, 0.02), (0.12, 0.02)), 0.065, coat)
        head = (0.12, 0.48)
    else:
        swing = (0.75 if dog.action == "running" else 0.16) * (
            cycle if abs(cycle) > 0.4 else math.copysign(0.4, cycle)
        )
        for x, sign, colour in (
            (-0.19, -1, far),
            (0.14, 1, far),
            (-0.23, 1, coat),
            (0.18, -1, coat),
        ):
            knee = _joint((x, 0.24), swing * sign, 0.12)
            foot = _joint(knee, swing * sign * 0.7 - (0.1 if x < 0 else 0.0), 0.12)
            pen.limb(((x, 0.24), knee, foot), 0.062, colour)
        pen.limb(((-0.26, 0.34), (-0.4, 0.46 if dog.action == "running" else 0.4)), 0.045, coat)
        pen.disc((0.12, 0.31), 0.15, 0.115, coat)
        pen.disc((-0.02, 0.315), 0.22, 0.1, coat)
        pen.disc((-0.19, 0.31), 0.1, 0.1, coat)
        pen.limb(((0.2, 0.35), (0.29, 0.45)), 0.11, coat)
        head = (0.31, 0.48)
    pen.disc(head, 0.085, 0.075, coat)
    pen.limb((head, (head[0] + 0.12, head[1] - 0.035)), 0.06, shaded(coat, 0.92))
    pen.disc((head[0] + 0.145, head[1] - 0.03), 0.02, 0.018, (20, 18, 18))
    pen.polygon(
        (
            (head[0] - 0.05, head[1] + 0.06),
            (head[0] - 0.075, head[1] - 0.06),
            (head[0] - 0.01, head[1] + 0.01),
        ),
        far,
    )
    image = pen.image
    anchor = pen.origin
    if dog.at.facing < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        anchor = (image.width - anchor[0], anchor[1])
    image = lit(reduced(image, supersample), rng)
    return Sprite(image, (anchor[0] / supersample, anchor[1] / supersample))
