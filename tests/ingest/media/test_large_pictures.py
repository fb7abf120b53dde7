"""Large pictures are made smaller before they are scaled: cheaper, and the same to an encoder."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.media.base import LeastSize
from ingest.media.decoding import open_media
from ingest.media.keyframes.interval import CodecKeyframes
from search_core.encoders.openclip import OpenClipEncoder
from sightline.demo.scenes.render import render_scene
from sightline.demo.training.sampling import sample_scene
from tests.support.made_media import make_clip
from tests.support.open_clip_transforms import open_clip_with_transforms

SCENES = 12
NEED = LeastSize((224, 224), 384)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Scenes of the demo in 1080p, with the sensor's noise."""
    rng = np.random.default_rng(11)
    return [Image.fromarray(render_scene(sample_scene(rng), 1920, 1080)) for _ in range(SCENES)]


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    return OpenClipEncoder("sightline-demo")


@pytest.mark.parametrize(("suffix", "enlarged"), [(".jpg", 1), (".jpg", 2), (".png", 1)])
def test_an_encoder_sees_what_open_clips_own_transform_shows_it(
    pictures: list[Image.Image],
    encoder: OpenClipEncoder,
    tmp_path: Path,
    suffix: str,
    enlarged: int,
) -> None:
    image_transform = open_clip_with_transforms().transform.image_transform
    preprocess = encoder.preprocess
    need = need_of(encoder)
    transform = image_transform(
        preprocess.size,
        False,
        (0.0,) * 3,
        (1.0,) * 3,
        resize_mode=preprocess.resize_mode,
        interpolation=preprocess.interpolation,
    )
    ours, theirs = [], []
    for number, picture in enumerate(pictures):
        path = tmp_path / f"{number}{suffix}"
        picture.resize((1920 * enlarged, 1080 * enlarged)).save(path, quality=92)
        with closing(open_media(path, max_pixels=10**8, least=need)) as media:
            (frame,) = media.frames(CodecKeyframes(), lambda: None)
        assert (frame.width, frame.height) == (1920 * enlarged, 1080 * enlarged)
        assert frame.image.width <= 960
        ours.append(preprocess(frame.image))
        whole = transform(Image.open(path).convert("RGB"))
        theirs.append(np.rint(whole.permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    assert least_centred_cosine(encoder, ours, theirs) >= 0.9995


def test_an_encoder_sees_what_a_whole_video_frame_shows_it(
    pictures: list[Image.Image], encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    frames = [np.asarray(picture) for picture in pictures]
    path = make_clip(
        tmp_path / "a.mp4", seconds=SCENES, fps=1, gop=1, picture=lambda s: frames[int(s)]
    )
    pixels = []
    for least in (need_of(encoder), None):
        with closing(open_media(path, max_pixels=10**8, least=least)) as media:
            found = list(media.frames(CodecKeyframes(), lambda: None))
        assert {(frame.width, frame.height) for frame in found} == {(1920, 1080)}
        assert {frame.image.width for frame in found} == {960 if least else 1920}
        pixels.append([encoder.preprocess(frame.image) for frame in found])
    assert len(pixels[0]) == SCENES
    assert least_centred_cosine(encoder, *pixels) >= 0.9995


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (3840, 2160), (5001, 977)])
def test_never_below_twice_what_is_needed(size: tuple[int, int]) -> None:
    small = NEED.reduced(Image.new("RGB", size))
    assert max(small.size) < max(size)
    assert min(small.size) >= 2 * 224 and max(small.size) >= 2 * 384


def test_small_pictures_stay_as_they_are() -> None:
    image = Image.new("RGB", (800, 600))
    assert NEED.reduced(image) is image


def need_of(encoder: OpenClipEncoder) -> LeastSize:
    height, width = encoder.preprocess.size
    return LeastSize((width, height), NEED.longest_px)


def least_centred_cosine(
    encoder: OpenClipEncoder, some: list[np.ndarray], others: list[np.ndarray]
) -> float:
    """Return the least cosine of two embeddings of a picture, less the mean of all pictures."""
    first, second = encoder.encode_pixels(some), encoder.encode_pixels(others)
    mean = second.mean(axis=0)
    first, second = first - mean, second - mean
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / lengths).min())
