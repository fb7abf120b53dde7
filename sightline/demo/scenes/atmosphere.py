"""Light and weather: what day, dusk and night do to a picture, lamps, headlights, rain and snow."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sightline.demo.scenes.canvas import FloatImage
from sightline.demo.scenes.scenes import Person, Scene, Vehicle
from sightline.demo.scenes.vehicles import HEADLAMP


def sunlight(scene: Scene) -> float:
    """Which way shadows lean (-1 to 1), or 0 where no sun shines."""
    if scene.light == "night" or scene.weather != "clear" or scene.place == "shop_aisle":
        return 0.0
    lean = float(np.random.default_rng((scene.seed, 41)).uniform(-1, 1))
    return lean if abs(lean) > 0.3 else 0.0


def _coordinates(width: int, height: int) -> tuple[FloatImage, FloatImage]:
    xs = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    ys = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    return xs, ys


def light_map(scene: Scene, width: int, height: int) -> FloatImage:
    """What each pixel of a daylight picture is multiplied by: float32 (height, width, 3)."""
    rng = np.random.default_rng((scene.seed, 23))
    xs, ys = _coordinates(width, height)
    if scene.light == "day":
        tint = np.array([1.0, 0.99, 0.98], np.float32) * float(rng.uniform(0.92, 1.08))
        if scene.weather != "clear":
            tint *= np.float32(0.9)
        fall = 1.0 - 0.12 * ((xs - 0.5) ** 2 + (ys - 0.5) ** 2) * 2
        return (fall[..., None] * tint).astype(np.float32)
    if scene.light == "dusk":
        low = np.array([0.66, 0.61, 0.62], np.float32)
        sky = np.array([0.86, 0.62, 0.5], np.float32)
        mix = np.clip((ys - 0.1) * 3, 0, 1)[..., None]
        level = float(rng.uniform(0.88, 1.08))
        return np.broadcast_to((sky * (1 - mix) + low * mix) * level, (height, width, 3)).astype(
            np.float32
        )
    ambient = np.array([0.4, 0.41, 0.47], np.float32) * float(rng.uniform(0.9, 1.15))
    sky = np.clip((ys - 0.05) * 5, 0.28, 1)
    pools = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cx, cy = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.5, 0.95))
        rx, ry = float(rng.uniform(0.2, 0.42)), float(rng.uniform(0.22, 0.42))
        pools += np.exp(-(((xs - cx) / rx) ** 2) - ((ys - cy) / ry) ** 2).astype(np.float32)
        pools += 2.4 * np.exp(-(((xs - cx) / 0.018) ** 2) - ((ys - 0.05) / 0.028) ** 2).astype(
            np.float32
        )
    lamp = np.array([0.52, 0.48, 0.4], np.float32)
    pools = np.minimum(pools, 1.0 + 1.6 * (ys < 0.14))
    lights = ambient * sky[..., None] + pools[..., None] * lamp
    return np.asarray(lights, dtype=np.float32)


def headlights(scene: Scene, width: int, height: int) -> FloatImage | None:
    """Light that vehicles and motorcycles throw: float32 (height, width) grey levels, or None."""
    if scene.light == "day":
        return None
    glow = np.zeros((height, width), np.float32)
    xs, ys = _coordinates(width, height)
    ratio = height / width
    strength = 150.0 if scene.light == "night" else 70.0
    for thing in scene.things:
        at = thing.at
        if isinstance(thing, Vehicle):
            dx, dy = HEADLAMP[thing.kind]
        elif isinstance(thing, Person) and thing.action == "motorcycle":
            dx, dy = 0.34, 0.42
        else:
            continue
        cx, cy = at.x + at.facing * dx * at.size * ratio, at.y - dy * at.size
        reach = at.size * 0.09
        glow += strength * np.exp(-(((xs - cx) / (reach * ratio)) ** 2) - ((ys - cy) / reach) ** 2)
        bx, by = cx + at.facing * at.size * ratio * 0.55, at.y
        beam = np.exp(
            -(((xs - bx) / (at.size * 0.5 * ratio)) ** 2) - ((ys - by) / (at.size * 0.07)) ** 2
        )
        glow += strength * 0.35 * beam
    return glow if glow.any() else None


def streaks(rng: np.random.Generator, width: int, height: int, clock_s: float) -> FloatImage:
    """Rain drops at ``clock_s`` seconds: float32 (height, width), 0 to 255."""
    layer = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(layer)
    slant = float(rng.uniform(-0.22, 0.22))
    unit = height / 90
    for x, y, size in rng.random((150, 3)):
        length = (5 + 9 * size) * unit
        fallen = (y + clock_s * (2.1 + size)) % 1.0
        x0, y0 = x * width * 1.1, fallen * height * 1.1 - length
        level = int(60 + 110 * size)
        draw.line(
            (x0, y0, x0 + slant * length, y0 + length),
            fill=level,
            width=max(1, round(0.5 * unit * (0.6 + size))),
        )
    return np.asarray(layer, dtype=np.float32)


def flakes(rng: np.random.Generator, width: int, height: int, clock_s: float) -> FloatImage:
    """Snow flakes at ``clock_s`` seconds: float32 (height, width), 0 to 255."""
    layer = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(layer)
    unit = height / 90
    for x, y, size in rng.random((140, 3)):
        r = (0.35 + 0.85 * size**3) * unit
        cx, cy = x * width, (y + clock_s * (0.12 + 0.2 * size)) % 1.0 * height
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=int(140 + 110 * size))
    if unit > 1.5:
        layer = layer.filter(ImageFilter.GaussianBlur(unit * 0.25))
    return np.asarray(layer, dtype=np.float32)
