"""The newest packets of a camera, kept in its process until a clip needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.sources.encoded_video import EncodedPacket, StreamHead


@dataclass(frozen=True, slots=True)
class SendPackets:
    """Parent to child: send the packets since the key frame at or before a time, and all later.

    What was sent since the last `StopPackets` is not sent again.
    """

    since_s: float  # seconds on the stream's clock
    part: int  # that this clock is of


@dataclass(frozen=True, slots=True)
class StopPackets:
    """Parent to child: send no more packets."""


class PacketRing:
    """Hold the packets of the last seconds, from a key frame on, and send them while asked to.

    Args:
        keep_s: what is older than the key frame at or before the newest packet minus this is
            dropped, seconds.
        max_bytes: what is held at most; the oldest is dropped first, up to a key frame.
        send: sends a message to the parent.
    """

    def __init__(self, keep_s: float, max_bytes: int, send: Callable[[object], None]) -> None:
        self._keep_s, self._max_bytes, self._send = keep_s, max_bytes, send
        self._head: StreamHead | None = None
        self._packets: deque[EncodedPacket] = deque()
        self._keys: deque[EncodedPacket] = deque()  # those of `_packets`
        self._bytes = 0
        self._sent_from: int | None = None  # number of the oldest packet that was sent; None: idle

    def __len__(self) -> int:
        return len(self._packets)

    def take(self, item: StreamHead | EncodedPacket) -> None:
        """Take what comes next of the stream."""
        if isinstance(item, StreamHead):
            self.begin(item)
        else:
            self.add(item)

    def begin(self, head: StreamHead) -> None:
        """Begin another part: packets before it are of another clock or codec."""
        self._drop_all()
        self._head = head
        if self._sent_from is not None:
            self._send(head)

    def add(self, packet: EncodedPacket) -> None:
        """Hold the next packet; those before the first key frame cannot be decoded."""
        if self._sent_from is not None:
            self._send(packet)
        if not packet.is_key and not self._packets:
            return
        if self._packets and packet.part != self._packets[-1].part:
            self._drop_all()
            if not packet.is_key:
                return
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if packet.is_key:
            self._keys.append(packet)
            while len(self._keys) > 1 and self._keys[1].pts_s <= packet.pts_s - self._keep_s:
                self._drop_oldest_group()
        while self._bytes > self._max_bytes:
            self._drop_oldest_group()

    def handle(self, message: SendPackets | StopPackets) -> None:
        """Answer a message of the parent."""
        if isinstance(message, StopPackets):
            self._sent_from = None
            return
        if self._head is None:  # everything that comes is sent
            self._sent_from = -1
            return
        if self._sent_from is None:
            self._send(self._head)
        first = self._first_for(message)
        if first is None:  # likewise
            self._sent_from = -1 if self._sent_from is None else self._sent_from
            return
        for packet in self._packets:
            if packet.number >= first and not self._was_sent(packet):
                self._send(packet)
        if self._sent_from is None or first < self._sent_from:
            self._sent_from = first

    def _first_for(self, message: SendPackets) -> int | None:
        """Return the number of the packet to begin with; None: there is none."""
        if not self._keys:
            return None
        on_other_clock = message.part != self._keys[0].part
        before = [key for key in self._keys if on_other_clock or key.pts_s <= message.since_s]
        return (before[-1] if before and not on_other_clock else self._keys[0]).number

    def _was_sent(self, packet: EncodedPacket) -> bool:
        return self._sent_from is not None and packet.number >= self._sent_from

    def _drop_oldest_group(self) -> None:
        """Drop the oldest key frame and the packets up to the next one."""
        self._keys.popleft()
        following = self._keys[0].number if self._keys else None
        while self._packets and self._packets[0].number != following:
            self._bytes -= len(self._packets.popleft().data)

    def _drop_all(self) -> None:
        self._packets.clear()
        self._keys.clear()
        self._bytes = 0
