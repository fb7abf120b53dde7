"""A bundle of evidence: one zip that says where everything in it is from, and that proves itself.

It holds pictures at full size and clips, a sheet to print, the list as CSV and JSON, the lines of
the audit log, and ``SHA256SUMS`` over all of them (:mod:`ingest.evidence.verification`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import textwrap
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from PIL import Image

from ingest.evidence.cases import Case, Item
from ingest.evidence.originals import Originals, cut_moment, picture_of
from ingest.evidence.sheet import PICTURE_PX, Exhibit, sheet_pdf
from ingest.ledger import Ledger
from ingest.media.video.clips import Span, blurred
from ingest.sources.media_locator import FileState, fingerprint
from search_core.access.audit_log import AuditLog
from search_core.errors import MediaError, UsageError, in_words
from search_core.messages import Message
from search_core.schema.entity import CapturedFrom, MediaEntity, clock_from_ms, iso_from_ms
from search_core.settings import Settings
from search_core.system.cancellation import Interrupted
from search_core.system.machine import disk_full, is_full

FORMAT = "sightline-evidence/1"
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
_CHUNK_BYTES = 1024**2
_JPEG_QUALITY = 95
_NAME_CHARACTERS = 60
#: The audit log is read back so far for what is about a case.
_MOST_EVENTS = 100_000
_UNSAFE = re.compile(r"[^\w-]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SAID: dict[FileState, str] = {
    "as taken in": "",
    "changed": "The file has changed since it was taken in.",
    "gone": "The file is gone.",
    "not compared": "",
}
#: What is said of times that do not come from the moment of capture.
_DOUBTED: Mapping[CapturedFrom, str] = {
    "modified": " (last change)",
    "day": " (day only)",
    "file": " (file's time)",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says and holds: ``about`` are plain JSON values for its manifest.

    ``lines`` stand at the head of the sheet, ``audit`` are lines of the audit log. Times are shown
    in ``zone`` and in UTC.
    """

    title: str
    items: Sequence[Item]
    zone: tzinfo
    about: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    audit: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written: the SHA-256 of its SHA256SUMS, and what is not as asked."""

    fingerprint: str
    remarks: tuple[str, ...]


class BundleWriter:
    """Writes bundles from the originals that a ledger knows.

    Photographs are copied as they are, up to ``room_bytes`` in all where that is given.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        room_bytes: int | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._originals = Originals(settings, ledger)
        self._room_bytes = room_bytes
        self._should_stop = should_stop
        self._on_progress = on_progress

    def save(self, bundle: Bundle, target: Path) -> Written:
        """Write a bundle to a file, whole or not at all; raises DiskFull, UsageError as well."""
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                written = self.write(bundle, file)
            part.replace(target)
        except OSError as error:
            raise (
                disk_full(target)
                if is_full(error)
                else UsageError(
                    "{path} cannot be written: {reason}.",
                    "Choose another place for it.",
                    path=target,
                    reason=in_words(error),
                )
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return written

    def write(self, bundle: Bundle, target: IO[bytes]) -> Written:
        """Write a bundle; what cannot be had of an original is remarked, and never left out.

        Raises Interrupted, OSError.
        """
        sums: dict[str, str] = {}
        remarks: list[str] = []
        records: list[dict[str, Any]] = []
        exhibits: list[Exhibit] = []
        with (
            TemporaryDirectory(prefix="sightline-") as scratch,
            zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive,
        ):
            for place, item in enumerate(bundle.items, start=1):
                if self._should_stop():
                    raise Interrupted
                self._on_progress(place - 1, len(bundle.items))
                record = self.record(item, place, bundle.zone)
                picture = self._put(archive, sums, record, item, Path(scratch), bundle.zone)
                if record["remark"]:
                    remarks.append(f"{place}: {record['remark']}")
                records.append(record)
                exhibits.append(_exhibit(record, item, picture, bundle.zone))
            texts = {
                "items.csv": as_csv(records),
                "sheet.pdf": sheet_pdf(bundle.title, _head(bundle), exhibits),
                "audit.jsonl": _lines(bundle.audit),
                MANIFEST: _json(_manifest(bundle, records)),
            }
            for name, data in texts.items():
                archive.writestr(name, data)
                sums[name] = hashlib.sha256(data).hexdigest()
            listing = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
            archive.writestr(SUMS, listing)
        self._on_progress(len(bundle.items), len(bundle.items))
        return Written(hashlib.sha256(listing).hexdigest(), tuple(remarks))

    def sheet(self, bundle: Bundle) -> bytes:
        """Return a bundle's sheet alone, as a PDF of thumbnails: no original is decoded."""
        exhibits = []
        for place, item in enumerate(bundle.items, start=1):
            thumbnail = self._thumbnail(item)
            picture = _rgb(thumbnail) if thumbnail is not None else None
            if picture is not None:
                picture = blurred(picture, item.boxes)
            record = self.record(item, place, bundle.zone)
            exhibits.append(_exhibit(record, item, picture, bundle.zone))
        return sheet_pdf(bundle.title, _head(bundle), exhibits)

    def record(self, item: Item, place: int, zone: tzinfo) -> dict[str, Any]:
        """Return what a bundle's lists say of an item, as plain JSON values.

        ``sha256`` is that of the whole file it is from, as it was taken in; ``original`` says what
        that file is now.
        """
        record: dict[str, Any] = {
            "place": place,
            "kind": item.kind,
            "note": item.note,
            "asked": item.asked,
            "score": None if item.score is None else round(item.score, 6),
            "added": iso_from_ms(item.added_ms),
            "added_by": item.added_by,
            "file": "",
            "file_sha256": "",
            "remark": "",
        }
        entity = item.entity
        if entity is None:
            return record
        known = fingerprint(self._ledger, entity, _place_of(entity))
        return record | {
            "library": item.library,
            "id": entity.id,
            "camera": entity.camera,
            "captured_at": iso_from_ms(entity.captured_at),
            "captured_local": _local(entity.captured_at, zone),
            "captured_from": entity.captured_from,
            "uri": entity.uri,
            "pts_ms": entity.pts_ms,
            "caption": entity.caption,
            "tags": list(entity.tags),
            "sha256": known.sha256,
            "original": known.file,
            "blurred": len(item.boxes),
        }

    def _put(
        self,
        archive: zipfile.ZipFile,
        sums: dict[str, str],
        record: dict[str, Any],
        item: Item,
        scratch: Path,
        zone: tzinfo,
    ) -> Image.Image | None:
        """Put an item's file into the zip; return a picture of it for the sheet."""
        entity = item.entity
        if entity is None:
            return None
        stem = f"{record['place']:03d}-{file_stem(entity, item.span, zone)}"
        try:
            with self._originals.file(item.library, entity) as source:
                return self._put_original(archive, sums, record, item, scratch / stem, source, zone)
        except MediaError as error:
            why = Message("{name} {reason}", name=Path(entity.uri).name, reason=error.message)
        thumbnail = self._thumbnail(item)
        if thumbnail is None:
            record["remark"] = f"{why}: there is no picture of it."
            return None
        record["remark"] = f"{why}: this is its thumbnail."
        image = _rgb(thumbnail)
        if item.boxes:
            image = blurred(image, item.boxes)
            self._store(archive, sums, record, f"{stem}.jpg", jpeg(image))
        else:
            self._store(archive, sums, record, f"{stem}.jpg", thumbnail.read_bytes())
        return image

    def _thumbnail(self, item: Item) -> Path | None:
        if item.entity is None or not item.entity.thumbnail:
            return None
        path = self._settings.data_dir / item.entity.thumbnail
        return path if path.is_file() else None

    def _put_original(
        self,
        archive: zipfile.ZipFile,
        sums: dict[str, str],
        record: dict[str, Any],
        item: Item,
        target: Path,
        source: Path,
        zone: tzinfo,
    ) -> Image.Image:
        entity = item.entity
        assert entity is not None
        image = blurred(
            picture_of(entity, source, max_pixels=self._settings.media.max_pixels), item.boxes
        )
        if item.kind == "clip":
            assert item.span is not None
            clip = cut_moment(
                self._settings,
                entity,
                source,
                target.parent,
                lambda shown: f"{record['place']:03d}-{file_stem(entity, shown, zone)}",
                item.span,
                exact=item.exact,
                boxes=item.boxes,
                should_stop=self._should_stop,
            )
            record |= {
                "cut": clip.cut,
                "asked_ms": [item.span.start_ms, item.span.end_ms],
                "shown_ms": [clip.span.start_ms, clip.span.end_ms],
                "remark": clip.note,
            }
            self._store(archive, sums, record, clip.path.name, clip.path)
            clip.path.unlink()
        elif entity.in_video or item.boxes:
            self._store(archive, sums, record, f"{target.name}.jpg", jpeg(image))
        else:
            if self._room_bytes is not None:
                size = source.stat().st_size
                if size > self._room_bytes:
                    raise MediaError("is larger than what is left for originals in a download")
                self._room_bytes -= size
            self._store(archive, sums, record, target.name + source.suffix.lower(), source)
        return image

    def _store(
        self,
        archive: zipfile.ZipFile,
        sums: dict[str, str],
        record: dict[str, Any],
        name: str,
        data: bytes | Path,
    ) -> None:
        if isinstance(data, Path):
            digest = hashlib.sha256()
            entry = zipfile.ZipInfo(name, datetime.now().timetuple()[:6])
            with data.open("rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    packed.write(chunk)
            sums[name] = digest.hexdigest()
        else:
            archive.writestr(name, data)
            sums[name] = hashlib.sha256(data).hexdigest()
        record |= {"file": name, "file_sha256": sums[name]}


def case_bundle(
    case: Case, zone: tzinfo, by: str, log: AuditLog, *, narrowed: bool = False
) -> Bundle:
    """Return the bundle of a case, with the lines of the audit log that are about it.

    ``narrowed``: the case has only the items that ``by`` may see, and no line names another.
    """
    shown = {item.entity.id for item in case.items if item.entity is not None}
    audit = [
        event.to_dict()
        for event in reversed(log.events(_MOST_EVENTS))
        if (event.detail.get("case") == case.name or event.detail.get("id") in shown)
        and (not narrowed or _mentioned(event.detail) <= shown)
    ]
    about = {
        "case": case.name,
        "begun": iso_from_ms(case.made_ms),
        "begun_by": case.made_by,
        "exported_by": by,
    }
    lines = [
        f"Case begun {_local(case.made_ms, zone)} by {case.made_by}, exported by {by}",
        f"{len(case.items)} items in their order",
    ]
    return Bundle(case.name, case.items, zone, about, lines, audit)


def _mentioned(detail: Mapping[str, Any]) -> set[str]:
    """Return the ids of all entities that a line of the audit log names."""
    return {str(found) for found in (detail.get("id"), *detail.get("ids", ())) if found}


def file_stem(entity: MediaEntity, span: Span | None, zone: tzinfo) -> str:
    """Return the name of an entity's exported file: its camera, and when it begins.

    >>> file_stem(entity, None, UTC)                                       # doctest: +SKIP
    'gate-2026-03-01T08-15-00'
    """
    at_ms = entity.captured_at
    if span is not None:
        at_ms += span.start_ms - entity.pts_ms
    camera = _UNSAFE.sub("-", entity.camera).strip("-")[:_NAME_CHARACTERS] or "no-camera"
    moment = datetime.fromtimestamp(at_ms / 1000, zone)
    return f"{camera}-{moment:%Y-%m-%dT%H-%M-%S}" + ("-clip" if span is not None else "")


def as_csv(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return records as CSV in UTF-8 with a byte-order mark, which spreadsheets look for.

    Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    file = io.StringIO()
    names = dict.fromkeys(name for record in records for name in record)
    writer = csv.DictWriter(file, list(names) or ["place"], restval="")
    writer.writeheader()
    writer.writerows(
        {name: _harmless(value) for name, value in record.items()} for record in records
    )
    return file.getvalue().encode("utf-8-sig")


def _harmless(value: Any) -> Any:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _exhibit(
    record: Mapping[str, Any], item: Item, picture: Image.Image | None, zone: tzinfo
) -> Exhibit:
    entity = item.entity
    if entity is None:
        return Exhibit(None, [f"{record['place']}  ·  note", *_wrapped(item.note)])
    digest = record["sha256"]
    name = Path(entity.uri).name
    where = f"{name}, at {clock_from_ms(entity.pts_ms)}" if entity.in_video else name
    score = "" if item.score is None else f"  ·  {item.score:.4f}"
    lines = [
        f"{record['place']}{score}  ·  {entity.camera or 'no camera'}",
        _local(entity.captured_at, zone) + _DOUBTED.get(entity.captured_from, ""),
        iso_from_ms(entity.captured_at),
        where,
        *((digest[:32], digest[32:]) if digest else ("SHA-256: not known",)),
        record["remark"] or _SAID[record["original"]] or item.note,
    ]
    if picture is not None:
        picture.thumbnail((PICTURE_PX, PICTURE_PX))  # all of them are in memory at once
    return Exhibit(picture, [line for line in lines if line])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 48)[:12]


def _head(bundle: Bundle) -> list[str]:
    made = datetime.now(bundle.zone)
    return [
        *bundle.lines,
        "SHA-256 is that of the whole file that a picture is from, as it was taken in.",
        f"Made {made:%Y-%m-%d %H:%M:%S %Z} ({made.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)",
    ]


def _manifest(bundle: Bundle, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": bundle.title,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "zone": str(bundle.zone),
        **bundle.about,
        "items": list(records),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    texts = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return "".join(texts).encode("utf-8", "backslashreplace")


def _local(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _place_of(entity: MediaEntity) -> Path | None:
    with suppress(OSError, ValueError):
        path = Path(entity.uri)
        return path if not entity.is_remote and path.is_file() else None
    return None


def _rgb(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


def jpeg(image: Image.Image) -> bytes:
    """Return a picture as a JPEG of high quality, its colours at full resolution."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()
