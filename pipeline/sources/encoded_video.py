"""Encoded video on its way to a file: packets as a camera sent them, and what a decoder needs."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StreamHead:
    """What describes a stream beside its packets; precedes them."""

    codec: str  # FFmpeg's name: h264, hevc, mjpeg, ...
    data: bytes  # a NUT file with one packet, which carries the codec's parameters
    part: int  # that it belongs to, see `EncodedPacket`
    turned: tuple[int, ...] | None = None  # the display matrix of a file; None: as it is stored


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One encoded frame."""

    data: bytes
    pts_s: float  # presentation time of its frame, seconds
    is_key: bool  # decoding can begin with it
    number: int  # in the order of decoding, from 0, without gaps unless packets were dropped
    part: int  # packets of one part have one clock and one `StreamHead`


@dataclass(frozen=True, slots=True)
class EncodedStretch:
    """Packets that continue each other, the first one a key frame."""

    head: StreamHead
    packets: tuple[EncodedPacket, ...]

    @property
    def size_bytes(self) -> int:
        """The size of the packets."""
        return sum(len(packet.data) for packet in self.packets)

    def moved(self, shift_s: float) -> EncodedStretch:
        """Return the same packets with times later by `shift_s` seconds."""
        if not shift_s:
            return self
        moved = (replace(packet, pts_s=packet.pts_s + shift_s) for packet in self.packets)
        return replace(self, packets=tuple(moved))


def select_packets(
    packets: list[EncodedPacket], start_s: float, end_s: float
) -> tuple[EncodedPacket, ...]:
    """Select what a decoder needs to show the frames between two times.

    Args:
        packets: of one part, in the order of decoding.
        start_s: the first key frame is the newest one at or before it; else the oldest.
        end_s: no frame is shown after it, except those on which earlier ones depend.

    Returns:
        Packets in the order of decoding, the first one a key frame; () without a key frame.
    """
    keys = [at for at, packet in enumerate(packets) if packet.is_key]
    before = [at for at in keys if packets[at].pts_s <= start_s]
    if not keys:
        return ()
    first = before[-1] if before else keys[0]
    shown = [at for at, packet in enumerate(packets) if at >= first and packet.pts_s <= end_s]
    return tuple(packets[first : shown[-1] + 1]) if shown else ()
