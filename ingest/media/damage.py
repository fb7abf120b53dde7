"""What is wrong with media, in words: where it stops, what was left out, why it does not open.

The words are predicates, to be put after a file's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from search_core.errors import CorruptMedia, MediaError, MediaTooLarge, UnsupportedMedia
from search_core.messages import Message
from search_core.schema.entity import clock_from_ms

ENCRYPTED = Message("is encrypted: it can be read only after it was decrypted")

#: A file ends early when this much of the time its header promises is missing.
_MISSING_S, _MISSING_SHARE = 2.0, 0.1


@dataclass(slots=True)
class Damage:
    """What went wrong while a video was decoded.

    ``reached_s`` is how far into it one came; ``ends_early`` says that the file lacks its end.
    """

    reached_s: float = 0.0
    ends_early: bool = False
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

    def stop_encrypted(self) -> None:
        """Note that what follows is encrypted."""
        self._stopped = True
        self._words = Message("what follows is encrypted")

    def fatal(self) -> str:
        """Return why there was no frame at all."""
        if self._words:
            return Message("is damaged: no frame could be decoded ({reason})", reason=self._words)
        return Message("is damaged: no frame could be decoded")

    def warning(self, promised_s: float | None, start_s: float = 0.0) -> str:
        """Return what was wrong although there were frames; empty when nothing was.

        ``promised_s`` is the duration the header gives: from the start, or from 0 where the
        timestamps begin later, at ``start_s``.
        """
        missing_s = (promised_s or 0.0) - self.reached_s
        if promised_s and promised_s > start_s:
            missing_s -= max(0.0, start_s)
        short = missing_s > max(_MISSING_S, _MISSING_SHARE * (promised_s or 0.0))
        if self._stopped or self.ends_early or short:
            why = self._words if self._stopped else Message("the file ends early")
            if promised_s and missing_s > 0:
                return Message(
                    "stopped at {reached:.1f} s of {length:.1f} s: {reason}",
                    reached=self.reached_s,
                    length=promised_s,
                    reason=why,
                )
            return Message(
                "stopped at {reached:.1f} s: {reason}", reached=self.reached_s, reason=why
            )
        if self._left_out_s:
            count = len(self._left_out_s)
            return Message(
                "{count} damaged part left out, the first at {first:.1f} s ({reason})"
                if count == 1
                else "{count} damaged parts left out, the first at {first:.1f} s ({reason})",
                count=count,
                first=min(self._left_out_s),
                reason=self._words,
            )
        return ""


def jump_note(jumps_ms: Sequence[int]) -> str:
    """Return that timestamps jumped at these positions; empty where there are none."""
    if not jumps_ms:
        return ""
    first = clock_from_ms(jumps_ms[0])
    if len(jumps_ms) == 1:
        return Message(
            "has timestamps that jump at {position}: positions count on from there", position=first
        )
    return Message(
        "has timestamps that jump {count} times, first at {position}: positions count on from "
        "there",
        count=len(jumps_ms),
        position=first,
    )


def rate_note(rate: Fraction | None) -> str:
    """Return that a recording says neither when its frames are shown nor how many a second."""
    if rate is None:
        return ""
    return Message("has no timestamps: positions assume {rate:g} frames a second", rate=float(rate))


def unread_note(at: int | None) -> str:
    """Return that another recording begins at this byte and is not read; empty where none does."""
    if at is None:
        return ""
    return Message(
        "is followed by another recording in the same file, at byte {byte:,}, which is not read",
        byte=at,
    )


def lost_note(lost: Sequence[tuple[int, float]]) -> str:
    """Return what is not read of recordings in the same file: (byte, seconds) each; "" of none."""
    if not lost:
        return ""
    at, seconds = lost[0]
    more = len(lost) - 1
    return Message(
        "the first {seconds:.1f} s of the recording at byte {byte:,} could not be read{more}",
        seconds=seconds,
        byte=at,
        more=Message(", and the beginnings of {count} more", count=more) if more else "",
    )


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
    return CorruptMedia(
        "is damaged and cannot be opened as a video ({error})", error=last_words(said)
    )


def check_pixels(width: int, height: int, most: int) -> None:
    """Raise MediaTooLarge for more pixels than ``most``."""
    if width * height > most:
        raise MediaTooLarge(
            "has {width} x {height} pixels, more than the limit of {most:,}"
            " (SIGHTLINE_MEDIA_MAX_PIXELS)",
            "Raise SIGHTLINE_MEDIA_MAX_PIXELS, or scale it down.",
            width=width,
            height=height,
            most=most,
        )


def last_words(error: str) -> str:
    """Return what libav said, without error numbers, file names and the names of its parts."""
    _, _, logged = error.partition("last error log: ")
    text = logged or re.sub(r"^\[Errno -?\d+\] ", "", error).partition(": '")[0]
    text = re.sub(r"^(\[[^\]]*\] )+", "", text).strip().rstrip(".")
    if not text:
        return Message("the decoder does not say why")
    return Message("the decoder says: {text}", text=text)
