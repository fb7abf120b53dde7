"""Footage for the cameras of the tests, coded once, and a way to watch them in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import numpy as np

from ingest.cameras.camera import Camera
from ingest.cameras.service import Wanted, watch
from ingest.cameras.supervisor import Patience
from search_core.schema.entity import MediaEntity
from search_core.settings import Settings
from search_core.store.memory.store import MemoryStore
from tests.support.made_media import HistogramEncoder
from tests.support.rtsp_server import Clip, Picture, encode

T = TypeVar("T")

FPS = 5
IMPATIENT = Patience(connect_s=3.0, stall_s=1.5, hang_s=10.0)


def street(noise: int = 0) -> Picture:
    """A grey street with some texture, and the noise of its camera."""
    rng = np.random.default_rng(7)
    picture = rng.integers(90, 130, (18, 32, 3)).repeat(10, 0).repeat(10, 1).astype(np.float64)
    if noise:
        picture += np.random.default_rng(noise).normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


@cache
def quiet() -> Clip:
    """Four seconds in which nothing happens."""
    return encode((street(n + 1) for n in range(20)), FPS)


@cache
def passing(colour: tuple[int, int, int] = (250, 20, 20)) -> Clip:
    """Three seconds in which something large passes."""
    pictures = []
    for number in range(15):
        picture = street(number + 50)
        left = number * 15
        picture[60:120, left : left + 90] = colour
        pictures.append(picture)
    return encode(pictures, FPS)


class Watched:
    """What was told of cameras watched in a thread."""

    def __init__(self) -> None:
        self.entities: list[MediaEntity] = []
        self.events: list[tuple[str, object]] = []
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def observe(self, camera: Camera, told: object) -> None:
        if isinstance(told, MediaEntity):
            self.entities.append(told)
        else:
            self.events.append((camera.name, told))

    def of(self, kind: type[T], camera: str | None = None) -> list[T]:
        """Return the events of a kind, of one camera if given."""
        return [e for name, e in self.events if isinstance(e, kind) and camera in (None, name)]


@contextmanager
def watching(
    settings: Settings,
    store: MemoryStore,
    encoder: HistogramEncoder,
    cameras: Sequence[Camera],
    roster: Wanted | None = None,
) -> Iterator[Watched]:
    watched = Watched()

    def run() -> None:
        try:
            watch(
                settings,
                store,
                encoder,
                cameras,
                watched.stop,
                roster=roster,
                observe=watched.observe,
                patience=IMPATIENT,
            )
        except BaseException as error:
            watched.error = error

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield watched
    finally:
        watched.stop.set()
        thread.join()
    if watched.error is not None:
        raise watched.error
