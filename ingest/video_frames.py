"""A decoded video frame as it is meant to be seen, and as those who choose keyframes see it."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorTrc, Interpolation, VideoReformatter
from PIL import Image

from ingest.damage import last_words
from ingest.display import display_operation, square_size
from ingest.footage import DecodedFrame, LeastSize
from ingest.keyframes import SmallPicture
from ingest.keyframes.base import SMALL_HEIGHT, SMALL_WIDTH
from ingest.tone import Transfer, tone_mapped
from search_core.errors import CorruptMedia

_HIGH_RANGE: dict[int, Transfer] = {
    int(ColorTrc.SMPTE2084): "pq",
    int(ColorTrc.ARIB_STD_B67): "hlg",
}


class Projector:
    """Makes pictures of one video's frames: upright, with square pixels, in RGB.

    ``most_pixels`` bounds what stretching pixels may make of them, ``least`` how small they may be.
    """

    def __init__(
        self, pixel_shape: Fraction | None, most_pixels: int, least: LeastSize | None = None
    ) -> None:
        self._pixel_shape = pixel_shape
        self._most_pixels = most_pixels
        self._least = least
        self._upright: tuple[int, Image.Transpose | None] | None = None
        self._to_rgb = VideoReformatter()  # one for all frames: setting one up costs more

    def shown(self, frame: VideoFrame, pts_ms: int, span_ms: int = 0) -> DecodedFrame:
        """Return the picture of a frame; raises CorruptMedia when there can be none."""
        try:
            image = self._rgb(_deinterlaced(frame))
        except (av.FFmpegError, ValueError) as error:
            raise not_shown(error) from error
        transfer = _HIGH_RANGE.get(int(frame.color_trc or 0))
        if transfer is not None:
            image = tone_mapped(image, transfer)
        square = square_size(image.width, image.height, self._pixel_shape)
        if square != image.size and square[0] * square[1] <= self._most_pixels:
            image = image.resize(square, Image.Resampling.BICUBIC)
        operation = self._operation(frame)
        if operation is not None:
            image = image.transpose(operation)
        small = self._least.reduced(image) if self._least else image
        return DecodedFrame(pts_ms, image.width, image.height, small, span_ms)

    def _operation(self, frame: VideoFrame) -> Image.Transpose | None:
        """Return what turns the frame upright.

        A frame whose side data was asked for is in a cycle with it, and would stay in memory until
        the garbage collector comes by; so it is asked for only when the rotation has changed.
        """
        rotation = frame.rotation
        if self._upright is None or self._upright[0] != rotation:
            matrix: Any = frame.side_data.get("DISPLAYMATRIX")
            operation = display_operation(bytes(matrix) if matrix is not None else None)
            self._upright = rotation, operation
        return self._upright[1]

    def _rgb(self, frame: VideoFrame) -> Image.Image:
        # libav converts by the frame's own matrix and range (BT.601 where it names none).
        rgb = self._to_rgb.reformat(frame, format="rgb24", threads=1)
        plane: Any = rgb.planes[0]
        size, line_bytes = (rgb.width, rgb.height), plane.line_size
        return Image.frombuffer("RGB", size, plane, "raw", "RGB", line_bytes, 1)


class SeenVideoFrame:
    """A decoded frame, as choosers see it: :class:`ingest.keyframes.SeenFrame`."""

    __slots__ = ("_picture", "_reformatter", "ends_ms", "frame", "pts_ms")

    def __init__(self, frame: VideoFrame, pts_ms: int, reformatter: VideoReformatter) -> None:
        self.frame = frame
        self.pts_ms = pts_ms
        self.ends_ms: int | None = None
        self._reformatter = reformatter
        self._picture: SmallPicture | None = None

    @property
    def is_keyframe(self) -> bool:
        """Whether the codec made it to stand for itself."""
        return bool(self.frame.key_frame)

    def small(self) -> SmallPicture:
        """The frame at low resolution."""
        if self._picture is None:
            try:
                scaled = self._reformatter.reformat(
                    self.frame,
                    SMALL_WIDTH,
                    SMALL_HEIGHT,
                    format="rgb24",
                    interpolation=Interpolation.AREA,
                    threads=1,
                )
                self._picture = np.asarray(scaled.to_ndarray(), np.uint8)
            except (av.FFmpegError, ValueError) as error:
                raise not_shown(error) from error
        return self._picture

    def span_ms(self, until_ms: int) -> int:
        """Return how long it stands for what is shown, if the next keyframe is at ``until_ms``."""
        ends_ms = until_ms if self.ends_ms is None else min(until_ms, self.ends_ms)
        return max(0, ends_ms - self.pts_ms)


def not_shown(error: Exception) -> CorruptMedia:
    """Return what libav's refusal to convert a frame means."""
    return CorruptMedia(f"has frames that cannot be shown: {last_words(str(error))}")


def _deinterlaced(frame: VideoFrame) -> VideoFrame:
    """Return a frame of two fields as one picture of its first, other frames as they are.

    libavfilter's estdif fills in the other field along edges, from this frame alone.
    """
    if not frame.interlaced_frame:
        return frame
    with suppress(av.FFmpegError, ValueError):  # in formats the filter does not know, combed
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, 1000),
        )
        filter_, sink = graph.add("estdif", "mode=frame"), graph.add("buffersink")
        source.link_to(filter_)
        filter_.link_to(sink)
        graph.configure()
        graph.push(frame)
        graph.push(None)
        picture = graph.pull()
        if isinstance(picture, VideoFrame):
            return picture
    return frame
