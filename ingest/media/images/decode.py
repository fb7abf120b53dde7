"""Images and animations through Pillow, with hostile files in mind.

Messages of the errors raised here are predicates ("is damaged: …"); callers put a name before them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from ingest.media.base import DecodedFrame, KeyframeSelector, LeastSize, MediaInfo
from ingest.media.capture_time.claims import TimeClaim
from ingest.media.capture_time.metadata import photograph_claims
from ingest.media.damage import check_pixels
from ingest.media.images.formats import tiff_pages, without_long_text
from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia, in_words
from search_core.messages import Message, joined

_WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image as RGB, transparent parts on white; deep greys keep their whole range."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _grey_from_deep(image)
    if mode in ("CMYK", "LAB"):
        return _through_profile(image)
    if _has_alpha(image):
        rgba = image.convert("RGBA")
        flat = Image.new("RGB", rgba.size, _WHITE)
        flat.paste(rgba, mask=rgba.getchannel("A"))
        return flat
    return image if mode == "RGB" else image.convert("RGB")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _grey_from_deep(image: Image.Image) -> Image.Image:
    """Scale 16-bit integers by their range; 32-bit integers and floats by what they hold."""
    values: NDArray[np.float32] = np.asarray(image).astype(np.float32)
    clear = image.info.get("transparency")
    transparent = values == clear if isinstance(clear, int) else None
    finite = np.isfinite(values)
    low, high = 0.0, 65535.0
    if finite.any():
        least, most = float(values[finite].min()), float(values[finite].max())
        if image.mode.startswith("I") and least >= 0 and most <= high:
            # Sensors of 10, 12 or 14 bits are stored as 16: scale by the bits that are in use.
            high = next(top for top in (255.0, 1023.0, 4095.0, 16383.0, high) if most <= top)
        else:
            low, high = least, most
    scale = 255.0 / (high - low) if high > low else 0.0
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * scale
    grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[transparent] = 255
    return Image.fromarray(grey, "L").convert("RGB")


def _through_profile(image: Image.Image) -> Image.Image:
    """Convert CMYK or Lab with the embedded profile, or with what the mode means without one."""
    try:
        embedded = image.info.get("icc_profile")
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif embedded:
            source = ImageCms.ImageCmsProfile(BytesIO(embedded))
        else:
            return image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
        converted: Image.Image = transform.apply(image)
        return converted
    except ImageCms.PyCMSError:  # a profile that is damaged or of another colour space
        return image.convert("RGB") if image.mode == "CMYK" else image.getchannel(0).convert("RGB")


#: Formats Pillow reads without starting other programs (EPS runs Ghostscript) and that hold pixels.
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "ICO", "QOI", "PPM"),
    *("TGA", "DDS", "PCX", "SGI", "PSD", "AVIF", "HEIF"),
)
_ANIMATED = frozenset(("GIF", "PNG", "WEBP", "AVIF"))
#: An icon of a few frames, or a blink, is one picture; what moves longer is footage.
_LEAST_ANIMATION_FRAMES = 4
_LEAST_ANIMATION_MS = 1_000
#: What browsers show a frame for whose duration is 0.
_DEFAULT_FRAME_MS = 100
_ENDS_EARLY = Message("is damaged: it ends too early")

Image.init()
pi_heif.register_heif_opener()
# The limit is ours, of settings, and checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


class Picture:
    """An opened image or animation.

    ``least`` lets large pictures be made smaller, JPEGs while they are decoded, which is much
    faster; without it they stay as they are. ``keep_partial`` returns what a file that was cut
    short still shows.
    """

    def __init__(
        self,
        file: Path | BytesIO,
        *,
        max_pixels: int,
        max_animation_frames: int = 64,
        least: LeastSize | None = None,
        keep_partial: bool = False,
    ) -> None:
        self._image = _open(file)
        self._max_pixels = max_pixels
        self._max_animation_frames = max_animation_frames
        self._least = least
        self._keep_partial = keep_partial
        self.warning = ""
        self.left_out = 0
        try:
            self._check_size()
            durations = self._durations()
            self.note(_pages_note(file, self._image))
        except BaseException:
            self.close()
            raise
        moves = len(durations) >= _LEAST_ANIMATION_FRAMES and sum(durations) >= _LEAST_ANIMATION_MS
        self._durations_ms = durations if moves else []
        self.info = MediaInfo(
            kind="animation" if moves else "image",
            duration_ms=sum(durations) if moves else 0,
            claims=_claims(self._image),
        )

    def footage_ms(self) -> int:
        """Return how much of its duration is footage: all of it."""
        return self.info.duration_ms

    def note(self, text: str) -> None:
        """Add a note to the warning, if there is any text."""
        self.warning = joined(self.warning, text)

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def first(self) -> DecodedFrame:
        """Return the image, or an animation's first frame, upright.

        Raises CorruptMedia when it cannot be decoded.
        """
        width, height = self._image.size
        if self._least is not None and self._image.format == "JPEG":
            self._draft(self._least)
        upright = self._decoded()
        turned = (upright.width < upright.height) != (self._image.width < self._image.height)
        if turned:
            width, height = height, width
        return DecodedFrame(0, width, height, self._reduced(upright))

    def frames(
        self, selector: KeyframeSelector, pulse: Callable[[], None]
    ) -> Iterator[DecodedFrame]:
        """Yield the image, or frames of an animation in equal steps, the first among them."""
        if not self._durations_ms:
            yield self.first()
            return
        step_ms = max(
            selector.animation_step_ms,
            math.ceil(self.info.duration_ms / self._max_animation_frames),
        )
        due_ms = pts_ms = 0
        for index, duration_ms in enumerate(self._durations_ms):
            if pts_ms >= due_ms:
                frame = self._animation_frame(index, pts_ms)
                if frame is None:
                    return
                yield frame
                due_ms = (pts_ms // step_ms + 1) * step_ms
            pts_ms += duration_ms
            pulse()

    def frame_at(self, pts_ms: int) -> DecodedFrame:
        """Return the frame shown at ``pts_ms`` of an animation; an image is shown always."""
        start_ms = 0
        for index, duration_ms in enumerate(self._durations_ms):
            if start_ms <= pts_ms < start_ms + duration_ms:
                frame = self._animation_frame(index, start_ms)
                if frame is not None:
                    return frame
                break
            start_ms += duration_ms
        return self.first()

    def _animation_frame(self, index: int, pts_ms: int) -> DecodedFrame | None:
        try:
            with _decoder_errors():
                self._image.seek(index)
                self._check_size()
                self._image.load()
                # A copy: the opened image goes on to the next frame, and is closed at last.
                shown = to_rgb(self._image.copy())
        except CorruptMedia as error:
            if index == 0:
                raise
            self.note(
                Message(
                    "stopped at {reached:.1f} s: {reason}",
                    reached=pts_ms / 1000,
                    reason=error.message,
                )
            )
            return None
        return DecodedFrame(pts_ms, shown.width, shown.height, self._reduced(shown))

    def _durations(self) -> list[int]:
        """Return how long each frame is shown, in milliseconds; empty for what does not move."""
        if self._image.format not in _ANIMATED or not getattr(self._image, "is_animated", False):
            return []
        durations: list[int] = []
        try:
            for index in range(int(getattr(self._image, "n_frames", 1))):
                self._image.seek(index)
                if self._image.format in ("WEBP", "AVIF"):
                    self._image.load()  # only then are these formats' durations known
                shown_ms = self._image.info.get("duration") or 0
                durations.append(round(shown_ms) or _DEFAULT_FRAME_MS)
        except Exception:  # a damaged animation is as long as what can be read of it
            self.note(Message("is damaged after frame {number}", number=len(durations)))
        try:
            self._image.seek(0)
        except Exception:  # as above; what cannot be rewound is one picture
            return []
        return durations

    def _check_size(self) -> None:
        width, height = self._image.size
        check_pixels(width, height, self._max_pixels)
        if width < 1 or height < 1:
            raise CorruptMedia("is damaged: it has no pixels")

    def _draft(self, least: LeastSize) -> None:
        """Let the JPEG decoder shrink by 2, 4 or 8, as far as may be."""
        width, height = self._image.size
        divisor = least.divisor(width, height)
        if divisor > 1:
            mode = self._image.mode
            self._image.draft(mode, (math.ceil(width / divisor), math.ceil(height / divisor)))

    def _reduced(self, image: Image.Image) -> Image.Image:
        return self._least.reduced(image) if self._least else image

    def _decoded(self) -> Image.Image:
        try:
            with _decoder_errors():
                self._image.load()
        except CorruptMedia as error:
            if not self._keep_partial or not _cut_short(error):
                raise
            self._load_partial(error)
        with _decoder_errors():
            return to_rgb(_upright(self._image))

    def _load_partial(self, error: CorruptMedia) -> None:
        """Load what there is; Pillow's switch for that is global, and a worker decodes alone."""
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            with _decoder_errors():
                self._image.load()
                thumbnail = np.asarray(self._image.convert("RGB").reduce(4))
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        if (thumbnail == thumbnail[0, 0]).all():  # nothing but the colour of what is missing
            raise error
        self.note(Message("is cut short: the end of the picture is missing"))


def _pages_note(file: Path | BytesIO, image: Image.Image) -> str:
    """Return that a file holds more pictures than the one that is taken; empty where it does not.

    Icons in several sizes, layers, and the previews of a photograph are no pictures of their own.
    """
    count = 1
    if image.format == "TIFF":
        with opened(file) as content:
            count = tiff_pages(content)
    elif image.format == "HEIF":
        count = int(getattr(image, "n_frames", 1))
    return (
        Message("holds {count} pictures: only the first is taken", count=count) if count > 1 else ""
    )


def _claims(image: Image.Image) -> tuple[TimeClaim, ...]:
    with warnings.catch_warnings(action="ignore"):
        return photograph_claims(image)


def _upright(image: Image.Image) -> Image.Image:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(image)
    except Exception:  # EXIF of damaged files raises nearly anything; show it as it is
        return image.copy()


def _open(file: Path | BytesIO) -> Image.Image:
    with _decoder_errors(), opened(file) as content:
        readable = without_long_text(content)
        return Image.open(file if readable is content else readable, formats=FORMATS)


def opened(file: Path | BytesIO) -> AbstractContextManager[BinaryIO]:
    """Return a file opened for reading; one in memory stays open behind it."""
    return file.open("rb") if isinstance(file, Path) else nullcontext(file)


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Turn what Pillow and its plugins raise for bad files into MediaErrors."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what matters of them is checked here
            yield
    except MediaError:
        raise
    except UnidentifiedImageError:
        raise UnsupportedMedia(
            "is not an image that can be read, or its header is damaged"
        ) from None
    except MemoryError:
        raise MediaTooLarge("needs more memory to decode than there is") from None
    except PermissionError as error:
        raise MediaError("may not be read: permission denied") from error
    except FileNotFoundError as error:
        raise MediaError("does not exist") from error
    except Exception as error:  # plugins raise ValueError, SyntaxError, struct.error, IndexError …
        raise CorruptMedia(_complaint(error)) from error


def _complaint(error: Exception) -> str:
    said = in_words(error)
    if "truncated" in said.lower() or "unexpected end of file" in said.lower():
        return _ENDS_EARLY
    return Message("is damaged (the decoder says: {reason})", reason=said)


def _cut_short(error: CorruptMedia) -> bool:
    return error.message == _ENDS_EARLY
