"""A video's packets in stretches from one codec keyframe to the next, and their decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

#: A longer stretch comes in parts, to bound the memory.
PART_BYTES = 64 * 1024 * 1024
PART_PACKETS = 4096


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
PacketT_contra = TypeVar("PacketT_contra", contravariant=True)
FrameT = TypeVar("FrameT")
FrameT_co = TypeVar("FrameT_co", covariant=True)


@dataclass(slots=True)
class Stretch(Generic[PacketT]):
    """Packets in decoding order, from a codec keyframe to before the next, or a part of that.

    ``times_ms`` are when their frames are shown, None where a packet does not say. ``begins``: the
    first packet is a keyframe, so that decoding can start here. ``ends``: the next stretch begins
    with one, or there is none. ``last``: nothing follows.
    """

    begins: bool
    packets: list[PacketT] = field(default_factory=list)
    times_ms: list[int | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ends: bool = False
    last: bool = False

    def __len__(self) -> int:
        return len(self.packets)

    @property
    def key_ms(self) -> int | None:
        """When the codec keyframe is shown; None where it is not known, or there is none."""
        return self.times_ms[0] if self.begins and self.times_ms else None

    @property
    def span_ms(self) -> int:
        """The time from the first to the last of its frames, as far as it is known."""
        known = [time for time in self.times_ms if time is not None]
        return max(known) - min(known) if known else 0


def stretches(
    packets: Iterable[PacketT], time_ms: Callable[[PacketT], int | None]
) -> Iterator[Stretch[PacketT]]:
    """Yield the packets in stretches; ``time_ms`` tells when a packet's frame is shown."""
    stretch: Stretch[PacketT] | None = None
    stretch_bytes = 0
    for packet in packets:
        begins = packet.is_keyframe
        if stretch is not None:
            full = stretch_bytes > PART_BYTES or len(stretch) >= PART_PACKETS
            if begins or full:
                stretch.ends = begins
                yield stretch
                stretch = None
        if stretch is None:
            stretch, stretch_bytes = Stretch(begins), 0
        stretch.packets.append(packet)
        stretch.times_ms.append(time_ms(packet))
        stretch.sizes.append(packet.size)
        stretch_bytes += packet.size
    if stretch is not None:
        stretch.ends = stretch.last = True
        yield stretch


class Decoder(Protocol[PacketT_contra, FrameT_co]):
    """Turns packets into frames."""

    def decode(self, packet: PacketT_contra) -> Iterator[FrameT_co]:
        """Yield the frames that come out after this packet."""
        ...

    def drain(self) -> Iterator[FrameT_co]:
        """Yield what the codec still holds, and make it ready for a fresh start."""
        ...


def decode_stretches(
    found: Iterable[Stretch[PacketT]],
    depth: Callable[[Stretch[PacketT]], int],
    decoder: Decoder[PacketT, FrameT],
    shown_ms: Callable[[FrameT], int | None],
) -> Iterator[FrameT]:
    """Decode of every stretch as many packets from its first as ``depth`` says, and no others.

    Once a part of a stretch is not decoded whole, the parts after it are left out. After something
    was left out, frames that are shown before the keyframe one starts afresh from are not yielded:
    they are made from pictures that were not decoded.
    """
    in_step = False
    from_ms = 0
    for stretch in found:
        if not in_step and not stretch.begins:
            continue
        wanted = depth(stretch)
        if stretch.begins and wanted:
            key_ms = stretch.key_ms or 0  # a clock may have been set back since the fresh start
            from_ms = min(from_ms, key_ms) if in_step else key_ms
        for packet in stretch.packets[:wanted]:
            for frame in decoder.decode(packet):
                if (shown_ms(frame) or 0) >= from_ms:
                    yield frame
        whole = wanted >= len(stretch)
        if not whole and (wanted or in_step):
            for frame in decoder.drain():
                if (shown_ms(frame) or 0) >= from_ms:
                    yield frame
        in_step = whole
    yield from decoder.drain()
