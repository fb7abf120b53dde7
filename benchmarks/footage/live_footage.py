"""Cameras for the load test, served over RTSP: a noisy still view past which something goes."""

from __future__ import annotations

import random
import time
from multiprocessing.connection import Connection

import numpy as np

from tests.support.rtsp_server import Channel, Clip, Picture, RtspServer, encode

SIZE_PX = (640, 360)
FPS = 5
EVENT_EVERY_S = 30.0
EVENT_S = 3


def view(seed: int) -> Picture:
    """Return a street-like view: large and small areas of several greys."""
    width, height = SIZE_PX
    rng = np.random.default_rng(seed)
    coarse = rng.integers(70, 170, (height // 40, width // 40, 3)).repeat(40, 0).repeat(40, 1)
    fine = rng.integers(-12, 12, (height // 4, width // 4, 1)).repeat(4, 0).repeat(4, 1)
    picture: Picture = np.clip(coarse + fine, 0, 255).astype(np.uint8)
    return picture


def noisy(picture: Picture, seed: int) -> Picture:
    """Return a picture as a camera at dusk gives it."""
    noise = np.random.default_rng(seed).normal(0, 3, picture.shape)
    result: Picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return result


def quiet_clip(seed: int) -> Clip:
    """Return eight seconds in which nothing happens."""
    still = view(seed)
    return encode((noisy(still, seed * 100 + n) for n in range(8 * FPS)), FPS, gop=2 * FPS)


def passing_clip(seed: int) -> Clip:
    """Return three seconds in which something the size of a car passes."""
    pictures = []
    colour = np.random.default_rng(seed + 1).integers(0, 255, 3)
    for number in range(EVENT_S * FPS):
        picture = view(seed)
        left = 20 + number * 30
        picture[180:250, left : left + 130] = colour
        pictures.append(noisy(picture, seed * 100 + 50 + number))
    return encode(pictures, FPS, gop=2 * FPS)


def serve_cameras(count: int, connection: Connection) -> None:
    """Serve cameras until the connection says stop; then send when each event was shown."""
    views = [(quiet_clip(seed), passing_clip(seed)) for seed in range(min(4, count))]
    channels = {f"camera-{n + 1:02d}": Channel(views[n % len(views)][0]) for n in range(count)}
    draw = random.Random(1)  # noqa: S311
    with RtspServer(channels) as server:
        connection.send({name: server.url(name) for name in channels})
        connection.recv()
        due_s = {name: time.monotonic() + draw.uniform(5, EVENT_EVERY_S) for name in channels}
        while not connection.poll(0.05):
            for number, (name, at_s) in enumerate(due_s.items()):
                if time.monotonic() >= at_s:
                    channels[name].show(views[number % len(views)][1])
                    due_s[name] = at_s + EVENT_EVERY_S * draw.uniform(0.7, 1.3)
        connection.send({name: channel.shown_at for name, channel in channels.items()})
