"""Files that are not what they seem: cut short, joined, started late, encrypted, unknown."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from search_core.errors import CorruptMedia, UnsupportedMedia
from tests.ingest.conftest import TakeIn
from tests.ingest.media.reading import join, read
from tests.support.made_media import make_clip

pytestmark = pytest.mark.usefixtures("like_a_decoding_process")

_NOISE = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
_FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"
_KEYS = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


def noisy(second: float) -> np.ndarray:
    return np.roll(_NOISE, int(second * 10), 1)


@pytest.mark.parametrize(
    ("suffix", "codec", "flags"),
    [
        ("avi", "mjpeg", ""),
        ("wmv", "wmv2", ""),
        ("mkv", "libx264", ""),
        ("flv", "libx264", ""),
        ("ogv", "libvpx", ""),
        ("mp4", "libx264", "faststart"),
        ("mp4", "libx264", _FRAGMENTED),
    ],
)
def test_a_file_that_was_cut_short_says_so(
    tmp_path: Path, suffix: str, codec: str, flags: str
) -> None:
    path = make_clip(
        tmp_path / f"a.{suffix}",
        seconds=20,
        codec=codec,
        pixels="yuvj420p" if codec == "mjpeg" else "yuv420p",
        picture=noisy,
        container_options={"movflags": flags} if flags else None,
    )
    whole = read(path)
    assert whole.warning == ""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = read(path)
    assert 0 < len(cut.frames) < len(whole.frames)
    assert cut.warning.startswith("stopped at ") and "the file ends early" in cut.warning


def test_a_cut_avi_is_as_long_as_what_is_left(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.avi", seconds=20, codec="mjpeg", pixels="yuvj420p", picture=noisy
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = read(path)
    assert cut.info.duration_ms == pytest.approx(cut.positions_ms[-1] + 200, abs=1)
    assert cut.warning.endswith("of 20.0 s: the file ends early")


@pytest.mark.parametrize("flags", [_FRAGMENTED, "dash", "dash+global_sidx"])
def test_a_fragmented_recording_that_starts_late_is_whole(tmp_path: Path, flags: str) -> None:
    """Its first fragments were deleted, as recorders do; header and fragments count from 0."""
    path = make_clip(tmp_path / "a.mp4", seconds=60, container_options={"movflags": flags})
    boxes = list(_boxes(path.read_bytes()))
    fragments = [at for at, box in enumerate(boxes) if box[4:8] == b"moof"]
    header = [box for box in boxes if box[4:8] in (b"ftyp", b"moov", b"sidx")]
    path.write_bytes(b"".join(header + boxes[fragments[40] :]))
    found = read(path)
    assert found.positions_ms == list(range(0, 20_000, 1000))
    assert (found.info.duration_ms, found.warning) == (20_000, "")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("mov", "libx264"), ("flv", "libx264"), ("wmv", "wmv2")],
)
def test_a_second_recording_that_cannot_be_read_is_named(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    first = make_clip(tmp_path / f"a.{suffix}", seconds=4, codec=codec)
    second = make_clip(tmp_path / f"b.{suffix}", seconds=3, codec=codec)
    found = read(join(tmp_path / f"ab.{suffix}", first, second))
    assert found.positions_ms == list(range(0, 4000, 1000))
    said = f"is followed by another recording in the same file, at byte {first.stat().st_size:,}"
    assert said in found.warning


@pytest.mark.parametrize("flags", ["", "frag_keyframe+empty_moov"])
def test_an_encrypted_mp4_says_that_it_is(tmp_path: Path, flags: str) -> None:
    options = {**_KEYS, **({"movflags": flags} if flags else {})}
    path = make_clip(tmp_path / "a.mp4", seconds=6, size=(160, 120), container_options=options)
    with pytest.raises(UnsupportedMedia, match=r"^is encrypted: "):
        read(path)


def test_a_scrambled_transport_stream_says_that_it_is_encrypted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.ts", seconds=6, picture=noisy)
    stream = bytearray(path.read_bytes())
    for at in range(0, len(stream), 188):
        if (stream[at + 1] & 0x1F) << 8 | stream[at + 2] == 256:
            behind = at + 4 + (1 + stream[at + 4] if stream[at + 3] & 0x20 else 0)
            stream[at + 3] |= 0x80
            stream[behind : at + 188] = os.urandom(at + 188 - behind)
    path.write_bytes(stream)
    with pytest.raises(UnsupportedMedia, match=r"^is encrypted: "):
        read(path)


@pytest.mark.parametrize("spoil", [lambda data: data.replace(b"avc1", b"CRAW")])
def test_a_coding_that_is_not_known_is_a_failure_in_words(
    take_in: TakeIn, media: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path = make_clip(media / "a.mp4", seconds=2)
    path.write_bytes(spoil(path.read_bytes()))
    (outcome,) = take_in(media).outcomes
    assert (outcome.status, outcome.reason) == (
        "failed",
        "has video in a coding that cannot be decoded",
    )


def test_a_video_that_is_nothing_but_damage_is_a_failure(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.ts", seconds=4)
    stream = bytearray(path.read_bytes())
    for at in range(564, len(stream), 188):
        stream[at + 12 : at + 188] = bytes(176)
    path.write_bytes(stream)
    with pytest.raises((CorruptMedia, UnsupportedMedia)):
        read(path)


def _boxes(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at : at + size])
        at += size
    return found
