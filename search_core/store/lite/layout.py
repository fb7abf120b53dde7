"""Where Milvus Lite 3.2 keeps what in its folder, and reading it without Milvus Lite, or where it
cannot be written.

    aliases.json                          alias -> collection; a library is an alias
    collections/NAME/schema.json          fields, and the properties Sightline keeps there
    collections/NAME/manifest.json        which data and deletion files count; .prev is its backup
    collections/NAME/partitions/P/data/   rows with their vectors, Parquet
    collections/NAME/partitions/P/delta/  ids of deleted rows, Parquet
    collections/NAME/partitions/P/indexes/  one index a data file, built from it
    collections/NAME/wal/                 rows not yet in a data file, Arrow streams

Milvus Lite deletes data files that its manifest does not name when it opens a collection. So a
collection whose manifest is damaged must not be opened before the manifest is restored.

Milvus Lite takes a lock in its folder, and writes logs and indexes there. Where that cannot be
written it is started on a view: a temporary folder that holds copies of the small files, and links
to the vectors and indexes, which are never changed once they are written. Whatever is written to a
view is lost with it; `write_lock` (endpoint.py) refuses every write before that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from search_core.errors import StoreReadOnly, in_words
from search_core.messages import Message

ALIASES = "aliases.json"
SCHEMA = "schema.json"
MANIFEST = "manifest.json"
MANIFEST_BACKUP = "manifest.json.prev"
DATABASE_PROPERTIES = "database_properties.json"
PARTITION = "_default"
LOG_NAME = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")
DATA_NAME = re.compile(r"(?:data|delta)_(\d+)_(\d+)\.parquet")
_MANIFEST_NUMBERS = ("version", "current_seq", "schema_version")
#: The property of a collection that holds its library's record, and the one that names its owner.
LIBRARY_PROPERTY = "sightline"
OWNER_PROPERTY = "sightline.owner"
REGIONS_PROPERTY = "sightline.regions"
LETTERING_PROPERTY = "sightline.lettering"


class Unreadable(ValueError):
    """A file does not hold what it must; ``str()`` says why, after the file's name."""


def collections(lite_dir: Path) -> list[Path]:
    """Return the folders of all collections, whole or not, by name."""
    return sorted(path for path in (lite_dir / "collections").glob("*") if path.is_dir())


def partitions(collection: Path) -> list[Path]:
    """Return the folders of a collection's partitions."""
    return sorted(path for path in (collection / "partitions").glob("*") if path.is_dir())


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises Unreadable, and FileNotFoundError."""
    content = path.read_bytes()
    if (why := blank(content)) is not None:
        raise Unreadable(why)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable(Message("is cut or overwritten")) from None
    if not isinstance(found, dict):
        raise Unreadable(Message("is overwritten"))
    return found


def read_aliases(lite_dir: Path) -> dict[str, str]:
    """Return collections by their aliases, none where there is no file; raises Unreadable."""
    try:
        found = read_object(lite_dir / ALIASES)
    except FileNotFoundError:
        return {}
    if not all(isinstance(target, str) for target in found.values()):
        raise Unreadable(Message("is overwritten"))
    return found


def read_schema(collection: Path) -> dict[str, Any]:
    """Return a collection's schema; raises Unreadable, and FileNotFoundError."""
    schema = read_object(collection / SCHEMA)
    fields, properties = schema.get("fields"), schema.get("properties", {})
    named = isinstance(schema.get("collection_name"), str) and "version" in schema
    if not named or not isinstance(properties, dict) or not _are_fields(fields):
        raise Unreadable(Message("is overwritten"))
    return schema


def _are_fields(fields: object) -> bool:
    return isinstance(fields, list) and all(
        isinstance(field, dict) and _is_text(field.get("name")) and _is_text(field.get("dtype"))
        for field in fields
    )


def library_record(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of the library that a collection is of, None where it is of none."""
    try:
        record = json.loads(schema["properties"][LIBRARY_PROPERTY])
    except (KeyError, TypeError, ValueError):
        return None
    return record if isinstance(record, dict) and "library" in record else None


def is_owned(schema: dict[str, Any]) -> bool:
    """Whether a process makes or removes a collection, or ended while it did."""
    return bool(schema.get("properties", {}).get(OWNER_PROPERTY))


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest; raises Unreadable, and FileNotFoundError."""
    manifest = read_object(path)
    parts, specs = manifest.get("partitions"), manifest.get("index_specs") or {}
    whole = (
        isinstance(parts, dict)
        and all(_is_partition(part) for part in parts.values())
        and isinstance(specs, dict)
        and all(_is_index(spec) for spec in specs.values())
        and all(type(manifest.get(name, 0)) is int for name in _MANIFEST_NUMBERS)
        # A collection that was not written to since it was opened has no log.
        and type(manifest.get("active_wal_number")) in (int, NoneType)
    )
    if not whole:
        raise Unreadable(Message("is overwritten"))
    return manifest


def _is_partition(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    lists = [part.get(kind, []) for kind in ("data_files", "delta_files")]
    return all(isinstance(names, list) and all(map(_is_text, names)) for names in lists)


def _is_index(spec: object) -> bool:
    if not isinstance(spec, dict):
        return False
    texts = [spec.get(name) for name in ("field_name", "index_type", "metric_type")]
    params = [spec.get(name) or {} for name in ("build_params", "search_params")]
    return all(map(_is_text, texts)) and all(isinstance(of, dict) for of in params)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def listed_files(manifest: dict[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """Yield partition and path of each file in a manifest's ``data_files`` or ``delta_files``."""
    for partition, part in manifest["partitions"].items():
        for name in part.get(kind, ()):
            yield partition, str(name)


def blank(content: bytes) -> str | None:
    """Return what a file without content is, None for one with content."""
    if not content:
        return Message("is empty")
    return Message("holds nothing but zeros") if not content.strip(b"\0") else None


def remove_flushed_logs(lite_dir: Path) -> None:
    """Remove logs of rows that a killed Milvus Lite had put into its files already.

    When it starts it replays each log that it finds. Killed after its manifest named the files and
    before their log was gone, it would have every one of those rows twice. What the manifest still
    needs is left, so this is safe at any time.
    """
    for manifest in lite_dir.glob(f"collections/*/{MANIFEST}"):
        try:
            active = json.loads(manifest.read_text(encoding="utf-8"))["active_wal_number"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # unreadable: leave it to Milvus Lite
        for log in manifest.parent.glob("wal/*.arrow"):
            named = LOG_NAME.fullmatch(log.name)
            if named and active is not None and int(named.group(1)) < active:
                log.unlink(missing_ok=True)


_LINKED = (".parquet", ".idx", ".sidx")


def is_read_only(lite_dir: Path) -> bool:
    """Whether an embedded Milvus is there that this user cannot write to."""
    if not lite_dir.is_dir():
        return False
    places = (lite_dir, lite_dir / "LOCK", lite_dir / "collections")
    return any(place.exists() and not os.access(place, os.W_OK) for place in places)


def make_view(lite_dir: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a view of a folder, removed when it is closed; raises StoreReadOnly."""
    try:
        view = tempfile.TemporaryDirectory(prefix="sightline-view-")
        _fill(lite_dir, Path(view.name) / lite_dir.name)
    except OSError as error:
        raise StoreReadOnly(
            "The embedded Milvus in {lite_dir} cannot be written, and not be read from a view "
            "either: {path}: {reason}.",
            "Give this user the right to read the data directory, or copy it and name the copy "
            "with --data-dir.",
            lite_dir=lite_dir,
            path=str(error.filename),
            reason=in_words(error),
        ) from error
    return view


def _fill(lite_dir: Path, view: Path) -> None:
    def refused(error: OSError) -> None:
        raise error

    for folder, _, names in os.walk(lite_dir, onerror=refused):
        place = view / Path(folder).relative_to(lite_dir)
        place.mkdir(parents=True)
        for name in names:
            path = Path(folder).resolve() / name
            if path.suffix in _LINKED:
                (place / name).symlink_to(path)
            elif name != "LOCK":
                shutil.copyfile(path, place / name)


def read_only(data_dir: Path) -> StoreReadOnly:
    """Return the error for something that writes to a data directory that cannot be written."""
    return StoreReadOnly(
        "The data directory {data_dir} cannot be written by this user: it can be searched only.",
        "Change its permissions, or choose another with --data-dir.",
        data_dir=data_dir,
    )
