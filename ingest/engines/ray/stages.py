"""The stages of an ingest as Ray runs them, on whichever machine it chooses.

``feed`` gives groups of sources, ``decode`` makes parcels of keyframes of them, ``Encode`` embeds
those.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.engines.base import Alive, Decoded, Event
from ingest.engines.decoder import Decoder
from ingest.engines.ray.rows import Row, packed, table_of, unpacked
from search_core.encoders.base import Encoder, EncoderIdentity
from search_core.errors import EncoderMismatch, EngineError, SightlineError

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
            if row.pixels is not None:
                yield row
                row = Row(number, row.position + 1, [])
            row.said.append(event.keyframe)
            row.pixels = event.pixels
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
        rows = [row for row in parcel if row.pixels is not None]
        if rows:
            embeddings = self._encoder.encode_pixels([row.pixels for row in rows])
            seconds = (time.monotonic() - began_s) / len(rows)
            for row, embedding in zip(rows, embeddings, strict=True):
                row.pixels, row.embedding, row.seconds = None, embedding, seconds
        return packed(parcel)
