"""Paths, globs, zips and addresses to sources: each is one file, or one member of a zip."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from ingest.addresses import without_secrets
from ingest.archives import Archive, Member
from ingest.outcomes import SourceOutcome
from ingest.remote import RemoteFile, RemoteFiles
from ingest.signatures import HEAD_BYTES, is_zip
from search_core.entities import is_address
from search_core.errors import MediaError

_NOT_MEDIA_IN_A_FOLDER = "not media"


@dataclass(frozen=True, slots=True)
class Source:
    """One file to take in. ``uri`` is how it is told of: its path or address, or archive/member.

    ``path`` is the file, or the archive's. ``named`` says that somebody asked for this very file,
    so that leaving it out is a failure. ``remote`` is the file or archive where it is elsewhere.
    """

    uri: str
    path: Path
    named: bool
    member: Member | None = None
    remote: RemoteFile | None = None

    @property
    def place(self) -> PurePath:
        """What to take the names of folder and file from; an archive's suffix is left out."""
        if self.member is not None:
            archive = self.uri.removesuffix(f"/{self.member.name}")
            return place_of(archive).with_suffix("") / self.member.name
        return place_of(self.uri)

    def not_media(self, reason: str = "is neither an image nor a video") -> SourceOutcome:
        """Return that it holds no media: a failure when it was asked for by name."""
        if self.named:
            return SourceOutcome(self.uri, "failed", reason, "find")
        return SourceOutcome(self.uri, "skipped", _NOT_MEDIA_IN_A_FOLDER, "find")

    def failed(self, stage: str, reason: str) -> SourceOutcome:
        """Return that it failed."""
        return SourceOutcome(self.uri, "failed", reason, stage)

    def skipped(self, stage: str, reason: str) -> SourceOutcome:
        """Return that it was left out."""
        return SourceOutcome(self.uri, "skipped", reason, stage)

    def duplicate(self, reason: str, source_id: str) -> SourceOutcome:
        """Return that it was left out because its content is taken in already."""
        return SourceOutcome(self.uri, "skipped", reason, "find", source_id=source_id)


def place_of(uri: str) -> PurePath:
    """Return what to take the names of folder and file from, of a path or an address."""
    web = is_address(uri) and uri.startswith("http")
    return PurePath(unquote(uri.partition("?")[0]) if web else uri)


def find_sources(
    paths: Sequence[str], data_dir: Path, remote: RemoteFiles
) -> Iterator[Source | SourceOutcome]:
    """Yield the sources that paths name, in a stable order, each once.

    A path is a file, a folder (with all below it), or a pattern with ``*``, ``?``, ``[`` or ``**``;
    so are s3:// and gs:// addresses, while one of the web is a file. Hidden files are left out, and
    so is ``data_dir``, where Sightline keeps its own files. What cannot be taken in comes as an
    outcome with the reason.
    """
    seen: set[str] = set()
    for source in _named_by(paths, data_dir, remote):
        if source.uri not in seen:
            seen.add(source.uri)
            yield source


def _named_by(
    paths: Sequence[str], data_dir: Path, remote: RemoteFiles
) -> Iterator[Source | SourceOutcome]:
    for text in paths:
        if not text.strip() or "\0" in text:
            yield SourceOutcome(text.replace("\0", ""), "failed", "is no path", "find")
            continue
        if is_address(text):
            yield from _from_address(text, remote)
            continue
        if text.lower().startswith("file://"):
            text = unquote(urlsplit(text).path)
        path = local_path(text)
        if os.path.lexists(path):
            yield from _from_path(path, data_dir, named=True)
            continue
        matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(text) else []  # noqa: PTH207
        if not matches:
            reason = "matches no file" if glob.has_magic(text) else "does not exist"
            yield SourceOutcome(str(path), "failed", reason, "find")
        for match in matches:
            yield from _from_path(Path(match), data_dir, named=False)


def local_path(text: str) -> Path:
    """Return the absolute path that somebody means; symbolic links stay as they are."""
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111


def _from_path(path: Path, data_dir: Path, *, named: bool) -> Iterator[Source | SourceOutcome]:
    if os.path.isdir(path):  # noqa: PTH112 - False, not an error, where one may not look
        yield from _below(path, path.resolve(), data_dir)
    else:
        yield from _from_file(path, named=named)


def _below(folder: Path, root: Path, data_dir: Path) -> Iterator[Source | SourceOutcome]:
    # A stack, not recursion: folders may be nested deeper than Python may call.
    own = _identity(data_dir)
    levels = [_entries(folder)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif isinstance(entry, SourceOutcome):
            yield entry
        elif entry.is_symlink():
            # What a link inside the folder leads to is found under its own name.
            if not Path(entry.path).resolve().is_relative_to(root):
                reason = "is a symbolic link that leads out of the folder"
                yield SourceOutcome(entry.path, "skipped", reason, "find")
        elif entry.is_dir(follow_symlinks=False):
            if own is None or _identity(entry.path) != own:
                levels.append(_entries(Path(entry.path)))
        else:
            yield from _from_file(Path(entry.path), named=False)


def _identity(folder: Path | str) -> tuple[int, int] | None:
    """Return what tells a folder from every other, None when there is no such folder."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - of a name that need not become a Path
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> Iterator[os.DirEntry[str] | SourceOutcome]:
    """Yield what is in a folder by name, hidden files left out."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"cannot be listed: {error.strerror or error}"
        yield SourceOutcome(str(folder), "failed", reason, "find")
        return
    yield from (entry for entry in entries if not entry.name.startswith("."))


def _from_file(path: Path, *, named: bool) -> Iterator[Source | SourceOutcome]:
    source = Source(str(path), path, named)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            yield source.not_media("is not a file but a device, a pipe or a socket")
            return
        archive = (named or path.suffix.lower() == ".zip") and _starts_like_zip(path)
    except OSError as error:
        yield source.failed("find", f"cannot be read: {error.strerror or error}")
        return
    if not archive:
        yield source
        return
    try:
        yield from _from_zip(path)
    except MediaError as error:
        yield source.failed("archive", error.message)
    except OSError as error:
        yield source.failed("archive", f"cannot be read: {error.strerror or error}")


def _from_zip(path: Path) -> Iterator[Source | SourceOutcome]:
    with Archive(path) as archive:
        yield from _members(archive, str(path), path, None)


def _members(
    archive: Archive, within: str, path: Path, remote: RemoteFile | None
) -> Iterator[Source | SourceOutcome]:
    for member in archive.members():
        uri = f"{within}/{member.name}"
        if isinstance(member, Member):
            yield Source(uri, path, False, member, remote)
        elif member.failed:
            yield SourceOutcome(uri, "failed", member.reason, "archive")
        else:
            yield SourceOutcome(uri, "skipped", member.reason, "archive")


def _from_address(address: str, remote: RemoteFiles) -> Iterator[Source | SourceOutcome]:
    try:
        for file in remote.find(address):
            source = Source(file.uri, Path(file.uri), file.url == address, remote=file)
            if source.place.suffix.lower() == ".zip":
                yield from _from_remote_zip(source, file, remote)
            else:
                yield source
    except MediaError as error:
        yield SourceOutcome(without_secrets(address), "failed", error.message, "find")


def _from_remote_zip(
    source: Source, file: RemoteFile, remote: RemoteFiles
) -> Iterator[Source | SourceOutcome]:
    try:
        with remote.open_parts(file) as parts:
            if not is_zip(parts.read(HEAD_BYTES)):
                yield source
                return
            with Archive(parts) as archive:
                yield from _members(archive, source.uri, source.path, file)
    except MediaError as error:
        yield source.failed("archive", error.message)


def _starts_like_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return is_zip(file.read(HEAD_BYTES))
