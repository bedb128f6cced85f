"""Split what an RTSP peer sends into messages and interleaved packets (RFC 2326); no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_HEADERS = 1 << 16  # bytes
LONGEST_BODY = 1 << 20
# FFmpeg reads what is in shorter and longer packets as text.
_SHORTEST_PACKET, _LONGEST_PACKET = 8, 60_000
_START = re.compile(rb"(?:RTSP/\d\.\d\s+\d{3}(?:\s.*)?|[A-Z_]+\s+\S+\s+RTSP/\d\.\d)\s*", re.S)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_DOLLAR = ord("$")


class RtspError(Exception):
    """What came is no RTSP, or more than any camera sends."""


@dataclass(slots=True)
class RtspMessage:
    """A request or a reply."""

    start: str  # its first line
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def status(self) -> int | None:
        """Status of a reply; None for a request."""
        return int(self.start.split()[1]) if self.start.startswith("RTSP/") else None

    @property
    def method(self) -> str:
        """Method of a request."""
        return self.start.split()[0]

    @property
    def uri(self) -> str:
        """URI of a request."""
        return self.start.split()[1]

    def get(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """Return the headers of this name, in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def put(self, name: str, value: str) -> None:
        """Replace the headers of this name by one."""
        self.headers = [one for one in self.headers if one[0].lower() != name.lower()]
        self.headers.append((name, value))

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        headers = [(key, value) for key, value in self.headers if key.lower() != "content-length"]
        if self.body:
            headers.append(("Content-Length", str(len(self.body))))
        lines = [self.start, *(f"{key}: {value}" for key, value in headers), "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class RtspParser:
    """What has come of one direction of a connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[RtspMessage | bytes]:
        """Yield the messages and, as bytes, the runs of interleaved packets that are complete.

        Lines that begin no message are skipped: cameras that lose bytes of a packet send them.

        Raises:
            RtspError: if a message is longer than any camera's.
        """
        self._buffer += data
        while True:
            packets = self._take_packets()
            if packets:
                yield packets
            message = self._take_message()
            if message is None:
                return
            yield message

    def _take_packets(self) -> bytes:
        buffer, at, kept = self._buffer, 0, bytearray()
        while len(buffer) - at >= 4 and buffer[at] == _DOLLAR:
            length = buffer[at + 2] << 8 | buffer[at + 3]
            if len(buffer) - at < 4 + length:
                break
            if _SHORTEST_PACKET <= length <= _LONGEST_PACKET:
                kept += buffer[at : at + 4 + length]
            at += 4 + length
        del buffer[:at]
        return bytes(kept)

    def _take_message(self) -> RtspMessage | None:
        buffer = self._buffer
        while buffer and buffer[0] != _DOLLAR:
            end = buffer.find(b"\n")
            if end < 0:
                if len(buffer) > LONGEST_HEADERS:
                    raise RtspError("it sends no RTSP")
                return None
            if _START.fullmatch(buffer, 0, end):
                return self._take_begun()
            del buffer[: end + 1]
        return None

    def _take_begun(self) -> RtspMessage | None:
        found = _END_OF_HEADERS.search(self._buffer, 0, LONGEST_HEADERS)
        if found is None:
            if len(self._buffer) > LONGEST_HEADERS:
                raise RtspError("its headers have no end")
            return None
        lines = bytes(self._buffer[: found.start()]).decode("utf-8", "surrogateescape").split("\n")
        message = RtspMessage(_line(lines[0]))
        for line in lines[1:]:
            name, colon, value = _line(line).partition(":")
            if colon and re.fullmatch(r"[\w-]+", name.strip(), re.A):
                message.headers.append((name.strip(), value.strip()))
        length = message.get("Content-Length") or "0"
        if not length.isdecimal() or len(length) > 9 or int(length) > LONGEST_BODY:
            raise RtspError(f"a message of {length[:20]} bytes")
        end = found.end() + int(length)
        if len(self._buffer) < end:
            return None
        message.body = bytes(self._buffer[found.end() : end])
        del self._buffer[:end]
        return message


def _line(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", text)
