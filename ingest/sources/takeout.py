"""Google Takeout's sidecars: the JSON file beside a photograph that says when it was taken.

Takeout strips nothing from a photograph, but what was corrected in Google Photos, and the time of
pictures that never had one of their own, stand in the sidecar alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

#: Sidecars are a few kB; what is larger is something else.
MAX_SIDECAR_BYTES = 256 * 1024

_ENDING = ".supplemental-metadata"
#: Takeout cuts a sidecar's name, without ``.json`` and the number of a duplicate, to so many
#: characters.
_CUT = 46
_NUMBERED = re.compile(r"(.*?)\((\d+)\)")
_EDITED = re.compile(r"-(edited|bearbeitet|modifié|editado|modificato|bewerkt|已编辑|編集済み)$")
#: What the moving part of a live photograph belongs to has one of these suffixes.
_STILLS = (".heic", ".HEIC", ".jpg", ".JPG", ".jpeg", ".JPEG")
_MOVING = (".mp4", ".mov", ".mp")
_EARLIEST_S = -4_260_000_000  # 1835: before there were photographs


def sidecar_of(name: str, siblings: Iterable[str]) -> str | None:
    """Return which of the files beside a photograph or video is its sidecar; None when none is.

    ``name`` and ``siblings`` are names without folders, such as ``IMG_1.jpg`` and
    ``IMG_1.jpg.json``, ``IMG_1.jpg.supplemental-metada.json`` or ``IMG_1.jpg(1).json``, which is
    that of ``IMG_1(1).jpg``.
    """
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    numbered = _NUMBERED.fullmatch(stem)
    plain, number = (numbered[1], numbered[2]) if numbered else (stem, "")
    sidecars = [sibling for sibling in siblings if sibling.endswith(".json")]
    for original in _originals(plain, suffix):
        full = original + _ENDING
        shortest = min(len(original), _CUT)
        for sidecar in sidecars:
            base, its_number = _parts(sidecar)
            if its_number == number and len(base) >= shortest and full.startswith(base):
                return sidecar
    return None


def taken_ms(sidecar: bytes) -> int | None:
    """Return when a picture was taken by its sidecar, in epoch milliseconds.

    None when it is not a sidecar, or gives no time that could be right.
    """
    try:
        seconds = int(json.loads(sidecar)["photoTakenTime"]["timestamp"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return seconds * 1000 if seconds and _EARLIEST_S < seconds < time.time() + 86_400 else None


def _originals(stem: str, suffix: str) -> Iterator[str]:
    """Yield the names under which Takeout may have the picture: its own, unedited, the still's."""
    yield stem + suffix
    if unedited := _EDITED.sub("", stem):
        yield unedited + suffix
    if suffix.lower() in _MOVING:
        yield from (stem + still for still in _STILLS)


def _parts(sidecar: str) -> tuple[str, str]:
    """Return a sidecar's name without ``.json``, and the number of a duplicate or ""."""
    base = sidecar[: -len(".json")]
    numbered = _NUMBERED.fullmatch(base)
    return (numbered[1], numbered[2]) if numbered else (base, "")
