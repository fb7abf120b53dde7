"""The stages of an ingest as Ray runs them, on whichever machine it chooses, and what they pass on.

``feed`` gives groups of sources, ``decode`` makes parcels of keyframes of them, ``Encode`` embeds
those. A block of Ray's data holds one pickled value: a group of sources to decode, or a parcel of
rows as large as one batch of the encoder.

Ray runs a task again when a machine is lost, and takes from its output what is missing by position.
So a task that asks again must be given the same again: between the ingest, which finds sources, and
the tasks that decode stands an actor, the ``Feed``, that keeps what may still be needed.
"""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.engines.base import Alive, Decoded, Decoder, DecodeTask, Embedded, Event, Keyframe
from search_core.encoders.base import Embeddings, Encoder, EncoderIdentity, Pixels
from search_core.errors import EncoderMismatch, EngineError, SightlineError

_COLUMN = "pickled"
_SCHEMA = pa.schema([(_COLUMN, pa.large_binary())])

#: Sources to decode, by their numbers in this ingest.
Group = list[tuple[int, DecodeTask]]


@dataclass(slots=True)
class Row:
    """What is told of a source at once: at most one keyframe, and that one's pixels.

    ``position`` counts the rows of the source. ``pixels`` are of the whole picture and of its
    regions. Once embedded, ``embeddings`` (1 + regions, dim) are there instead, and ``seconds`` is
    their share of what embedding took.
    """

    number: int
    position: int
    said: list[Event | Keyframe]
    pixels: tuple[Pixels, ...] = ()
    embeddings: Embeddings | None = None
    seconds: float = 0.0

    def events(self) -> Iterator[Event]:
        """Yield what is told, the keyframe as Embedded."""
        for event in self.said:
            if isinstance(event, Keyframe):
                if self.embeddings is None:
                    raise ValueError("a keyframe came back without its embedding")
                yield Embedded(event, self.embeddings, self.seconds)
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


class Feed:
    """Groups of sources (pickled), in the order they were put in; and whether all is to stop."""

    def __init__(self) -> None:
        self._groups: list[bytes] = []
        self._complete = False
        self._stop = asyncio.Event()
        self._changed = asyncio.Condition()

    async def put(self, group: bytes) -> None:
        """Add a group."""
        async with self._changed:
            self._groups.append(group)
            self._changed.notify_all()

    async def complete(self) -> None:
        """Say that there are no more groups to come."""
        async with self._changed:
            self._complete = True
            self._changed.notify_all()

    async def group(self, index: int) -> bytes | None:
        """Return a group, waiting until it is there; None when there are no more, or on a stop.

        A group whose sources have all ended is empty.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._complete or index < len(self._groups))
        return self._groups[index] if index < len(self._groups) else None

    async def forget(self, index: int) -> None:
        """Let go of a group whose sources have all ended."""
        self._groups[index] = b""

    async def stop(self) -> None:
        """Let decoding end, and give no more groups."""
        self._stop.set()
        await self.complete()

    async def stopped(self) -> None:
        """Return when all is to stop."""
        await self._stop.wait()


_LOOK_EVERY_S = 0.5
#: Of this worker process, kept from one task to the next: starting one takes longer than a picture.
_decoders: dict[tuple[str, float], Decoder] = {}


@dataclass(frozen=True, slots=True)
class DecodeStage:
    """How ``decode`` works: ``parcel`` is keyframes per batch, ``entry`` what decoders run.

    ``mark`` is a file in the data directory, by which a machine knows that it is the same one.
    """

    entry: str
    hang_s: float
    parcel: int
    mark: Path


def feed(batch: pa.Table, actor: Any) -> Iterator[pa.Table]:
    """Yield the groups of sources as the feed gets them."""
    import ray

    index = 0
    while (group := ray.get(actor.group.remote(index))) is not None:
        yield table_of(group)
        index += 1


def decode(batch: pa.Table, actor: Any, stage: DecodeStage) -> Iterator[pa.Table]:
    """Yield parcels of the keyframes of a group's sources; they end early when all is to stop.

    Raises EngineError on a machine that does not see the data directory.
    """
    if not stage.mark.exists():
        raise EngineError(
            "A machine of the Ray cluster does not see the data directory {folder}.",
            "All its machines must see the sources and the data directory at the same paths.",
            folder=stage.mark.parent,
        )
    stop = _Stop(actor)
    decoder = _decoders.setdefault((stage.entry, stage.hang_s), Decoder(stage.entry, stage.hang_s))
    parcel: list[Row] = []
    for group in unpacked(batch):
        for number, task in group:
            with closing(decoder.events(task)) as events:
                for row in _rows(number, events, stop):
                    parcel.append(row)
                    if len(parcel) == stage.parcel:
                        yield packed(parcel)
                        parcel = []
            if stop.asked:
                return
    if parcel:
        yield packed(parcel)


def _rows(number: int, events: Generator[Event | None, None, None], stop: _Stop) -> Iterator[Row]:
    """Yield a source's events gathered into rows, each ended by the keyframe or the last event."""
    row = Row(number, 0, [])
    for event in events:
        if stop.is_asked():
            return
        if isinstance(event, Decoded):
            if row.pixels:
                yield row
                row = Row(number, row.position + 1, [])
            row.said.append(event.keyframe)
            row.pixels = (event.pixels, *event.crops)
        elif event is not None and not isinstance(event, Alive):
            row.said.append(event)
    yield row


class _Stop:
    """Whether all is to stop, asked of the feed now and then."""

    def __init__(self, actor: Any) -> None:
        self.asked = False
        self._answer = actor.stopped.remote()
        self._looked_s = time.monotonic()

    def is_asked(self) -> bool:
        import ray

        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self.asked = bool(ray.wait([self._answer], timeout=0)[0])
            self._looked_s = time.monotonic()
        return self.asked


class Encode:
    """An encoder in an actor of Ray's; ``identity`` is the encoder it has to be."""

    def __init__(self, load: Callable[[], Encoder], identity: EncoderIdentity) -> None:
        self._error: SightlineError | None = None
        try:
            self._encoder = load()
            if not self._encoder.identity.same_space(identity):
                raise EncoderMismatch(
                    "A machine of the Ray cluster loads {label} where this one has {other}.",
                    "Install the same model and the same version of Sightline on all of them.",
                    label=self._encoder.identity.label_beside(identity),
                    other=identity.label_beside(self._encoder.identity),
                )
        except SightlineError as error:
            self._error = error  # an actor that raises this early is only started again

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Embed the keyframes of one parcel."""
        if self._error is not None:
            raise self._error
        (parcel,) = unpacked(batch)
        began_s = time.monotonic()
        rows = [row for row in parcel if row.pixels]
        if rows:
            made = self._encoder.encode_pixels([one for row in rows for one in row.pixels])
            seconds, first = (time.monotonic() - began_s) / len(made), 0
            for row in rows:
                count = len(row.pixels)
                row.embeddings, row.seconds = made[first : first + count], count * seconds
                row.pixels, first = (), first + count
        return packed(parcel)
