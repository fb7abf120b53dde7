"""Opening media by what it is: a picture or a video.

Messages of the errors :func:`open_media` and its result raise are predicates ("is empty"), to be
put after a file's name; :func:`decode_image` and :func:`frame_at` raise whole sentences.
"""

from __future__ import annotations

import logging
from contextlib import closing
from io import BytesIO
from pathlib import Path

import av
import av.logging
from PIL import Image

from ingest.media.base import LeastSize, OpenedMedia
from ingest.media.files import HEAD_BYTES, kind_of, kind_of_file, refuse_unreadable
from ingest.media.images.decode import Picture, opened
from ingest.media.images.formats import is_raw, preview_of, what_follows
from ingest.media.video.video import Video
from search_core.errors import MediaError, UnsupportedMedia
from search_core.messages import Message


def open_media(
    path: Path,
    *,
    max_pixels: int,
    max_animation_frames: int = 64,
    least: LeastSize | None = None,
    keep_partial: bool = False,
    track: int | None = None,
) -> OpenedMedia:
    """Open an image, animation or video by its content, whatever it is called.

    ``track`` is the video track to decode: None for all, 0 for the main one, else its number.
    Raises MediaError: UnsupportedMedia, CorruptMedia or MediaTooLarge.
    """
    kind = kind_of_file(path)
    follows = what_follows(path) if kind == "image" else "nothing"
    if follows == "frames":
        return Video(path, max_pixels=max_pixels, least=least, format_name="mjpeg")
    if kind == "image" or kind == "unknown":
        try:
            file, note = _without_raw(path)
            picture = Picture(
                file,
                max_pixels=max_pixels,
                max_animation_frames=max_animation_frames,
                least=least,
                keep_partial=keep_partial,
            )
            picture.note(note)
            picture.note(
                Message("is a motion photo: its video is left out") if follows == "video" else ""
            )
            return picture
        except UnsupportedMedia:
            if kind == "image":
                raise
    return Video(path, max_pixels=max_pixels, least=least, known=kind != "unknown", track=track)


def _without_raw(file: Path | BytesIO) -> tuple[Path | BytesIO, str]:
    """Return a picture's file, of a RAW photograph its preview and a note about that."""
    with opened(file) as content:
        if is_raw(content):
            content.seek(0)
            return preview_of(content.read())
        content.seek(0)
    return file, ""


def listen_to_libav() -> None:
    """Let errors carry libav's last words; nothing is printed. For processes that only decode."""
    av.logging.set_level(av.logging.ERROR)
    libav = logging.getLogger("libav")
    libav.addHandler(logging.NullHandler())
    libav.propagate = False


def decode_image(file: Path | str | bytes, *, max_pixels: int) -> Image.Image:
    """Return an image (of an animation, its first frame) as upright RGB, transparency on white.

    ``file`` is a path or the file's bytes. Raises MediaError with a sentence about it.
    """
    name = "The image" if isinstance(file, bytes) else Path(file).name
    try:
        source: Path | BytesIO
        if isinstance(file, bytes):
            refuse_unreadable(file[:HEAD_BYTES])
            source, kind = BytesIO(file), kind_of(file[:HEAD_BYTES])
        else:
            source = Path(file)
            kind = kind_of_file(source)
        if kind == "video":
            raise UnsupportedMedia(
                "is a video, not a picture", "Export a frame of it as a JPEG or PNG."
            )
        picture_file, _ = _without_raw(source)
        with closing(Picture(picture_file, max_pixels=max_pixels)) as picture:
            return picture.first().image
    except MediaError as error:
        said = Message("{name} {reason}.", name=name, reason=error.message)
        raise type(error)(said, error.hint) from error


def frame_at(
    path: Path | str, pts_ms: int, *, max_pixels: int = 178_956_970, track: int = 0
) -> Image.Image:
    """Return the frame shown ``pts_ms`` after the start of a video or animation, as upright RGB.

    ``track`` is a video track's number where it is not the main one.
    Raises MediaError with a sentence about the file.
    """
    path = Path(path)
    try:
        with closing(open_media(path, max_pixels=max_pixels, track=track)) as media:
            return media.frame_at(pts_ms).image
    except MediaError as error:
        said = Message("{name} {reason}.", name=path.name, reason=error.message)
        raise type(error)(said, error.hint) from error
