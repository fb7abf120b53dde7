"""Find damaged files in the folder of an embedded Milvus, by reading them.

A quick inspection reads what is small and the ends of what is large; it runs before each opening.
A deep one decodes every file, for `sightline verify` and `sightline doctor`, and where Milvus Lite
fails. Neither changes anything, and both are safe while Milvus Lite is not running on the folder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from search_core.encoders.base import Embeddings
from search_core.errors import StoreDamaged, StoreUnavailable, in_words
from search_core.messages import Message
from search_core.schema.entity import EMBEDDING_FIELD
from search_core.store.lite import layout
from search_core.store.lite.layout import Unreadable

Part = Literal[
    "aliases", "properties", "collection", "schema", "manifest", "backup", "vectors", "deletions",
    "index", "log",
]  # fmt: skip
#: How each part is named to people.
PART_NAMES: dict[Part, str] = {
    "aliases": Message("list of libraries"),
    "properties": Message("list of properties"),
    "collection": Message("collection's folder"),
    "schema": Message("collection's description"),
    "manifest": Message("list of vector files"),
    "backup": "backup of the list of vector files",
    "vectors": Message("vector file"),
    "deletions": Message("list of deleted keyframes"),
    "index": Message("index file"),
    "log": "log of the last writes",
}
#: Parts without which a collection can be opened and read without losing anything more.
_HARMLESS: frozenset[Part] = frozenset({"backup", "log"})
REPAIR_HINT = Message(
    "`sightline verify --repair` restores it, and keeps the damaged files; "
    "stop `sightline serve` first."
)
_PARQUET_FILES: tuple[tuple[Part, str], ...] = (
    ("vectors", "data_files"),
    ("deletions", "delta_files"),
)
_PARQUET = b"PAR1"
_ARROW = b"\xff\xff\xff\xff"
_NPY = b"\x93NUMPY"
#: Vectors of an index that a deep inspection searches for: the first, the last, some between.
_SAMPLE = 96
_ALIKE = 0.9
_APPROXIMATE_FOUND = 0.75
_LENGTH_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file: which part of which collection it is, and what is wrong with it.

    ``collection`` is "" for what concerns all collections, ``library`` "" where it is not known.
    """

    part: Part
    path: Path
    fault: str
    collection: str = ""
    library: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the collection must not be opened before it is restored."""
        return self.part not in _HARMLESS

    @property
    def detail(self) -> str:
        """What is wrong, without the file's name."""
        return Message("the {what} {reason}", what=PART_NAMES[self.part], reason=self.fault)

    def error(self) -> StoreDamaged:
        """Return the error for whoever needs this file."""
        return StoreDamaged(
            "The library {name} is damaged: {path} ({what}) {reason}."
            if self.library
            else "The embedded Milvus is damaged: {path} ({what}) {reason}.",
            REPAIR_HINT,
            name=self.library,
            path=self.path,
            what=PART_NAMES[self.part],
            reason=self.fault,
        )


def inspect(lite_dir: Path, *, deep: bool = False) -> list[Damage]:
    """Return the damaged files of an embedded Milvus; ``deep`` decodes every file.

    Raises StoreUnavailable where this user may not read them.
    """
    if not lite_dir.is_dir():
        return []
    try:
        return list(_Inspection(lite_dir, deep).run())
    except PermissionError as error:
        raise StoreUnavailable(
            "The embedded Milvus cannot be read: {path}: {reason}.",
            "Give this user the right to read the data directory, or choose another with "
            "--data-dir.",
            path=str(error.filename),
            reason=in_words(error),
        ) from error


class _Inspection:
    def __init__(self, lite_dir: Path, deep: bool) -> None:
        self._lite_dir = lite_dir
        self._deep = deep
        self._aliases: dict[str, str] = {}
        self._are_known = (lite_dir / layout.ALIASES).exists()
        self._is_told = False  # whether the aliases are known to be damaged

    def run(self) -> Iterator[Damage]:
        properties = self._lite_dir / layout.DATABASE_PROPERTIES
        if properties.exists() and (fault := _fault(layout.read_object, properties)):
            yield Damage("properties", properties, fault)
        try:
            self._aliases = layout.read_aliases(self._lite_dir)
        except Unreadable as why:
            self._are_known, self._is_told = False, True
            yield Damage("aliases", self._lite_dir / layout.ALIASES, str(why))
        folders = {folder.name: folder for folder in layout.collections(self._lite_dir)}
        for alias, name in self._aliases.items():
            if name not in folders:
                path = self._lite_dir / "collections" / name
                yield Damage("collection", path, Message("is missing"), name, alias)
        for name, folder in folders.items():
            yield from self._collection(name, folder)

    def _collection(self, name: str, folder: Path) -> Iterator[Damage]:
        library = next((alias for alias, of in self._aliases.items() if of == name), "")
        try:
            schema = layout.read_schema(folder)
        except (Unreadable, FileNotFoundError) as why:
            if isinstance(why, Unreadable) or library or not is_leftover(folder, self._are_known):
                yield Damage("schema", folder / layout.SCHEMA, _said(why), name, library)
        else:
            record = layout.library_record(schema)
            if record is not None and not library and not layout.is_owned(schema):
                library = str(record["library"])
                if library not in self._aliases and not self._is_told:
                    fault = Message("lacks a library") if self._are_known else Message("is missing")
                    yield Damage("aliases", self._lite_dir / layout.ALIASES, fault, "", library)
        yield from self._files(name, folder, library)

    def _files(self, name: str, folder: Path, library: str) -> Iterator[Damage]:
        manifest, fault = _manifest(folder)
        if fault is not None:
            yield Damage("manifest", folder / layout.MANIFEST, fault, name, library)
        if manifest is None:
            return
        if fault is None and (why := _backup_fault(folder, manifest)):
            yield Damage("backup", folder / layout.MANIFEST_BACKUP, why, name, library)
        for part, kind in _PARQUET_FILES:
            for partition, relative in layout.listed_files(manifest, kind):
                path = folder / "partitions" / partition / relative
                if why := parquet_fault(path, deep=self._deep, unit_length=bool(library)):
                    yield Damage(part, path, why, name, library)
                elif part == "vectors":
                    yield from self._indexes(path, manifest, name, library)
        if self._deep:
            for log in sorted((folder / "wal").glob("*.arrow")):
                if why := _log_fault(log):
                    yield Damage("log", log, why, name, library)

    def _indexes(
        self, data: Path, manifest: dict[str, Any], name: str, library: str
    ) -> Iterator[Damage]:
        """Check the indexes there are of a data file; Milvus Lite builds one that is missing."""
        for spec in (manifest.get("index_specs") or {}).values():
            stem = f"{data.stem}.{spec['field_name']}.{spec['index_type'].lower()}.idx"
            path = data.parent.parent / "indexes" / stem
            if not path.exists():
                continue
            why = _index_ends(path)
            if why is None and self._deep:
                why = _index_content(path, data, spec)
            if why is not None:
                yield Damage("index", path, why, name, library)


def is_leftover(collection: Path, are_aliases_known: bool) -> bool:
    """Whether a collection's folder without schema and alias is what a kill left of it.

    A collection that is made has no files yet; of one that is dropped the alias went before, which
    only a list of aliases can show.
    """
    return are_aliases_known or not any(collection.glob("**/*.*"))


def _fault(read: Any, path: Path) -> str | None:
    try:
        read(path)
    except (Unreadable, FileNotFoundError) as why:
        return _said(why)
    return None


def _said(error: Unreadable | FileNotFoundError) -> str:
    return str(error) if isinstance(error, Unreadable) else Message("is missing")


def _manifest(folder: Path) -> tuple[dict[str, Any] | None, str | None]:
    """Return a collection's manifest and what is wrong with it; a new collection has none."""
    path, backup = folder / layout.MANIFEST, folder / layout.MANIFEST_BACKUP
    try:
        return layout.read_manifest(path), None
    except Unreadable as why:
        fault = str(why)
    except FileNotFoundError:
        files = any(any(part.glob("*/*.parquet")) for part in layout.partitions(folder))
        if not files and not backup.exists():
            return None, None
        fault = Message("is missing")
    return None, fault


def _backup_fault(folder: Path, manifest: dict[str, Any]) -> str | None:
    """Return what is wrong with the backup of a manifest; its first version has none."""
    path = folder / layout.MANIFEST_BACKUP
    if not path.exists():
        return Message("is missing") if int(manifest.get("version", 0)) > 1 else None
    return _fault(layout.read_manifest, path)


def parquet_fault(path: Path, *, deep: bool = True, unit_length: bool = False) -> str | None:
    """Return what is wrong with a Parquet file, None where it is whole.

    ``unit_length``: its embeddings must have length 1.
    """
    try:
        if why := _parquet_ends(path):
            return why
        return _parquet_content(path, unit_length=unit_length) if deep else None
    except FileNotFoundError:
        return Message("is missing")


def _parquet_ends(path: Path) -> str | None:
    """Return what is wrong with the ends of a Parquet file, where its magic numbers stand."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(_PARQUET))
        if size < 12:
            return layout.blank(head) or Message("is cut")
        file.seek(-8, 2)
        length, tail = struct.unpack("<I4s", file.read(8))
    if head == _PARQUET and tail == _PARQUET and length <= size - 12:
        return None
    return layout.blank(head + tail) or (
        Message("is cut") if head == _PARQUET else Message("is overwritten")
    )


def _parquet_content(path: Path, *, unit_length: bool) -> str | None:
    """Return what is wrong with a Parquet file that is decoded as a whole.

    ``unit_length``: its embeddings have length 1. Zeros that a power failure left in the middle of
    a page may decode as numbers, and show in this way only.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        return Message("is overwritten")
    if unit_length and EMBEDDING_FIELD in table.column_names:
        lengths = np.linalg.norm(vectors_in(table), axis=1)
        if not bool(np.all(np.abs(lengths - 1.0) < _LENGTH_TOLERANCE)):
            return Message("is overwritten in part")
    return None


def vectors_in(table: Any, field: str = EMBEDDING_FIELD) -> Embeddings:
    """Return a table's vectors, (n, dim) float32."""
    column = table.column(field).combine_chunks()
    flat: Embeddings = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return flat.reshape(len(column), -1)


def _index_ends(path: Path) -> str | None:
    """Return what is wrong with an index file as far as its size and its first bytes tell."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(128)
    if (why := layout.blank(head)) is not None:
        return why
    if head.startswith(_NPY):
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError, OSError):
            return Message("is cut")
        return None if size == mapped.offset + mapped.nbytes else Message("is cut")
    return None


def _index_content(path: Path, data: Path, spec: dict[str, Any]) -> str | None:
    """Return what is wrong with an index held against the vectors it was built from."""
    import pyarrow.parquet as pq
    from milvus_lite.index.factory import load_index_from_spec
    from milvus_lite.index.spec import IndexSpec

    try:
        field = str(spec["field_name"])
        vectors = vectors_in(pq.read_table(data, columns=[field]), field)
        if not len(vectors):
            return None
        index = load_index_from_spec(IndexSpec.from_dict(spec), str(path), vectors.shape[1])
        if index.num_vectors != len(vectors):
            return Message("is overwritten")
        rows = np.unique(np.linspace(0, len(vectors) - 1, _SAMPLE, dtype=np.int64))
        ids, distances = index.search(vectors[rows], 1)
    except Exception:  # whatever a damaged file makes the index's library raise
        return Message("is cut or overwritten")
    wanted, best = vectors[rows], vectors[np.maximum(ids[:, 0], 0)]
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(best, axis=1)
    alike = np.einsum("ij,ij->i", wanted, best) > _ALIKE * np.maximum(lengths, 1e-12)
    found = np.isfinite(distances[:, 0]) & (ids[:, 0] >= 0) & alike
    # An approximate index may miss a few of its own vectors.
    least = 1.0 if spec["index_type"] in ("FLAT", "BRUTE_FORCE") else _APPROXIMATE_FOUND
    return None if found.mean() >= least else Message("is overwritten in part")


def _log_fault(path: Path) -> str | None:
    """Return what is wrong with a log, as far as its beginning tells.

    Milvus Lite reads a log up to the write that a kill cut off; what is acknowledged and lacking is
    found by the ledger.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        return None  # made, and not yet written to
    return layout.blank(head) or (None if head.startswith(_ARROW) else Message("is overwritten"))


class Health:
    """What is known of the damage to an embedded Milvus while a process works with it."""

    def __init__(self, lite_dir: Path | None, *, is_running: bool = False) -> None:
        """Inspect the folder, but where Milvus Lite is running on it and may be writing."""
        self._lite_dir = lite_dir
        found = inspect(lite_dir) if lite_dir is not None and not is_running else []
        self._damage = [damage for damage in found if damage.blocks]

    def require(self, name: str) -> None:
        """Raise StoreDamaged where a library or a collection cannot be opened."""
        for damage in self._damage:
            if not damage.collection or (name and name in (damage.collection, damage.library)):
                raise damage.error()

    def require_all(self) -> None:
        """Raise StoreDamaged where any collection cannot be opened."""
        for damage in self._damage:
            raise damage.error()

    def explain(self) -> None:
        """Raise StoreDamaged where a deep inspection finds why Milvus Lite failed."""
        if self._lite_dir is None:
            return
        for damage in inspect(self._lite_dir, deep=True):
            if damage.blocks:
                raise damage.error()
