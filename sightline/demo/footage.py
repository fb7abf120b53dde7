"""The sample footage: nine clips and a hundred stills, rendered on first use, with what is visible
when.

``render_footage(folder)`` leaves ``clips/<camera>/<camera>.mp4``, ``stills/still-000.jpg`` … and
``ground_truth.json`` there, and returns at once where they already are.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from sightline.demo.scenes.atmosphere import light_map, sunlight
from sightline.demo.scenes.backgrounds import draw_background
from sightline.demo.scenes.clips import CLIPS
from sightline.demo.scenes.facts import Sentence
from sightline.demo.scenes.render import (
    RENDERER_VERSION,
    Frame,
    Sensor,
    develop,
    draw_thing,
    overlay,
    place_thing,
    render_scene,
)
from sightline.demo.scenes.scenes import Placement, Scene, Thing
from sightline.demo.scenes.sprites import Sprite
from sightline.demo.scenes.tracks import Clip
from sightline.demo.training.truth import (
    DEMO_SENTENCES,
    FPS,
    STILLS,
    Moment,
    clip_file,
    ground_truth,
    moments,
    still_scenes,
    still_taken_at,
)

__all__ = [
    "DEMO_SENTENCES",
    "ClipFile",
    "ClipRenderer",
    "Footage",
    "Moment",
    "ground_truth",
    "moments",
    "render_clip",
    "render_footage",
]

FOOTAGE_VERSION = 4
"""Raised whenever the scripts or the files' form change."""

WIDTH, HEIGHT = 640, 360
KEYFRAME_EVERY = 12
STAMP = ".footage.json"


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A rendered clip: where it lies, whose it is, when it began (ISO 8601 with zone), how long it
    is.
    """

    path: Path
    camera: str
    started_at: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Footage:
    """The rendered sample footage."""

    folder: Path
    clips: tuple[ClipFile, ...]
    stills: Path
    ground_truth: Path

    def moments(self, sentence: Sentence | str) -> tuple[Moment, ...]:
        """The spans of the clips of which the sentence is true; see :func:`moments`."""
        return moments(sentence)


class ClipRenderer:
    """Draws a clip's frames: its background, light and sprites are made, and softened as
    the camera would, once."""

    def __init__(self, clip: Clip, width: int = 0, height: int = 0) -> None:
        """Frames of ``width`` x ``height`` pixels; 0: as large as the clip's are."""
        self.clip = clip
        self._size = width, height = (width or clip.size[0], height or clip.size[1])
        # A camera of more pixels has a lens to match: it blurs as many pixels, not more.
        self._lines = min(height, HEIGHT)
        background = draw_background(clip.place, clip.weather, width, height, clip.seed)
        picture = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
        self._background = picture.filter(ImageFilter.GaussianBlur(self._lines / 300))
        still = Scene(clip.place, clip.light, clip.weather, (), clip.seed)
        self._lights = light_map(still, width, height)
        self._sun = sunlight(still)
        noise = {"day": 3.0, "dusk": 4.0, "night": 6.0}[clip.light]
        self._sensor = Sensor(blur=0.0, noise=noise, saturation=0.85)
        rng = np.random.default_rng((clip.seed, 61))
        self._noise = rng.standard_normal((6, height, width, 3), dtype=np.float32)
        self._sprites: dict[Thing, Sprite] = {}

    def frame(self, t_ms: int) -> Frame:
        """The frame ``t_ms`` into the clip: RGB uint8 (height, width, 3)."""
        _, height = self._size
        scene = self.clip.scene_at(t_ms)
        picture = self._background.copy()
        for thing in sorted(scene.things, key=lambda thing: thing.at.y):
            place_thing(picture, thing, scene.light, self._sprite(thing), self._sun)
        index = round(t_ms * FPS / 1000)
        noise = np.roll(self._noise[index % len(self._noise)], index * 37 % height, axis=0)
        # The same drops and flakes in every frame, further down each time.
        rng = np.random.default_rng((self.clip.seed, 51))
        pixels = develop(
            np.asarray(picture, np.float32),
            scene,
            self._lights,
            self._sensor,
            rng,
            noise,
            t_ms / 1000,
        )
        image = Image.fromarray(pixels)
        now = self.clip.started_at + timedelta(milliseconds=t_ms)
        overlay(image, self.clip.camera.upper(), now.strftime("%Y-%m-%d %H:%M:%S"))
        return np.asarray(image)

    def _sprite(self, thing: Thing) -> Sprite:
        at = thing.at
        key = replace(thing, at=Placement(0.0, 0.0, at.size, at.facing, at.phase))
        if key not in self._sprites:
            sprite = draw_thing(key, at.size * self._size[1], 2)
            soft = ImageFilter.GaussianBlur(self._lines / 400)
            image = sprite.image.convert("RGBa").filter(soft).convert("RGBA")
            self._sprites[key] = Sprite(image, sprite.anchor)
        return self._sprites[key]


def render_clip(clip: Clip, path: Path) -> None:
    """Writes a clip as H.264, 6 frames a second, a keyframe every 2 s, whole or not at all."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.mp4")
    renderer = ClipRenderer(clip)
    with av.open(
        str(partial), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}
    ) as container:
        container.metadata["creation_time"] = clip.started_at.astimezone(UTC).isoformat()
        container.metadata["title"] = clip.camera
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = clip.size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = KEYFRAME_EVERY
        stream.options = {
            "crf": "29",
            "preset": "superfast",
            "threads": "1",
            "x264-params": f"keyint={KEYFRAME_EVERY}:min-keyint={KEYFRAME_EVERY}:scenecut=0",
        }
        for index in range(clip.duration_ms * FPS // 1000):
            t_ms = round(index * 1000 / FPS)
            frame = av.VideoFrame.from_ndarray(renderer.frame(t_ms), format="rgb24")
            frame.pts, frame.time_base = t_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    partial.replace(path)


def _write_stills(folder: Path, first: int, last: int) -> None:
    for index, scene in list(enumerate(still_scenes()))[first:last]:
        image = Image.fromarray(render_scene(scene, WIDTH, HEIGHT, stamped=False))
        taken = still_taken_at(index)
        exif = Image.Exif()
        exif[0x0132] = taken.strftime("%Y:%m:%d %H:%M:%S")
        details = exif.get_ifd(0x8769)
        details[0x9003], details[0x9011] = taken.strftime("%Y:%m:%d %H:%M:%S"), "+00:00"
        path = folder / f"still-{index:03d}.jpg"
        partial = path.with_suffix(".partial")
        image.save(partial, "JPEG", quality=88, exif=exif)
        partial.replace(path)


def _work(task: tuple[str, Path, int, int]) -> None:
    kind, folder, first, last = task
    if kind == "clip":
        clip = CLIPS[first]
        path = folder / clip_file(clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        render_clip(clip, path)
    else:
        _write_stills(folder, first, last)


def _write_json(path: Path, record: Any) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=2) + "\n")
    partial.replace(path)


def _stamp() -> dict[str, Any]:
    files = [clip_file(clip) for clip in CLIPS]
    files += [f"stills/still-{index:03d}.jpg" for index in range(STILLS)]
    return {
        "renderer": RENDERER_VERSION,
        "footage": FOOTAGE_VERSION,
        "files": [*files, "ground_truth.json"],
    }


def _complete(folder: Path) -> bool:
    stamp = _stamp()
    try:
        found = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return found == stamp and all((folder / name).is_file() for name in stamp["files"])


def render_footage(
    folder: Path, *, workers: int = 2, on_progress: Callable[[int, int], None] | None = None
) -> Footage:
    """Renders the sample footage into ``folder``, or finds it there complete.

    ``workers`` processes draw at once; ``on_progress`` is called with (parts done, parts) as they
    come. The same version gives the same pictures everywhere. Raises OSError where the folder
    cannot be written.
    """
    folder = Path(folder)
    clips = tuple(
        ClipFile(
            folder / clip_file(clip),
            clip.camera,
            clip.started_at.isoformat(),
            clip.duration_ms,
        )
        for clip in CLIPS
    )
    footage = Footage(folder, clips, folder / "stills", folder / "ground_truth.json")
    tasks: list[tuple[str, Path, int, int]] = [("clip", folder, i, 0) for i in range(len(CLIPS))]
    tasks += [
        ("stills", folder / "stills", first, min(STILLS, first + 25))
        for first in range(0, STILLS, 25)
    ]
    if not _complete(folder):
        for outdated in (folder / "clips").glob("*.mp4"):
            outdated.unlink()
        (folder / "stills").mkdir(parents=True, exist_ok=True)
        (folder / STAMP).unlink(missing_ok=True)
        if workers > 1:
            with multiprocessing.get_context("spawn").Pool(workers) as pool:
                for done, _ in enumerate(pool.imap_unordered(_work, tasks), start=1):
                    if on_progress:
                        on_progress(done, len(tasks))
        else:
            for done, task in enumerate(tasks, start=1):
                _work(task)
                if on_progress:
                    on_progress(done, len(tasks))
        _write_json(footage.ground_truth, ground_truth())
        _write_json(folder / STAMP, _stamp())
    elif on_progress:
        on_progress(len(tasks), len(tasks))
    return footage
