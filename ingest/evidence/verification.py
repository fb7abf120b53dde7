"""Verifying a bundle of evidence: whether it is as it was written, on any machine."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.evidence.bundle import MANIFEST, SUMS
from search_core.errors import CorruptMedia, UsageError, in_words

_CHUNK_BYTES = 1024**2
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at a bundle found: no ``problems``, and it is as it was written."""

    title: str
    made_at: str
    files: int
    fingerprint: str
    problems: tuple[str, ...]


def verify_bundle(path: Path) -> Verified:
    """Look whether a bundle is as it was written, on any machine; raises UsageError.

    Every file is compared with SHA256SUMS, and the manifest with both. Whoever changes a bundle may
    change its sums as well: compare the fingerprint with the one that was told when it was made.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _verified(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise CorruptMedia(
            "{path} is no zip that can be read: {reason}.",
            "Ask for the file again: it may have been cut on its way.",
            path=path,
            reason=in_words(error),
        ) from error
    except OSError as error:
        raise UsageError(
            "{path} cannot be read: {reason}.",
            "Check the path and its permissions.",
            path=path,
            reason=in_words(error),
        ) from error


def _verified(archive: zipfile.ZipFile) -> Verified:
    names = archive.namelist()
    if SUMS not in names:
        return Verified("", "", len(names), "", (f"It has no {SUMS}.",))
    listing = archive.read(SUMS)
    problems: list[str] = []
    sums: dict[str, str] = {}
    for line in listing.decode("utf-8", "replace").splitlines():
        found = _SUM.fullmatch(line)
        if found is None:
            problems.append(f"A line of {SUMS} cannot be read.")
        else:
            sums[found[2]] = found[1]
    problems += [f"{name}: is in it more than once." for name in _twice(names)]
    problems += [f"{name}: is missing." for name in sums if name not in names]
    extra = [name for name in names if name not in sums and name != SUMS]
    problems += [f"{name}: was added." for name in extra]
    for name in dict.fromkeys(name for name in names if name in sums):
        try:
            if _digest(archive, name) != sums[name]:
                problems.append(f"{name}: was changed.")
        except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError) as error:
            problems.append(f"{name}: cannot be read ({in_words(error)}).")
    title, made_at, said = "", "", {}
    with suppress(KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile):
        manifest = json.loads(archive.read(MANIFEST))
        title, made_at = str(manifest["title"]), str(manifest["made_at"])
        said = {item["file"]: item["file_sha256"] for item in manifest["items"] if item["file"]}
    if not made_at:
        problems.append(f"{MANIFEST}: is no list of a bundle.")
    problems += [
        f"{name}: is not what the list says." for name in said if sums.get(name) != said[name]
    ]
    fingerprint = hashlib.sha256(listing).hexdigest()
    return Verified(title, made_at, len(names), fingerprint, tuple(problems))


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
