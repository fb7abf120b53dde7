"""Which packets to decode when keyframes are wanted, and all frames where those are far apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

#: A stretch of more than this is decoded before its end is known, to bound the memory.
STRETCH_BYTES = 256 * 1024 * 1024


class CodedPacket(Protocol):
    """A coded frame: whether it stands for itself, and its bytes."""

    @property
    def is_keyframe(self) -> bool:
        """Whether it can be decoded without others."""
        ...

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...


PacketT = TypeVar("PacketT", bound=CodedPacket)
FrameT = TypeVar("FrameT")


def decode_with_gaps(
    packets: Iterable[PacketT],
    *,
    decode: Callable[[PacketT], Iterator[FrameT]],
    drain: Callable[[], Iterator[FrameT]],
    reached_s: Callable[[], float],
    max_gap_s: float,
) -> Iterator[FrameT]:
    """Yield keyframes, and all frames of stretches that are longer than ``max_gap_s`` without one.

    A video with a single keyframe is one such stretch. The packets since the last keyframe are
    kept, so that a stretch that turns out long can be decoded after all, in one pass over the file;
    its keyframe then comes twice. ``drain`` yields what the codec still holds and readies it for a
    fresh start, ``reached_s`` tells how far into the video the packets have come.
    """
    stretch: list[PacketT] = []
    stretch_bytes = keyframes = 0
    began_s = 0.0
    filling = False

    def decode_again() -> Iterator[FrameT]:
        yield from drain()
        for kept in stretch:
            yield from decode(kept)

    for packet in packets:
        if packet.is_keyframe:
            if filling:
                yield from drain()
            filling, stretch, stretch_bytes = False, [packet], packet.size
            keyframes, began_s = keyframes + 1, reached_s()
            yield from decode(packet)
        elif filling:
            yield from decode(packet)
        else:
            stretch.append(packet)
            stretch_bytes += packet.size
            if reached_s() - began_s > max_gap_s or stretch_bytes > STRETCH_BYTES:
                yield from decode_again()
                filling, stretch = True, []
    if not filling and keyframes <= 1:
        yield from decode_again()
    yield from drain()
