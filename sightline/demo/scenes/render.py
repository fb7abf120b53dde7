"""Scenes into frames: things on their ground, light, weather, and what a cheap camera makes of
them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sightline.demo.scenes.atmosphere import flakes, headlights, light_map, streaks, sunlight
from sightline.demo.scenes.backgrounds import draw_background
from sightline.demo.scenes.canvas import FloatImage
from sightline.demo.scenes.figures import draw_dog, draw_person
from sightline.demo.scenes.scenes import Light, Person, Scene, Thing, Vehicle, extent
from sightline.demo.scenes.sprites import Sprite
from sightline.demo.scenes.vehicles import draw_vehicle

RENDERER_VERSION = 1
"""Raised whenever the same scene would give another picture."""


Frame = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A camera's defects: blur in px at 90 lines, noise in grey levels, JPEG quality (0: none)."""

    blur: float = 0.4
    noise: float = 4.0
    exposure: float = 1.0
    contrast: float = 1.0
    quality: int = 0
    occluder: int = 0
    saturation: float = 0.85

    @classmethod
    def sample(cls, rng: np.random.Generator, light: Light) -> Sensor:
        """A camera drawn at random; at night it is noisier."""
        noise = float(rng.uniform(0.5, 7)) * {"day": 1.0, "dusk": 1.3, "night": 1.8}[light]
        return cls(
            blur=float(rng.uniform(0.2, 0.75)),
            noise=noise,
            exposure=float(np.exp(rng.normal(0, 0.12))),
            contrast=float(rng.uniform(0.85, 1.12)),
            quality=int(rng.integers(35, 90)) if rng.random() < 0.6 else 0,
            occluder=int(rng.integers(1, 4)) if rng.random() < 0.14 else 0,
            saturation=float(rng.uniform(0.7, 1.0)),
        )


def draw_thing(thing: Thing, height_px: float, supersample: int) -> Sprite:
    """The picture of a thing whose placement's size is ``height_px`` pixels."""
    if isinstance(thing, Person):
        return draw_person(thing, height_px, supersample)
    if isinstance(thing, Vehicle):
        return draw_vehicle(thing, height_px, supersample)
    return draw_dog(thing, height_px, supersample)


def _shadow(frame: Image.Image, thing: Thing, light: Light, sprite: Sprite, sun: float) -> None:
    """Darkens the ground under a thing and, where the sun shines (``sun`` not 0), the ground its
    outline shades.
    """
    width, height = frame.size
    span = extent(thing)[0] * thing.at.size * height
    cx, cy = thing.at.x * width, thing.at.y * height
    flat = 0.09 if isinstance(thing, Vehicle) else 0.13
    box = [cx - span * 0.5, cy - span * flat * 0.6, cx + span * 0.5, cy + span * flat * 0.5]
    pad = max(2, int(span * 0.06))
    left, top = int(box[0]) - pad, int(box[1]) - pad
    size = (int(box[2] - box[0]) + 2 * pad + 1, int(box[3] - box[1]) + 2 * pad + 1)
    strength = {"day": 125, "dusk": 100, "night": 105}[light]
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((pad, pad, size[0] - pad, size[1] - pad), fill=strength)
    mask = mask.filter(ImageFilter.BoxBlur(max(1, pad // 2)))
    frame.paste((18, 18, 24), (left, top), mask)
    if sun:
        alpha = sprite.image.getchannel("A").crop(
            (0, 0, sprite.image.width, max(2, int(sprite.anchor[1])))
        )
        cast = alpha.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize(
            (alpha.width, max(2, int(alpha.height * 0.3)))
        )
        lean = sun * 1.6
        room = int(abs(lean) * cast.height) + 1
        grid = (1.0, -lean, -room if lean < 0 else 0.0, 0.0, 1.0, 0.0)
        cast = cast.transform(
            (cast.width + room, cast.height),
            Image.Transform.AFFINE,
            grid,
            Image.Resampling.BILINEAR,
        )
        cast = cast.point([int(level * 0.36) for level in range(256)]).filter(
            ImageFilter.BoxBlur(max(1, height // 180))
        )
        corner = (round(cx - sprite.anchor[0]) - (room if lean < 0 else 0), round(cy))
        frame.paste((20, 20, 30), corner, cast)


def place_thing(
    frame: Image.Image, thing: Thing, light: Light, sprite: Sprite, sun: float = 0.0
) -> None:
    """Draws a thing's shadow and picture into an RGB frame, in place."""
    width, height = frame.size
    _shadow(frame, thing, light, sprite, sun)
    corner = (
        round(thing.at.x * width - sprite.anchor[0]),
        round(thing.at.y * height - sprite.anchor[1]),
    )
    frame.paste(sprite.image, corner, sprite.image)


def _occlude(frame: Image.Image, rng: np.random.Generator, kind: int) -> None:
    width, height = frame.size
    draw = ImageDraw.Draw(frame)
    level = int(rng.integers(30, 90))
    if kind == 1:
        x = rng.uniform(0, 1) * width
        draw.rectangle(
            (x, 0, x + width * rng.uniform(0.012, 0.035), height), fill=(level, level, level)
        )
    elif kind == 2:
        y = height * rng.uniform(0.9, 0.97)
        draw.rectangle((0, y, width, y + height * 0.02), fill=(level, level, level))
        for i in range(9):
            x = i * width / 8
            draw.rectangle((x, y, x + width * 0.008, height), fill=(level, level, level))
    else:
        x, y = rng.choice([0.0, 1.0]) * width, 0.0
        for _ in range(14):
            a, r = rng.uniform(-0.16, 0.16) * width, rng.uniform(0.02, 0.06) * height
            b = abs(rng.normal(0, 0.1)) * height
            draw.ellipse(
                (x + a - r, y + b - r, x + a + r, y + b + r), fill=(level, level + 14, level - 6)
            )


def overlay(frame: Image.Image, camera: str, stamp: str) -> None:
    """Burns the camera's name and the time into a frame's top left corner, in place."""
    draw = ImageDraw.Draw(frame)
    size = max(7, frame.height // 22)
    font = ImageFont.load_default(size)
    for offset, fill in ((1, (0, 0, 0)), (0, (236, 236, 236))):
        draw.text(
            (size * 0.5 + offset, size * 0.35 + offset), f"{camera}  {stamp}", fill=fill, font=font
        )


def develop(
    pixels: FloatImage,
    scene: Scene,
    lights: FloatImage,
    sensor: Sensor,
    rng: np.random.Generator,
    noise: FloatImage | None = None,
    clock_s: float = 0.0,
) -> Frame:
    """A daylight picture (float32 HxWx3) under the scene's light and weather, seen through a
    sensor; RGB uint8 HxWx3.
    """
    height, width = pixels.shape[:2]
    pixels = pixels * lights
    glow = headlights(scene, width, height)
    if glow is not None:
        pixels += glow[..., None] * np.array([1.0, 0.95, 0.8], np.float32)
    if scene.weather == "rain":
        pixels += streaks(rng, width, height, clock_s)[..., None] * (
            0.34 if scene.light == "day" else 0.24
        )
    elif scene.weather == "snow":
        cover = flakes(rng, width, height, clock_s)[..., None] / 255
        pixels += (np.float32(245 if scene.light == "day" else 185) - pixels) * cover * 0.85
    grey = pixels @ np.array([0.3, 0.59, 0.11], np.float32)
    pixels = pixels * sensor.saturation + grey[..., None] * (1 - sensor.saturation)
    if sensor.contrast != 1.0 or sensor.exposure != 1.0:
        pixels = (pixels * sensor.exposure - 110) * sensor.contrast + 110
    if sensor.blur > 0.15:
        clipped = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        clipped = clipped.filter(ImageFilter.GaussianBlur(sensor.blur * height / 90))
        pixels = np.asarray(clipped, dtype=np.float32)
    if noise is None:
        noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    pixels = pixels + noise * sensor.noise
    return np.clip(pixels, 0, 255).astype(np.uint8)


def blur_px(scene: Scene, height: int) -> float:
    """The standard deviation of the lens's blur in a frame of this height, in its pixels."""
    return _sensor(scene)[1].blur * height / 90


def _sensor(scene: Scene) -> tuple[np.random.Generator, Sensor]:
    """The scene's camera, and the generator that goes on where it was drawn."""
    rng = np.random.default_rng((scene.seed, 37))
    return rng, Sensor.sample(rng, scene.light)


def render_scene(
    scene: Scene, width: int = 160, height: int = 90, *, stamped: bool = True
) -> Frame:
    """The scene as one frame: RGB uint8 (height, width, 3); the same scene always gives the same
    pixels.

    A sibling scene (same seed) differs only where its attribute shows.
    """
    rng, sensor = _sensor(scene)
    background = draw_background(scene.place, scene.weather, width, height, scene.seed)
    frame = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
    supersample = 3 if height <= 200 else 2
    sun = sunlight(scene)
    for thing in sorted(scene.things, key=lambda thing: thing.at.y):
        place_thing(
            frame, thing, scene.light, draw_thing(thing, thing.at.size * height, supersample), sun
        )
    if sensor.occluder:
        _occlude(frame, rng, sensor.occluder)
    pixels = develop(
        np.asarray(frame, np.float32), scene, light_map(scene, width, height), sensor, rng
    )
    image = Image.fromarray(pixels)
    if stamped and rng.random() < 0.7:
        day, hour = int(rng.integers(1, 29)), int(rng.integers(24))
        month, minute, second = (
            int(rng.integers(low, high)) for low, high in ((1, 13), (0, 60), (0, 60))
        )
        stamp = f"2026-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
        overlay(image, f"CAM {int(rng.integers(1, 20)):02d}", stamp)
    if sensor.quality:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=sensor.quality)
        image = Image.open(buffer)
    return np.asarray(image.convert("RGB"))
