"""What a file is by its first bytes."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest.media.files import HEAD_BYTES, Kind, kind_of, kind_of_file, named_like_media
from search_core.errors import CorruptMedia, MediaError
from tests.support.made_media import make_clip, make_sound

IMAGES = ["jpg", "png", "gif", "webp", "bmp", "tif", "jp2", "ico", "qoi", "avif", "heic"]


@pytest.mark.parametrize("suffix", IMAGES)
def test_images(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / f"a.{suffix}")
    assert kind_of_file(tmp_path / f"a.{suffix}") == "image"


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "flv"])
def test_videos(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == "avi" else "libx264"
    path = make_clip(tmp_path / f"a.{suffix}", seconds=1, codec=codec)
    assert kind_of_file(path) == "video"


def test_sound_in_a_video_container_is_found_out_later(tmp_path: Path) -> None:
    assert kind_of_file(make_sound(tmp_path / "a.mp4")) == "video"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04", "archive"),
        (b"\x1f\x8b\x08", "archive"),
        (b"\xef\xbb\xbf  <svg viewBox='0 0 1 1'>", "drawing"),
        (b"<?xml version='1.0'?><!-- made --><svg>", "drawing"),
        (b"<!DOCTYPE html><html>", "unknown"),
        (b"ID3\x04", "audio"),
        (b"RIFF\0\0\0\0WAVE", "audio"),
        (b"GREAT words", "unknown"),
        (b"", "unknown"),
    ],
)
def test_others(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@given(st.binary(max_size=HEAD_BYTES))
def test_any_bytes_are_something(head: bytes) -> None:
    assert kind_of(head) in get_args(Kind)


def test_names_tell_only_a_guess() -> None:
    assert named_like_media("A.JPG") and named_like_media("x/y.mkv") and named_like_media("a.svg")
    assert not named_like_media("notes.txt") and not named_like_media("jpg")


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CorruptMedia, match=r"^is empty$"):
        kind_of_file(tmp_path / "empty")
    with pytest.raises(MediaError, match=r"^does not exist$"):
        kind_of_file(tmp_path / "missing")
    with pytest.raises(MediaError, match=r"^cannot be read: Is a directory$"):
        kind_of_file(tmp_path)
