"""Real and odd files of the folder shared/data beside the repository, where it is there."""

from pathlib import Path

import pytest
from PIL import Image

from ingest.media.decoding import decode_image
from search_core.errors import MediaError
from search_core.store.memory.store import MemoryStore
from tests.ingest.conftest import TakeIn
from tests.support.made_media import GIVEN_DATA

pytestmark = pytest.mark.skipif(not GIVEN_DATA.is_dir(), reason="there is no shared/data")

FAILED = {
    "heif_corrupted.heic": "is not an image",
    "heif_empty.heic": "is empty",
    "pillow_crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif": "is damaged",
    "pillow_crash-d2c93af851d3ab9a19e34503626368b2ecde9c03.j2k": "is damaged",
    "pillow_libtiff_segfault.tif": "is not an image",
    "sharp_65536-uint32-limit.png": "has 65536 x 65536 pixels",
    "sharp_circle.svg": "is an SVG drawing",
    "sharp_corrupt-header.jpg": "is damaged: it ends too early",
    "sharp_giant-image.jpg": "has 20000 x 14000 pixels",
    "derived_audio_only.mp4": "has no video stream",
    "derived_headless.mp4": "its beginning is missing",
    "derived_zero_bytes.mp4": "is empty",
    "torchcodec_nasa_13013_audio.mp3": "has no video stream",
}
KEYFRAMES = {
    "intel_car-detection.mp4": 6,
    "intel_preview_person-bicycle-car-detection.gif": 4,
    "intel_preview_people-detection.gif": 2,
    "intel_preview_store-aisle-detection.gif": 5,
    "pillow_chi.gif": 4,
    "pillow_apng_mode_16bit.png": 1,
    "pillow_no_palette.gif": 1,
    "heif_pug.heic": 1,
    "derived_jpeg_named.mp4": 1,
    "derived_single_keyframe.mp4": 3,
    "derived_truncated_tail.mp4": 3,
    "torchcodec_h265_video.mp4": 2,
    "torchcodec_h265_10bits.mp4": 1,
    "torchcodec_av1_video.mkv": 2,
    "torchcodec_nasa_13013.mp4": 4,  # it has two video tracks
    "decord_corrupted.mp4": 2,
}


def test_everything_is_done_or_failed_with_a_reason(take_in: TakeIn, store: MemoryStore) -> None:
    report = take_in(*(GIVEN_DATA / folder for folder in ("footage", "odd-images", "odd-videos")))
    told = {Path(outcome.uri).name: outcome for outcome in report.outcomes}
    failed = {name: outcome.reason for name, outcome in told.items() if outcome.status == "failed"}
    assert failed.keys() == FAILED.keys()
    for name, reason in FAILED.items():
        assert reason in failed[name]
    for name, keyframes in KEYFRAMES.items():
        assert (told[name].status, told[name].keyframes) == ("done", keyframes), name
    assert told["derived_truncated_tail.mp4"].warning.startswith("stopped at 14.4 s of 30.2 s")
    assert "damaged part" in told["decord_corrupted.mp4"].warning
    assert store.count("main") == report.keyframes
    sizes = {Path(e.uri).name: (e.width, e.height) for e in store.entities("main", limit=1000)}
    assert sizes["decord_video_0.mov"] == (568, 320)
    assert sizes["decord_video_270.mov"] == (320, 568)
    assert sizes["sharp_Portrait_6.jpg"] == (450, 600)
    assert sizes["heif_pug.heic"] == (4032, 3024)


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7])
def test_orientations_of_one_photograph_agree(number: int) -> None:
    folder = GIVEN_DATA / "odd-images"
    upright = folder / "pillow_hopper_orientation_3.jpg"
    other = folder / f"pillow_hopper_orientation_{number}.jpg"
    images = [
        decode_image(path, max_pixels=10**7).resize((8, 8), Image.Resampling.BOX)
        for path in (upright, other)
    ]
    one, two = (image.tobytes() for image in images)
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 12


@pytest.mark.parametrize("name", [name for name in FAILED if name.startswith(("heif", "sharp"))])
def test_query_images_that_are_bad_say_so_by_name(name: str) -> None:
    with pytest.raises(MediaError) as raised:
        decode_image(GIVEN_DATA / "odd-images" / name, max_pixels=178_956_970)
    assert raised.value.message.startswith(name) and raised.value.message.endswith(".")
