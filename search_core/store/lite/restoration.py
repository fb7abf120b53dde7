"""Restore the damaged folder of an embedded Milvus from the files that are whole.

The list of libraries comes back from the collections, a collection's description from its vectors
and their encoder, its list of vector files from the files there are, and an index from its vectors
(Milvus Lite builds one that is not there). Rows whose vector file is damaged are gone from here:
:mod:`ingest.curation.verification` finds what lacks, by the ledger.

Nothing is lost for good: each file that is taken out or replaced is kept in a folder beside
``milvus.db``. Milvus Lite must not be running; its lock is held meanwhile.
"""

from __future__ import annotations

import calendar
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from search_core.encoders.base import Embeddings, EncoderIdentity
from search_core.errors import StoreBusy, UsageError
from search_core.indexes import DEFAULT_INDEX, IndexSpec, SearchParams, index_spec_from_dict
from search_core.schema.entity import (
    BOX_FIELD,
    EMBEDDING_FIELD,
    STORED_FIELDS,
    TAG_MAX_LENGTH,
    TAGS_MAX_CAPACITY,
)
from search_core.store.library import LibraryInfo
from search_core.store.lite import layout
from search_core.store.lite.inspection import Damage, Part, parquet_fault, vectors_in
from search_core.store.lite.layout import Unreadable
from search_core.store.milvus.schema import BOX_CAPACITY, VARCHAR_LENGTHS
from search_core.system.locks import file_lock

#: A collection's name: its library, when it was made, and a random part.
_COLLECTION_NAME = re.compile(r"(?P<library>\w+)_(?P<made>\d{14})_[0-9a-f]+")


class Restoration:
    """One restoration of one folder, which holds Milvus Lite's lock while it works.

    Raises StoreBusy where a process uses the folder.
    """

    def __init__(self, lite_dir: Path) -> None:
        self._lite_dir = lite_dir
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        self._kept = lite_dir.with_name(f"{lite_dir.name}.damaged") / stamp

    def restore(
        self, damages: Sequence[Damage], encoders: Mapping[str, EncoderIdentity]
    ) -> list[Damage]:
        """Restore what is damaged and return what could not be.

        ``encoders`` holds, by collection, the encoder whose vectors are in a collection whose
        description is damaged; one that is not in it stays as it is.
        """
        with self._locked():
            left = [
                item
                for item in damages
                if item.part == "schema"
                and item.collection not in encoders
                and self._has_vectors(item.collection)
            ]
            stuck = {item.collection for item in left}
            mendable = [item for item in damages if item.collection not in stuck]
            for item in mendable:
                if item.part in ("vectors", "deletions", "index", "log", "properties"):
                    self._keep(item.path)
            self._restore_collections(mendable, encoders)
            if any(item.part in ("aliases", "collection", "schema") for item in mendable):
                self._write_aliases(stuck)
        return left + [item for item in damages if item.collection in stuck and item not in left]

    @property
    def kept(self) -> Path | None:
        """Where the damaged files are kept, None where there were none to keep."""
        return self._kept if self._kept.exists() else None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        busy = StoreBusy(
            "Another Sightline command is using {uri}.",
            "Stop it (or `sightline serve`), then run `sightline verify --repair` again.",
            uri=self._lite_dir,
        )
        with file_lock(self._lite_dir / "LOCK", busy=busy):
            yield

    def _keep(self, path: Path) -> None:
        """Move a file or folder to where the damaged ones are kept."""
        if not path.exists():
            return
        kept = self._kept / path.relative_to(self._lite_dir)
        kept.parent.mkdir(parents=True, exist_ok=True)
        for number in count(2):
            if not kept.exists():
                break
            kept = kept.with_name(f"{path.name}.{number}")
        shutil.move(path, kept)

    def _has_vectors(self, collection: str) -> bool:
        folder = self._lite_dir / "collections" / collection
        return any(row_files(folder)) or any((folder / "wal").glob("*.arrow"))

    def _restore_collections(
        self, damages: Sequence[Damage], encoders: Mapping[str, EncoderIdentity]
    ) -> None:
        by_collection: dict[str, dict[Part, Damage]] = {}
        for item in damages:
            if item.collection:
                by_collection.setdefault(item.collection, {})[item.part] = item
        for name, parts in by_collection.items():
            folder = self._lite_dir / "collections" / name
            if "schema" in parts:
                if name not in encoders:  # and without vectors: nothing of it is of use
                    self._keep(folder)
                    continue
                self._write_schema(folder, parts["schema"].library, encoders[name])
            if parts.keys() & {"manifest", "vectors", "deletions"}:
                self._write_manifest(folder)
            elif "backup" in parts:
                self._keep(folder / layout.MANIFEST_BACKUP)
                shutil.copy2(folder / layout.MANIFEST, folder / layout.MANIFEST_BACKUP)

    def _write_schema(self, folder: Path, library: str, encoder: EncoderIdentity) -> None:
        """Write a collection's description anew, from its vector files and their encoder."""
        named = _COLLECTION_NAME.fullmatch(folder.name)
        made = time.strptime(named["made"], "%Y%m%d%H%M%S") if named else time.gmtime()
        library = library or (named["library"] if named else folder.name)
        spec = _index_spec(folder)
        info = LibraryInfo(
            library,
            folder.name,
            encoder,
            spec.get("metric_type", "COSINE"),
            _index_of(spec),
            SearchParams(),
            calendar.timegm(made) * 1000,
        )
        schema = {
            "collection_name": folder.name,
            "schema_format_version": 2,
            "version": 1,
            "enable_dynamic_field": False,
            "properties": {
                layout.LIBRARY_PROPERTY: json.dumps(info.to_dict()),
                layout.REGIONS_PROPERTY: "yes",  # there may be some: keyframes are told from them
                layout.LETTERING_PROPERTY: "yes",
            },
            "fields": _fields(folder, encoder.dim),
        }
        self._replace(folder / layout.SCHEMA, schema)

    def _write_manifest(self, folder: Path) -> None:
        """Write a collection's list of vector files anew, of those that are there and whole.

        Where the old list can be read, no other file counts.
        """
        listed: dict[str, Any] | None = None
        with suppress(Unreadable, FileNotFoundError):
            listed = layout.read_manifest(folder / layout.MANIFEST)
        before = listed or _backup(folder) or {}
        parts: dict[str, dict[str, list[str]]] = {}
        last = int(before.get("current_seq", 0)) if listed else 0
        for partition in sorted(
            {layout.PARTITION, *(path.name for path in layout.partitions(folder))}
        ):
            parts[partition] = {}
            for kind, name in (("data_files", "data"), ("delta_files", "delta")):
                found = sorted((folder / "partitions" / partition / name).glob("*.parquet"))
                if listed is not None:
                    names = {
                        path for of, path in layout.listed_files(listed, kind) if of == partition
                    }
                    found = [path for path in found if f"{name}/{path.name}" in names]
                sound = [path for path in found if self._is_sound(path)]
                counting = _not_merged(sound) if listed is None else sound
                last = max([last, *(_sequence(path)[1] for path in counting)])
                parts[partition][kind] = [f"{name}/{path.name}" for path in counting]
        spec = _spec_of(folder)
        manifest = {
            "manifest_format_version": 2,
            "version": int(before.get("version", 0)) + 1,
            "current_seq": max(last, int(before.get("current_seq", 0))),
            "schema_version": int(before.get("schema_version", 1)),
            "active_wal_number": _next_log(folder, last),
            "partitions": parts,
            "index_specs": before.get("index_specs") or ({EMBEDDING_FIELD: spec} if spec else {}),
        }
        self._replace(folder / layout.MANIFEST, manifest)
        self._keep(folder / layout.MANIFEST_BACKUP)
        shutil.copy2(folder / layout.MANIFEST, folder / layout.MANIFEST_BACKUP)

    def _is_sound(self, path: Path) -> bool:
        """Whether a Parquet file can be read; one that cannot is kept aside."""
        if layout.DATA_NAME.fullmatch(path.name) and not parquet_fault(path):
            return True
        self._keep(path)
        return False

    def _write_aliases(self, stuck: set[str]) -> None:
        """Write the list of libraries anew, from what the collections say that they are of."""
        try:
            aliases = layout.read_aliases(self._lite_dir)
        except Unreadable:
            aliases = {}
        folders = {folder.name: folder for folder in layout.collections(self._lite_dir)}
        wanted = {alias: name for alias, name in aliases.items() if name in folders}
        for name, folder in folders.items():  # by their names, in which the newest comes last
            with suppress(Unreadable, FileNotFoundError):
                schema = layout.read_schema(folder)
                record = layout.library_record(schema)
                if record is None or layout.is_owned(schema):
                    continue
                library = str(record["library"])
                if library not in aliases or aliases[library] not in folders:
                    wanted[library] = name
        for name in stuck & folders.keys():
            named = _COLLECTION_NAME.fullmatch(name)
            if named and named["library"] not in wanted:
                wanted[named["library"]] = name
        if wanted != aliases or not (self._lite_dir / layout.ALIASES).exists():
            self._replace(self._lite_dir / layout.ALIASES, wanted)

    def _replace(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one step; the one that was there is kept."""
        draft = path.with_name(f"{path.name}.restored")
        draft.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
        self._keep(path)
        draft.replace(path)


def row_files(collection: Path) -> list[Path]:
    """Return a collection's vector files that can be read, listed or not."""
    found = sorted(collection.glob("partitions/*/data/*.parquet"))
    return [
        path for path in found if layout.DATA_NAME.fullmatch(path.name) and not parquet_fault(path)
    ]


def sample_rows(collection: Path, limit: int) -> list[tuple[str, Embeddings]]:
    """Return thumbnail and embedding (dim,) of some of a collection's rows."""
    import pyarrow.parquet as pq

    found: list[tuple[str, Embeddings]] = []
    for path in row_files(collection):
        table = pq.read_table(path, columns=["thumbnail", EMBEDDING_FIELD]).slice(0, limit)
        found += zip(table.column("thumbnail").to_pylist(), vectors_in(table), strict=True)
    return found[:limit]


def _sequence(path: Path) -> tuple[int, int]:
    """Return the first and the last number of the writes in a Parquet file."""
    named = layout.DATA_NAME.fullmatch(path.name)
    return (int(named[1]), int(named[2])) if named else (0, 0)


def _not_merged(found: Sequence[Path]) -> list[Path]:
    """Return the files that no other covers: a merged one lies beside its parts after a kill."""

    def covers(one: Path, other: Path) -> bool:
        (first, last), (begin, end) = _sequence(one), _sequence(other)
        return one != other and first <= begin and end <= last

    return [path for path in found if not any(covers(other, path) for other in found)]


def _next_log(folder: Path, last: int) -> int:
    """Return the number of the first log that holds writes later than ``last``.

    Logs with lower numbers were written to files already, and are removed at the next opening.
    """
    import pyarrow as pa

    numbers: dict[int, int] = {}
    for path in (folder / "wal").glob("*.arrow"):
        named = layout.LOG_NAME.fullmatch(path.name)
        if named is None:
            continue
        newest = numbers.get(int(named[1]), 0)
        with suppress(pa.ArrowException, OSError), pa.OSFile(str(path), "rb") as source:
            for batch in pa.ipc.open_stream(source):
                newest = max([newest, *batch.column("_seq").to_pylist()])
        numbers[int(named[1])] = newest
    unwritten = [number for number, newest in numbers.items() if newest > last]
    return min(unwritten, default=max(numbers, default=0) + 1)


def _backup(folder: Path) -> dict[str, Any]:
    with suppress(Unreadable, FileNotFoundError):
        return layout.read_manifest(folder / layout.MANIFEST_BACKUP)
    return {}


def _index_spec(folder: Path) -> dict[str, Any]:
    """Return the vector index that a manifest, or its backup, names; {} where none does."""
    manifest = _backup(folder)
    with suppress(Unreadable, FileNotFoundError):
        manifest = layout.read_manifest(folder / layout.MANIFEST)
    return dict((manifest.get("index_specs") or {}).get(EMBEDDING_FIELD) or {})


def _fields(folder: Path, dim: int) -> list[dict[str, Any]]:
    """Return a collection's fields as its description has them, from its files' columns."""
    names = set(_columns(folder)) or set(STORED_FIELDS) | {EMBEDDING_FIELD}
    order = (*STORED_FIELDS, EMBEDDING_FIELD)
    fields = []
    for name in (field for field in order if field in names):
        field: dict[str, Any] = {"name": name, "dtype": "int64", "is_primary": name == "id"}
        if name == BOX_FIELD:
            field |= {"dtype": "array", "element_type": "double", "max_capacity": BOX_CAPACITY}
        if name in VARCHAR_LENGTHS:
            field |= {"dtype": "varchar", "max_length": VARCHAR_LENGTHS[name]}
        elif name == EMBEDDING_FIELD:
            field |= {"dtype": "float_vector", "dim": dim}
        elif name == "tags":
            field |= {
                "dtype": "array",
                "element_type": "varchar",
                "max_capacity": TAGS_MAX_CAPACITY,
                "max_length": TAG_MAX_LENGTH,
            }
        fields.append(field)
    return fields


def _columns(folder: Path) -> list[str]:
    """Return the columns of a collection's rows, none where it has no file with rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in row_files(folder):
        return list(pq.read_schema(path).names)
    for log in sorted((folder / "wal").glob("wal_data_*.arrow")):
        with suppress(pa.ArrowException, OSError), pa.OSFile(str(log), "rb") as source:
            return list(pa.ipc.open_stream(source).schema.names)
    return []


def _index_of(spec: Mapping[str, Any]) -> IndexSpec:
    """Return the index a manifest names as Sightline's; the default where it knows none."""
    with suppress(KeyError, TypeError, ValueError, UsageError):
        # Milvus writes efConstruction, Sightline's records ef_construction.
        built = {
            re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower(): value
            for name, value in spec["build_params"].items()
        }
        return index_spec_from_dict({"index_type": spec["index_type"], **built})
    return DEFAULT_INDEX


def _spec_of(folder: Path) -> dict[str, Any]:
    """Return the index of a library's record as a manifest has it, {} where it is not known."""
    try:
        record = layout.library_record(layout.read_schema(folder))
    except (Unreadable, FileNotFoundError):
        return {}
    if record is None:
        return {}
    info = LibraryInfo.from_dict(folder.name, record)
    return {
        "field_name": EMBEDDING_FIELD,
        "index_type": info.index.index_type,
        "metric_type": info.index.metric_for(info.metric),
        "build_params": info.index.build_params(),
        "search_params": {},
    }
