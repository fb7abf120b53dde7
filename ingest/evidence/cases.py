"""Cases: hits, clips and notes, collected over searches and days, in an order of their own.

One SQLite file in the data directory, for all libraries. An item remembers its entity as it was
when it was collected: it stays in the case when the library forgets it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ingest.evidence.originals import require_video
from ingest.media.video.clips import Box, Span
from search_core.errors import CaseNotFound, UsageError
from search_core.schema.entity import MediaEntity
from search_core.system.database import Database, Records
from search_core.system.machine import now_ms

ItemKind = Literal["picture", "clip", "note"]

NAME_MAX_LENGTH = 120
NOTE_MAX_LENGTH = 10_000
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE cases (
        name TEXT PRIMARY KEY,
        made_ms INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        last_number INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE items (
        name TEXT NOT NULL REFERENCES cases (name),
        number INTEGER NOT NULL,
        place INTEGER NOT NULL,
        item TEXT NOT NULL,
        PRIMARY KEY (name, number)
    ) WITHOUT ROWID
    """,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a case; ``number`` names it, and is not given again.

    ``note`` is text to it, or the whole of a note. ``asked`` is the search that found it, ``score``
    its similarity then. ``span`` is what a clip is to show of its video, ``exact`` how it is cut.
    ``boxes`` are blurred in what is exported. ``added_ms`` is epoch milliseconds.
    """

    number: int
    kind: ItemKind
    added_ms: int
    added_by: str
    note: str = ""
    library: str = ""
    entity: MediaEntity | None = None
    asked: str = ""
    score: float | None = None
    span: Span | None = None
    exact: bool = False
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A case, its items in order; ``made_ms`` is epoch milliseconds."""

    name: str
    made_ms: int
    made_by: str
    items: tuple[Item, ...]

    def item(self, number: int) -> Item:
        """Return one item; raises UsageError."""
        found = next((item for item in self.items if item.number == number), None)
        if found is None:
            raise UsageError(
                "The case {name} has no item {number}.",
                "`sightline case show` lists its items.",
                name=self.name,
                number=number,
            )
        return found


class Cases(Records):
    """The cases in the file at ``path``, created when it is missing; a context manager.

    Methods that name a case raise CaseNotFound.
    """

    migrations = MIGRATIONS

    def __init__(self, path: Path) -> None:
        self._database = Database(path, MIGRATIONS, private=True)  # notes are nobody else's

    def names(self) -> list[str]:
        """Return the names of all cases, the newest first."""
        found = self._database.read("SELECT name FROM cases ORDER BY made_ms DESC, name")
        return [name for (name,) in found]

    def create(self, name: str, by: str) -> Case:
        """Begin a case; raises UsageError for a name that is taken or can be no file's."""
        name = checked_name(name)
        with self._database.writing() as connection:
            if connection.execute("SELECT 1 FROM cases WHERE name = ?", (name,)).fetchone():
                raise UsageError(
                    "There is a case {name} already.", "Choose another name.", name=name
                )
            connection.execute(
                "INSERT INTO cases (name, made_ms, made_by) VALUES (?, ?, ?)", (name, now_ms(), by)
            )
        return self.get(name)

    def get(self, name: str) -> Case:
        """Return a case with its items."""
        found = self._database.read("SELECT made_ms, made_by FROM cases WHERE name = ?", (name,))
        if not found:
            raise no_case(name)
        items = self._database.read(
            "SELECT number, item FROM items WHERE name = ? ORDER BY place, number", (name,)
        )
        [(made_ms, made_by)] = found
        return Case(name, made_ms, made_by, tuple(_item(number, text) for number, text in items))

    def add(self, name: str, items: Sequence[Item]) -> list[Item]:
        """Put items at the end of a case; return them with the numbers they got."""
        with self._database.writing() as connection:
            _require(connection, name)
            (number,) = connection.execute(
                "SELECT last_number FROM cases WHERE name = ?", (name,)
            ).fetchone()
            (place,) = connection.execute(
                "SELECT coalesce(max(place), 0) FROM items WHERE name = ?", (name,)
            ).fetchone()
            connection.execute(
                "UPDATE cases SET last_number = ? WHERE name = ?", (number + len(items), name)
            )
            numbered = [replace(item, number=number + n) for n, item in enumerate(items, start=1)]
            connection.executemany(
                "INSERT INTO items VALUES (?, ?, ?, ?)",
                [(name, item.number, place + n, _text(item)) for n, item in enumerate(numbered, 1)],
            )
        return numbered

    def change(self, name: str, item: Item) -> None:
        """Put an item in the place of the one of its number; raises UsageError without one."""
        self.get(name).item(item.number)
        self._database.write(
            "UPDATE items SET item = ? WHERE name = ? AND number = ?",
            (_text(item), name, item.number),
        )

    def move(self, name: str, number: int, place: int) -> None:
        """Put an item at a place of the order, counted from 1; raises UsageError."""
        case = self.get(name)
        moved = case.item(number)
        order = [item for item in case.items if item.number != number]
        order.insert(max(0, place - 1), moved)
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE items SET place = ? WHERE name = ? AND number = ?",
                [(n, name, item.number) for n, item in enumerate(order, start=1)],
            )

    def remove(self, name: str, number: int) -> Item:
        """Take an item out of a case and return it; raises UsageError."""
        item = self.get(name).item(number)
        self._database.write("DELETE FROM items WHERE name = ? AND number = ?", (name, number))
        return item

    def delete(self, name: str) -> None:
        """Remove a case with its items; what was exported of it stays."""
        with self._database.writing() as connection:
            _require(connection, name)
            connection.execute("DELETE FROM items WHERE name = ?", (name,))
            connection.execute("DELETE FROM cases WHERE name = ?", (name,))


def picture_item(
    library: str, entity: MediaEntity, by: str, *, asked: str = "", score: float | None = None
) -> Item:
    """Return an item for what an entity shows."""
    return Item(0, "picture", now_ms(), by, "", library, entity, asked, score)


def clip_item(
    library: str, entity: MediaEntity, span: Span, by: str, *, exact: bool = False
) -> Item:
    """Return an item for a span of the video that an entity is a moment of; raises UsageError."""
    require_video(entity)
    return Item(0, "clip", now_ms(), by, library=library, entity=entity, span=span, exact=exact)


def note_item(text: str, by: str) -> Item:
    """Return an item that is a text by itself; raises UsageError for an empty or endless one."""
    return Item(0, "note", now_ms(), by, checked_note(text))


def checked_note(text: str) -> str:
    """Return a note without space around it; raises UsageError for an empty or endless one."""
    text = text.strip()
    if not 0 < len(text) <= NOTE_MAX_LENGTH:
        raise UsageError(
            "A note has 1 to {most:,} characters, and this one {count:,}.",
            "Shorten it, or make several.",
            most=NOTE_MAX_LENGTH,
            count=len(text),
        )
    return text


def checked_name(name: str) -> str:
    """Return a case's name without space around it; raises UsageError where it can be none."""
    name = " ".join(name.split())
    if (
        not 0 < len(name) <= NAME_MAX_LENGTH
        or not name.isprintable()
        or name[0] in ".-"
        or {*"/\\"} & {*name}
    ):
        raise UsageError(
            "{name} cannot be the name of a case.",
            "Give 1 to {most} letters, digits and spaces.",
            name=repr(name[:NAME_MAX_LENGTH]),
            most=NAME_MAX_LENGTH,
        )
    return name


def no_case(name: str) -> CaseNotFound:
    """Return the error for a case that does not exist."""
    return CaseNotFound(
        "There is no case {name}.", "`sightline case list` names those there are.", name=name
    )


def _require(connection: sqlite3.Connection, name: str) -> None:
    if not connection.execute("SELECT 1 FROM cases WHERE name = ?", (name,)).fetchone():
        raise no_case(name)


def _text(item: Item) -> str:
    return json.dumps(asdict(item), ensure_ascii=True)


def _item(number: int, text: str) -> Item:
    kept: dict[str, Any] = json.loads(text)
    entity = kept["entity"]
    if entity is not None:
        arrays = {name: tuple(entity.get(name, ())) for name in ("tags", "box")}
        entity = MediaEntity(**{**entity, **arrays})
    assert kept["kind"] in get_args(ItemKind)
    return Item(
        **{
            **kept,
            "number": number,
            "entity": entity,
            "span": Span(**kept["span"]) if kept["span"] else None,
            "boxes": tuple(Box(**box) for box in kept["boxes"]),
        }
    )
