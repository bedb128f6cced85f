"""Packets of a recorded file between two times, read from front to back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pipeline.sources.encoded_video import (
    EncodedPacket,
    EncodedStretch,
    StreamHead,
    select_packets,
)
from pipeline.sources.file_decoder import DecodeOptions, VideoReader

# A file is read on while packets may still be shown before the asked time: as many as are
# reordered at most.
_BEHIND = 17


class RecordedPackets:
    """One file; what was read last is kept, because clips follow each other.

    Args:
        path: the file.
        stream: number of its video stream, from 0; None: the longest one.
        options: how it is decoded.
        keep_bytes: of packets that are kept; older ones are read again if they are asked for.

    Raises:
        DecodeError: if it cannot be read.
    """

    def __init__(
        self, path: Path, stream: int | None, options: DecodeOptions, keep_bytes: int
    ) -> None:
        self._path, self._stream, self._options = path, stream, options
        self._keep_bytes = keep_bytes
        self._reader: VideoReader | None = None
        self._begin()

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def between(self, start_s: float, end_s: float) -> EncodedStretch | None:
        """Return the packets from the key frame at or before `start_s` to `end_s`.

        Args:
            start_s: seconds from the beginning of the file, as its frames have them.
            end_s: likewise.

        Returns:
            None where the file has no frame there.

        Raises:
            DecodeError: if it cannot be read.
        """
        if self._dropped_until_s > start_s:
            self._begin()
        behind = 0
        for packet in self._unread:
            self._kept.append(packet)
            self._bytes += len(packet.data)
            self._drop_before(start_s)
            behind = behind + 1 if packet.pts_s > end_s else 0
            if behind >= _BEHIND:
                break
        packets = select_packets(list(self._kept), start_s, end_s)
        if not packets or self._head is None:
            return None
        return EncodedStretch(self._head, packets)

    def _begin(self) -> None:
        self.close()
        self._reader = VideoReader(self._path, stream=self._stream, options=self._options)
        self._head: StreamHead | None = None
        self._unread = self._read(self._reader)
        self._kept: deque[EncodedPacket] = deque()
        self._bytes = 0
        self._dropped_until_s = float("-inf")

    def _read(self, reader: VideoReader) -> Iterator[EncodedPacket]:
        for number, (pts_s, packet) in enumerate(reader.packets()):
            if self._head is None:
                if not packet.is_keyframe:
                    continue
                # Of another reader: the packets of this one are not decoded.
                described = VideoReader(self._path, stream=self._stream, options=self._options)
                try:
                    self._head = described.head(packet)
                finally:
                    described.close()
            yield EncodedPacket(bytes(packet), pts_s, packet.is_keyframe, number, 0)

    def _drop_before(self, start_s: float) -> None:
        """Drop the oldest packets above the limit that a clip from `start_s` does not need."""
        while self._bytes > self._keep_bytes:
            keys = [at for at, packet in enumerate(self._kept) if packet.is_key]
            if len(keys) < 2 or self._kept[keys[1]].pts_s > start_s:
                return
            for _ in range(keys[1]):
                dropped = self._kept.popleft()
                self._bytes -= len(dropped.data)
                self._dropped_until_s = max(self._dropped_until_s, dropped.pts_s)
