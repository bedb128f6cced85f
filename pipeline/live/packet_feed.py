"""The encoded video of one live camera, on its way from the camera's process to a clip.

A clip is opened when its alarm or action starts; then the camera's process sends the packets since
the key frame before the clip's begin, and all later ones. They wait here until the clip ends.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from pipeline.live.packet_ring import SendPackets, StopPackets
from pipeline.sources.encoded_video import (
    EncodedPacket,
    EncodedStretch,
    StreamHead,
    select_packets,
)


@dataclass(slots=True)
class _Part:
    """Packets of one clock and codec."""

    head: StreamHead
    packets: dict[int, EncodedPacket]  # by number, pts_s in media time


class PacketFeed:
    """Collect the packets of the open clips of a camera; every method may be called by any thread.

    Args:
        keep_s: of what the camera's process keeps for clips that are not opened yet, seconds.
        keep_bytes: what it keeps at most.
        max_bytes: what waits here at most; packets beyond it are dropped, so that clips end early.
    """

    def __init__(self, keep_s: float, keep_bytes: int, max_bytes: int) -> None:
        self.keep_s, self.keep_bytes = keep_s, keep_bytes
        self._max_bytes = max_bytes
        self._open: dict[int, float] = {}  # start in media time by number of the clip
        self._opened = 0
        self._asked: float | None = None  # media time since which packets were asked for
        self._released = False  # what was asked for last
        self._parts: list[_Part] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def open(self, start_s: float) -> int:
        """Begin a clip at a media time; return its number."""
        with self._lock:
            self._opened += 1
            self._open[self._opened] = start_s
            return self._opened

    def close(self, clip: int) -> None:
        """End a clip; release the packets that no other one needs. A second call does nothing."""
        with self._lock:
            self._open.pop(clip, None)
            if not self._open:
                self._parts, self._bytes, self._released = [], 0, True
                return
            earliest_s = min(self._open.values())
            for part in self._parts:
                self._release(part, earliest_s)
            self._parts = [part for part in self._parts if part.packets or part is self._parts[-1]]

    def take(self, start_s: float, end_s: float) -> EncodedStretch | None:
        """Return the packets between two media times, from a key frame on.

        A camera that was lost meanwhile has two parts, of which no file can be made: that with
        more packets is returned.

        Returns:
            None where there is no packet from a key frame on.
        """
        with self._lock:
            found = [
                EncodedStretch(part.head, packets)
                for part in self._parts
                if any(one.pts_s >= start_s for one in part.packets.values())
                and (packets := select_packets(_decodable(part), start_s, end_s))
            ]
        return max(found, key=lambda one: len(one.packets), default=None)

    def new_connection(self) -> None:
        """Take into account that the camera's process has to be asked again."""
        with self._lock:
            self._asked = None

    def requests(self, part: int, shift_s: float) -> list[SendPackets | StopPackets]:
        """Return what the camera's process is to be asked now.

        Args:
            part: of the newest frame.
            shift_s: from its clock to media time.
        """
        with self._lock:
            messages: list[SendPackets | StopPackets] = []
            if self._released and self._asked is not None:
                messages.append(StopPackets())  # also before the next clip: it is sent once
                self._asked = None
            self._released = False
            if self._open:
                earliest_s = min(self._open.values())
                if self._asked is None or self._asked > earliest_s:
                    self._asked = earliest_s
                    messages.append(SendPackets(earliest_s - shift_s, part))
            return messages

    def received(self, item: StreamHead | EncodedPacket, shift_s: float | None) -> None:
        """Take what the camera's process sent.

        Args:
            item: with times on the clock of its part.
            shift_s: to media time; None: no frame of its part was seen yet, so it is not known.
        """
        with self._lock:
            if not self._open:
                return  # it was under way when the last clip ended
            if isinstance(item, StreamHead):
                self._parts.append(_Part(item, {}))
                return
            newest = self._parts[-1] if self._parts else None
            size = len(item.data)
            if newest is None or newest.head.part != item.part or shift_s is None:
                return
            if self._bytes + size > self._max_bytes:
                return
            self._bytes += size
            newest.packets[item.number] = replace(item, pts_s=item.pts_s + shift_s)

    def _release(self, part: _Part, earliest_s: float) -> None:
        packets = _in_order(part)
        keys = [packet.number for packet in packets if packet.is_key]
        before = [number for number in keys if part.packets[number].pts_s <= earliest_s]
        is_over = part is not self._parts[-1] and all(one.pts_s < earliest_s for one in packets)
        for packet in packets:
            if is_over or (before and packet.number < before[-1]):
                self._bytes -= len(part.packets.pop(packet.number).data)


def _in_order(part: _Part) -> list[EncodedPacket]:
    return [part.packets[number] for number in sorted(part.packets)]


def _decodable(part: _Part) -> list[EncodedPacket]:
    """Return the packets in order; where some were dropped, from the next key frame on."""
    found: list[EncodedPacket] = []
    for packet in _in_order(part):
        if packet.is_key or (found and packet.number == found[-1].number + 1):
            found.append(packet)
    return found


class PacketFeeds:
    """One `PacketFeed` per camera; every method may be called from any thread.

    Args:
        keep_s: see `PacketFeed`, as the others.
        keep_bytes: per camera.
        max_bytes: per camera.
    """

    def __init__(self, keep_s: float, keep_bytes: int, max_bytes: int) -> None:
        self._limits = keep_s, keep_bytes, max_bytes
        self._feeds: dict[str, PacketFeed] = {}
        self._lock = threading.Lock()

    def of(self, camera_id: str) -> PacketFeed:
        """Return the feed of a camera."""
        with self._lock:
            return self._feeds.setdefault(camera_id, PacketFeed(*self._limits))

    def open(self, camera_id: str, start_s: float) -> int:
        """Begin a clip of a camera; see `PacketFeed.open`."""
        return self.of(camera_id).open(start_s)

    def take(
        self, camera_id: str, clip: int, start_s: float, end_s: float
    ) -> EncodedStretch | None:
        """Return the packets of a clip of a camera; see `PacketFeed.take`."""
        return self.of(camera_id).take(start_s, end_s)

    def close(self, camera_id: str, clip: int) -> None:
        """End a clip of a camera; see `PacketFeed.close`."""
        self.of(camera_id).close(clip)
