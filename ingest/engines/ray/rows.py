"""What travels between the stages on a Ray cluster: rows, in parcels, and their order at the end.

A block of Ray's data holds one pickled value: a group of sources to decode, or a parcel of rows as
large as one batch of the encoder.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ingest.engines.base import DecodeTask, Embedded, Event, Keyframe
from search_core.encoders.base import Embeddings, Pixels

_COLUMN = "pickled"
_SCHEMA = pa.schema([(_COLUMN, pa.large_binary())])

#: Sources to decode, by their numbers in this ingest.
Group = list[tuple[int, DecodeTask]]


@dataclass(slots=True)
class Row:
    """What is told of a source at once: at most one keyframe, and that one's pixels.

    ``position`` counts the rows of the source. Once embedded, ``embedding`` (dim,) is there instead
    of ``pixels``, and ``seconds`` is its share of what embedding took.
    """

    number: int
    position: int
    said: list[Event | Keyframe]
    pixels: Pixels | None = None
    embedding: Embeddings | None = None
    seconds: float = 0.0

    def events(self) -> Iterator[Event]:
        """Yield what is told, the keyframe as Embedded."""
        for event in self.said:
            if isinstance(event, Keyframe):
                if self.embedding is None:
                    raise ValueError("a keyframe came back without its embedding")
                yield Embedded(event, self.embedding, self.seconds)
            else:
                yield event


class InOrder:
    """Puts rows in the order of their sources, whichever they come in; each is given once.

    What a source's rows wait for is on its way, or made again by Ray; meanwhile embeddings wait,
    not pixels.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._waiting: dict[int, dict[int, Row]] = {}

    def add(self, row: Row) -> Iterator[Row]:
        """Yield the rows whose turn it is, now that this one has come."""
        waiting = self._waiting.setdefault(row.number, {})
        if row.position >= self._next.get(row.number, 0):
            waiting[row.position] = row
        while (ready := waiting.pop(self._next.get(row.number, 0), None)) is not None:
            self._next[row.number] = ready.position + 1
            yield ready

    def forget(self, number: int) -> None:
        """Forget a source that has ended."""
        self._next.pop(number, None)
        self._waiting.pop(number, None)


def packed(value: Group | list[Row]) -> pa.Table:
    """Return a table of one row that holds a group or a parcel."""
    return table_of(pickle.dumps(value, protocol=5))


def table_of(pickled: bytes) -> pa.Table:
    """Return a table of one row that holds what is pickled already."""
    return pa.table({_COLUMN: [pickled]}, schema=_SCHEMA)


def unpacked(table: pa.Table) -> Iterator[Any]:
    """Yield the groups or parcels of a table; a group the feed has forgotten is an empty list."""
    for pickled in table.column(_COLUMN):
        value = pickled.as_py()
        # Nobody but this same ingest has pickled it.
        yield pickle.loads(value) if value else []  # noqa: S301
