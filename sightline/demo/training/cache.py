"""Scenes rendered once: groups of siblings, their frames in one memory-mapped file.

Group ``g`` of a cache is a scene and its siblings, fixed by the cache's seed and ``g`` alone, so
only pixels are stored: the truth is sampled again from the seed whenever it is needed.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.demo.scenes.render import RENDERER_VERSION, Frame, render_scene
from sightline.demo.scenes.scenes import Scene, Sibling
from sightline.demo.training.sampling import sample_scene, sample_sibling
from sightline.demo.training.views import VIEWS, render_views

_log = logging.getLogger("sightline.demo.training.train")

CACHE_WIDTH, CACHE_HEIGHT = 160, 90
SIBLINGS = 2
"""Siblings beside each group's first scene."""


@dataclass(frozen=True, slots=True)
class Group:
    """A scene and its siblings, each differing from the scene in one attribute."""

    base: Scene
    siblings: tuple[Sibling, ...]

    def scene(self, member: int) -> Scene:
        """The scene of a member: 0 is the base, then the siblings."""
        return self.base if member == 0 else self.siblings[member - 1].scene


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """What a cache holds; two equal specs give the same pixels."""

    groups: int
    seed: int
    renderer: int = RENDERER_VERSION
    siblings: int = SIBLINGS
    views: int = 0
    width: int = CACHE_WIDTH
    height: int = CACHE_HEIGHT


def make_group(seed: int, index: int) -> Group:
    """Group ``index`` of the training scenes of ``seed``; no held-out combination is in it."""
    rng = np.random.default_rng((seed, index))
    base = sample_scene(rng)
    return Group(base, tuple(sample_sibling(rng, base) for _ in range(SIBLINGS)))


def small_frame(scene: Scene, *, reduced: bool) -> Frame:
    """The scene at the cache's size, RGB uint8 (90, 160, 3); ``reduced`` renders it twice as large
    first.
    """
    if not reduced:
        return render_scene(scene, CACHE_WIDTH, CACHE_HEIGHT)
    large = Image.fromarray(render_scene(scene, CACHE_WIDTH * 2, CACHE_HEIGHT * 2))
    return np.asarray(large.resize((CACHE_WIDTH, CACHE_HEIGHT), Image.Resampling.BICUBIC))


def _render_groups(task: tuple[str, int, int, int]) -> int:
    path, seed, first, last = task
    frames = np.load(path, mmap_mode="r+")
    for index in range(first, last):
        group = make_group(seed, index)
        for member in range(SIBLINGS + 1):
            frames[index, member] = small_frame(group.scene(member), reduced=index % 5 == 0)
    frames.flush()
    return last - first


def _render_views(task: tuple[str, int, int, int]) -> int:
    path, seed, first, last = task
    frames = np.load(path, mmap_mode="r+")
    for index in range(first, last):
        frames[index] = render_views(seed, index, CACHE_WIDTH, CACHE_HEIGHT)
    frames.flush()
    return last - first


def open_cache(folder: Path, groups: int, seed: int, workers: int = 2) -> Frame:
    """The cached frames of groups, uint8 (groups, 3, 90, 160, 3) RGB; rendered first unless the
    folder already holds them.

    Needs about 130 kB of disk a group. A folder with other content (another seed, renderer or size)
    is rendered anew.
    """
    return _opened(folder, CacheSpec(groups, seed), SIBLINGS + 1, _render_groups, workers)


def open_view_cache(folder: Path, scenes: int, seed: int, workers: int = 2) -> Frame:
    """The cached views of wide scenes, uint8 (scenes, views, 90, 160, 3) RGB; as
    :func:`open_cache`, 260 kB a scene.
    """
    spec = CacheSpec(scenes, seed, siblings=0, views=VIEWS)
    return _opened(folder / "views", spec, VIEWS, _render_views, workers)


def _opened(
    folder: Path,
    spec: CacheSpec,
    members: int,
    render: Callable[[tuple[str, int, int, int]], int],
    workers: int,
) -> Frame:
    frames_path, spec_path = folder / "frames.npy", folder / "spec.json"
    if not (spec_path.is_file() and json.loads(spec_path.read_text()) == asdict(spec)):
        folder.mkdir(parents=True, exist_ok=True)
        spec_path.unlink(missing_ok=True)
        shape = (spec.groups, members, CACHE_HEIGHT, CACHE_WIDTH, 3)
        np.lib.format.open_memmap(frames_path, mode="w+", dtype=np.uint8, shape=shape).flush()
        step = 250
        tasks = [
            (str(frames_path), spec.seed, first, min(spec.groups, first + step))
            for first in range(0, spec.groups, step)
        ]
        started, done = time.monotonic(), 0
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for count in pool.imap_unordered(render, tasks):
                done += count
                if done % (step * 20) == 0 or done == spec.groups:
                    spent = time.monotonic() - started
                    _log.info("rendered %d of %d scenes in %.0f s", done, spec.groups, spent)
        spec_path.write_text(json.dumps(asdict(spec)))
    frames: Frame = np.load(frames_path, mmap_mode="r")
    return frames
