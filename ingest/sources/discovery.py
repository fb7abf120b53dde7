"""Paths, globs, zips and addresses to sources: each is one file, or one member of a zip."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote

from ingest.media.files import HEAD_BYTES, WAIT_STAGE, age_s, is_zip, still_written
from ingest.report import SourceOutcome
from ingest.sources.archives import Archive, Member
from ingest.sources.remote.addresses import without_secrets
from ingest.sources.remote.files import RemoteFile, RemoteFiles
from search_core.errors import MediaError, in_words
from search_core.messages import Message
from search_core.schema.entity import is_address

_NOT_MEDIA_IN_A_FOLDER = Message("not media")
#: Why a path names nothing; where it is a reason, there is no file of which anything can be said.
NO_SUCH_FILE = (Message("is not a path"), Message("matches no file"), Message("does not exist"))
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class Source:
    """One file to take in. ``uri`` is its name for people: its path or address, or archive/member.

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
    paths: Sequence[str], data_dir: Path, remote: RemoteFiles, *, watched: bool = False
) -> Iterator[Source | SourceOutcome]:
    """Yield the sources that paths name, in a stable order, each once.

    A path is a file, a folder (with all below it), or a pattern with ``*``, ``?``, ``[`` or ``**``;
    so are s3:// and gs:// addresses, while one of the web is a file. Hidden files are left out, and
    so is ``data_dir``, where Sightline keeps its own files. What cannot be taken in comes as an
    outcome with the reason. With ``watched``, paths are files that were found in a watched folder:
    as if the folder had been named, not they.
    """
    seen: set[str] = set()
    files = (source for path in paths for source in _from_file(Path(path), named=False))
    for source in files if watched else _named_by(paths, data_dir, remote):
        if source.uri not in seen:
            seen.add(source.uri)
            yield source


def _named_by(
    paths: Sequence[str], data_dir: Path, remote: RemoteFiles
) -> Iterator[Source | SourceOutcome]:
    for text in paths:
        if is_address(text):
            yield from _from_address(text, remote)
            continue
        if text.lower().startswith("file://"):
            _host, slash, rest = text[len("file://") :].partition("/")
            text = unquote(slash + rest)
        if not _is_path(text):
            shown = text.replace("\0", "").encode(errors="replace").decode()
            yield SourceOutcome(shown, "failed", "is not a path", "find")
            continue
        path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser may raise
        try:
            path = Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links
            path.lstat()
        except OSError as error:
            if glob.has_magic(str(path)):
                yield from _matching(path, data_dir)
            else:
                yield SourceOutcome(str(path), "failed", _why_not_found(error), "find")
        else:
            yield from _from_path(path, data_dir, named=True)


def _is_path(text: str) -> bool:
    try:
        return bool(text.strip()) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _why_not_found(error: OSError) -> str:
    """Return why a path that was named leads to nothing."""
    if error.errno in _NOT_THERE:
        return Message("does not exist")
    return Message("cannot be read: {error}", error=in_words(error))


#: A path that part of a pattern matched, and the parts that are still to match.
_Match = tuple[Path, tuple[str, ...]]


def _matching(pattern: Path, data_dir: Path) -> Iterator[Source | SourceOutcome]:
    """Yield the sources that a pattern names.

    Unlike glob.glob, report folders that cannot be listed, and let ``**`` follow no symbolic
    links: two links to a parent folder are enough for 2**40 paths.
    """
    own = _identity(data_dir)
    start: _Match = Path(pattern.anchor), pattern.parts[1:]
    levels: list[Iterator[_Match | SourceOutcome]] = [iter([start])]
    found = False
    while levels:
        match = next(levels[-1], None)
        if match is None:
            levels.pop()
        elif isinstance(match, SourceOutcome):
            found = True
            yield match
        elif own is not None and _identity(match[0]) == own:
            continue
        elif match[1]:
            levels.append(_expanded(*match))
        else:
            found = True
            yield from _from_path(match[0], data_dir, named=False)
    if not found:
        yield SourceOutcome(str(pattern), "failed", "matches no file", "find")


def _expanded(folder: Path, parts: tuple[str, ...]) -> Iterator[_Match | SourceOutcome]:
    """Match the first part of a pattern with what is in a folder."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        while rest[:1] == ("**",):  # several in a row match what one does, many times over
            rest = rest[1:]
        yield from _levels_below(folder, rest)
        return
    try:
        (folder / part).lstat()
    except OSError as error:
        if glob.has_magic(part):
            yield from _named_like(folder, part, rest)
        elif error.errno not in _NOT_THERE:
            yield SourceOutcome(str(folder / part), "failed", _why_not_found(error), "find")
    else:
        yield folder / part, rest  # as it is: a name may contain a bracket


def _levels_below(folder: Path, rest: tuple[str, ...]) -> Iterator[_Match | SourceOutcome]:
    """Match ``**``: the folder itself, then each folder in it."""
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises PermissionError
        return
    yield folder, rest
    if not rest:
        return  # all below the folder is taken with it
    for entry in _entries(folder):
        if isinstance(entry, SourceOutcome):
            yield entry
        elif entry.is_dir(follow_symlinks=False):
            yield Path(entry.path), ("**", *rest)


def _named_like(folder: Path, part: str, rest: tuple[str, ...]) -> Iterator[_Match | SourceOutcome]:
    """Match ``*``, ``?`` and ``[`` with the names in a folder."""
    if not os.path.isdir(folder):  # noqa: PTH112
        return
    matches = re.compile(fnmatch.translate(part)).match
    for entry in _entries(folder, hidden=part.startswith(".")):
        if isinstance(entry, SourceOutcome):
            yield entry
        elif matches(entry.name) and (not rest or os.path.isdir(entry)):  # noqa: PTH112
            yield Path(entry.path), rest


def local_path(text: str) -> Path:
    """Return the absolute path of a typed one; symbolic links stay as they are."""
    return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111


def _from_path(path: Path, data_dir: Path, *, named: bool) -> Iterator[Source | SourceOutcome]:
    if os.path.isdir(path):  # noqa: PTH112 - False, not an error, where one may not look
        yield from _below(path, Path(os.path.realpath(path)), data_dir)
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
            if reason := _why_not_followed(entry.path, root):
                yield SourceOutcome(entry.path, "skipped", reason, "find")
        elif entry.is_dir(follow_symlinks=False):
            if own is None or _identity(entry.path) != own:
                levels.append(_entries(Path(entry.path)))
        else:
            yield from _from_file(Path(entry.path), named=False)


def _why_not_followed(link: str, root: Path) -> str:
    """Return why a symbolic link inside the folder ``root`` is left out.

    Return "" where it leads to something in ``root``, which is found under its own name.
    """
    try:
        os.stat(link)  # noqa: PTH116 - of a name that need not become a Path
    except OSError as error:
        return _broken_link(error)
    inside = Path(os.path.realpath(link)).is_relative_to(root)
    return "" if inside else Message("is a symbolic link that leads out of the folder")


def _broken_link(error: OSError) -> str:
    """Return why a symbolic link cannot be followed."""
    if error.errno == errno.ELOOP:
        return Message("is a symbolic link that leads to itself")
    if error.errno in _NOT_THERE:
        return Message("is a symbolic link to a file that does not exist")
    return Message("is a symbolic link that cannot be followed: {error}", error=in_words(error))


def _identity(folder: Path | str) -> tuple[int, int] | None:
    """Return what tells a folder from every other, None when there is no such folder."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - of a name that need not become a Path
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _entries(folder: Path, *, hidden: bool = False) -> Iterator[os.DirEntry[str] | SourceOutcome]:
    """Yield what is in a folder by name, without hidden files unless ``hidden`` is set."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        reason = Message("cannot be listed: {error}", error=in_words(error))
        yield SourceOutcome(str(folder), "failed", reason, "find")
        return
    yield from (entry for entry in entries if hidden or not entry.name.startswith("."))


def _from_file(path: Path, *, named: bool) -> Iterator[Source | SourceOutcome]:
    source = Source(str(path), path, named)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            yield source.not_media("is not a file but a device, a pipe or a socket")
            return
        archive = (named or path.suffix.lower() == ".zip") and _starts_like_zip(path)
        waiting = still_written(path, age_s(status)) if archive else ""
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises PermissionError
            reason = _broken_link(error)
            yield source.failed("find", reason) if named else source.skipped("find", reason)
        else:
            yield source.failed("find", Message("cannot be read: {error}", error=in_words(error)))
        return
    if not archive:
        yield source
        return
    if waiting:
        yield source.skipped(WAIT_STAGE, waiting)
        return
    try:
        yield from _from_zip(path)
    except MediaError as error:
        yield source.failed("archive", error.message)
    except OSError as error:
        yield source.failed("archive", Message("cannot be read: {error}", error=in_words(error)))


def _from_zip(path: Path) -> Iterator[Source | SourceOutcome]:
    with Archive(path) as archive:
        is_empty = True
        for found in _members(archive, str(path), path, None):
            is_empty = False
            yield found
        if is_empty:
            yield SourceOutcome(str(path), "skipped", "is an archive without files", "archive")


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


def file_of(uri: str) -> str:
    """Return the file to ingest for a source: of an archive's member, the archive."""
    if is_address(uri):
        archive, zipped, _ = uri.partition(".zip/")
        return archive + zipped.rstrip("/")
    path = Path(uri)
    for candidate in (path, *path.parents):
        if candidate.is_file():
            return str(candidate)
    return uri
