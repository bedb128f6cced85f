"""A bad line to an RTSP camera: bits of coded frames are flipped, everything else stays intact."""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import urlsplit

from testbed.tcp_proxy import TcpProxy

_RTP_HEADER = 12
_STAP_A, _FU_A = 24, 28  # RFC 6184: several NAL units in a packet, or a piece of one
_SLICES = {1, 5}  # NAL units with coded frame data; the others describe it
_MOST_BITS = 8  # flipped in one packet


class BitFlippingProxy(TcpProxy):
    """For RTSP over TCP (interleaved), which is what `rtsp_transport=tcp` asks for.

    Only coded frame data is flipped: RTSP texts, RTCP, the interleaved framing, RTP headers,
    NAL headers and parameter sets stay as the camera sent them.
    """

    def __init__(self, camera_url: str, flip_rate: float = 0.0, seed: int = 0) -> None:
        """Open a port in front of a camera.

        Args:
            camera_url: of a camera on loopback, with user and password or without.
            flip_rate: fraction of the RTP packets with frame data that are damaged; may be set
                at any time.
            seed: of the random choice of packets and bits.
        """
        parts = urlsplit(camera_url)
        assert parts.port is not None
        self.flip_rate = flip_rate
        self.flipped = 0  # packets
        self._random = random.Random(seed)
        self._camera = parts
        super().__init__(parts.port)

    def __enter__(self) -> BitFlippingProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The camera's URL through the proxy."""
        user, at, _ = self._camera.netloc.rpartition("@")
        return self._camera._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    def _change_replies(self) -> Callable[[bytes], bytes]:
        return _Interleaved(self._damage).pass_on

    def _damage(self, packet: bytearray) -> None:
        if self._random.random() >= self.flip_rate:
            return
        places = frame_data(packet)
        if not places:
            return
        for _ in range(self._random.randint(1, _MOST_BITS)):
            packet[self._random.choice(places)] ^= 1 << self._random.randrange(8)
        self.flipped += 1


class _Interleaved:
    """One connection's bytes from the server: RTSP texts and `$`-framed packets (RFC 2326)."""

    def __init__(self, change: Callable[[bytearray], None]) -> None:
        """Pass every complete RTP packet to `change`."""
        self._change = change
        self._kept = bytearray()

    def pass_on(self, data: bytes) -> bytes:
        self._kept += data
        done = bytearray()
        while length := self._length():
            piece = self._kept[:length]
            del self._kept[:length]
            if piece[:1] == b"$" and piece[1] % 2 == 0:  # odd channels carry RTCP
                packet = piece[4:]
                self._change(packet)
                piece[4:] = packet
            done += piece
        return bytes(done)

    def _length(self) -> int:
        """Return the length of the first message, 0 while it is incomplete."""
        kept = self._kept
        if kept[:1] == b"$":
            length = 4 + int.from_bytes(kept[2:4], "big") if len(kept) >= 4 else 5
        else:
            head, end, _ = kept.partition(b"\r\n\r\n")
            body = [
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ]
            length = len(head) + len(end) + sum(body) if end else len(kept) + 1
        return length if len(kept) >= length else 0


def frame_data(packet: bytes | bytearray) -> list[int]:
    """Return the offsets of the coded frame data: no header, no parameter set."""
    begin = _RTP_HEADER + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:  # a header extension
        begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)  # padding
    if begin + 1 >= end:
        return []
    kind = packet[begin] & 0x1F
    if kind == _FU_A:
        return list(range(begin + 2, end)) if packet[begin + 1] & 0x1F in _SLICES else []
    if kind != _STAP_A:
        return list(range(begin + 1, end)) if kind in _SLICES else []
    places: list[int] = []
    at = begin + 1
    while at + 2 < end:
        length = int.from_bytes(packet[at : at + 2], "big")
        if packet[at + 2] & 0x1F in _SLICES:
            places += range(at + 3, min(at + 2 + length, end))
        at += 2 + length
    return places
