"""What is wrong with media, in words: where it stops, what was left out, why it does not open.

The words are predicates, to be put after a file's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia

#: A file ends early when this much of the time its header promises is missing.
_MISSING_S, _MISSING_SHARE = 2.0, 0.1


@dataclass(slots=True)
class Damage:
    """What went wrong while a video was decoded; ``reached_s`` is how far into it one came."""

    reached_s: float = 0.0
    _left_out_s: set[float] = field(default_factory=set)
    _stopped: bool = False
    _words: str = ""

    def leave_out(self, at_s: float, error: str) -> None:
        """Note that the part before ``at_s`` could not be decoded and decoding went on after it."""
        self._left_out_s.add(at_s)
        self._words = self._words or last_words(error)

    def stop(self, error: str) -> None:
        """Note that nothing could be read any more."""
        self._stopped = True
        self._words = last_words(error)

    def fatal(self) -> str:
        """Return why there was no frame at all."""
        reason = "is damaged: no frame could be decoded"
        return f"{reason} ({self._words})" if self._words else reason

    def warning(self, promised_s: float | None) -> str:
        """Return what was wrong although there were frames; empty when nothing was.

        ``promised_s`` is the duration the header gives.
        """
        missing_s = (promised_s or 0.0) - self.reached_s
        ends_early = missing_s > max(_MISSING_S, _MISSING_SHARE * (promised_s or 0.0))
        if self._stopped or ends_early:
            of = f" of {promised_s:.1f} s" if promised_s else ""
            why = self._words if self._stopped else "the file ends early"
            return f"stopped at {self.reached_s:.1f} s{of}: {why}"
        if self._left_out_s:
            count = len(self._left_out_s)
            parts = f"{count} damaged {'part' if count == 1 else 'parts'}"
            return f"{parts} left out, the first at {min(self._left_out_s):.1f} s ({self._words})"
        return ""


def open_error(error: Exception, begins_as_video: bool) -> MediaError:
    """Return what libav's refusal to open a file means."""
    said = str(error)
    if isinstance(error, MemoryError):
        return MediaTooLarge("needs more memory to open than there is")
    if isinstance(error, PermissionError):
        return MediaError("may not be read: permission denied")
    if not begins_as_video or "whitelist" in said:
        return UnsupportedMedia(
            "is not an image or a video that can be read, or its beginning is missing"
        )
    if "moov atom not found" in said:
        return CorruptMedia(
            "is damaged: its index (the moov atom) is missing; "
            "it was cut short, or its recording never finished"
        )
    return CorruptMedia(f"is damaged and cannot be opened as a video ({last_words(said)})")


def check_pixels(width: int, height: int, most: int) -> None:
    """Raise MediaTooLarge for more pixels than ``most``."""
    if width * height > most:
        raise MediaTooLarge(
            f"has {width} x {height} pixels, more than the limit of {most:,}",
            "SIGHTLINE_MEDIA_MAX_PIXELS raises it.",
        )


def last_words(error: str) -> str:
    """Return what libav said, without error numbers, file names and the names of its parts."""
    _, _, logged = error.partition("last error log: ")
    text = logged or re.sub(r"^\[Errno -?\d+\] ", "", error).partition(": '")[0]
    text = re.sub(r"^(\[[^\]]*\] )+", "", text).strip().rstrip(".")
    return f"the decoder says: {text}" if text else "the decoder does not say why"
