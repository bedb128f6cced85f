"""What HTTP cameras send, as files that FFmpeg reads: motion JPEG, single images, recordings."""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from io import BytesIO

from pipeline.live.camera_messages import StreamError
from pipeline.live.protocols.http_client import HttpBody, HttpClient

STILL_S = 60.0  # an image that has not changed for longer is not of a camera that works
_MAX_LINE = 1 << 14
_JPEG_START = b"\xff\xd8"
_JPEG_END = re.compile(rb"\xff\xd9(?=\s*--)")  # before a boundary
# The image that a camera of this process was stuck at: it is not up again before it changes.
_stuck: dict[str, str] = {}


class ImageSeries(ABC):
    """Images that come one after the other, as the file of motion JPEG that FFmpeg reads."""

    def __init__(self) -> None:
        self._part = BytesIO()

    def read(self, size: int) -> bytes:
        """Return the next bytes; waits for an image, returns nothing at the end."""
        data = self._part.read(size)
        if not data and (image := self._next_image()) is not None:
            self._part = BytesIO(_as_part(image))
            data = self._part.read(size)
        return data

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def _next_image(self) -> bytes | None:
        """Return the next JPEG; None at the end."""


class MotionJpeg(ImageSeries):
    """The images of a multipart body, each with a boundary before it as FFmpeg expects.

    Cameras omit the first boundary, write another one than they declared, and no length.

    Args:
        body: of type `multipart/x-mixed-replace`.
        max_bytes: of an image.
    """

    def __init__(self, body: HttpBody, max_bytes: int) -> None:
        super().__init__()
        self._body, self._max_bytes = body, max_bytes
        self._received = bytearray()

    def close(self) -> None:
        """Close the connection."""
        self._body.close()

    def _next_image(self) -> bytes | None:
        while (image := self._next_body()) is not None:
            if image.startswith(_JPEG_START):
                return image
        return None

    def _next_body(self) -> bytes | None:
        length: int | None = None
        while not self._received.startswith(_JPEG_START):
            line = self._line()
            if line is None:
                return None
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value.strip()[:12])
            elif not line and length:  # the end of the headers
                break
        return self._take(length) if length else self._take_to_end()

    def _line(self) -> bytes | None:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _MAX_LINE:
                raise StreamError("unreadable", "it sends no motion JPEG")
            if self._received.startswith(_JPEG_START):
                return b""
            if not self._more():
                return None
        line = bytes(self._received[:end]).strip()
        del self._received[: end + 1]
        return line

    def _take(self, length: int) -> bytes | None:
        self._check(length)
        while len(self._received) < length:
            if not self._more():
                return None
        image = bytes(self._received[:length])
        del self._received[:length]
        return image

    def _take_to_end(self) -> bytes | None:
        """Take an image of unknown length: up to its end marker and the boundary behind it."""
        searched = 0
        while True:
            found = _JPEG_END.search(self._received, searched)
            if found is not None:
                return self._take(found.end())
            searched = max(len(self._received) - 16, 0)
            self._check(len(self._received))
            if not self._more():
                return None

    def _more(self) -> bool:
        data = self._body.read()
        self._received += data
        return bool(data)

    def _check(self, length: int) -> None:
        if length > self._max_bytes:
            detail = f"an image of {length} bytes, more than max_pixels allows"
            raise StreamError("unreadable", detail)


class PolledImages(ImageSeries):
    """The images of a snapshot URL, asked for at a rate, in the form of motion JPEG.

    Args:
        client: of the camera.
        url: of the image.
        first: the answer to the first request.
        fps: requests per second.
        max_bytes: of an image.
    """

    def __init__(
        self, client: HttpClient, url: str, first: HttpBody, fps: float, max_bytes: int
    ) -> None:
        super().__init__()
        self._client, self._url, self._step_s = client, url, 1.0 / fps
        self._max_bytes = max_bytes
        self._body: HttpBody | None = first
        self._headers: dict[str, str] = {}
        self._image, self._digest = b"", ""
        self._changed_at = self._due_at = time.monotonic()

    def close(self) -> None:
        """Do nothing: there is no connection between two images."""

    def _next_image(self) -> bytes:
        time.sleep(max(self._due_at - time.monotonic(), 0.0))
        self._due_at = max(self._due_at + self._step_s, time.monotonic())
        body = self._body or self._client.get(self._url, self._headers)
        self._body = None
        try:
            if body.status != 304:
                self._take(body)
        finally:
            body.close()
        self._check_still()
        return self._image

    def _take(self, body: HttpBody) -> None:
        image = bytearray()
        while data := body.read():
            image += data
            if len(image) > self._max_bytes:
                detail = "its image has more bytes than max_pixels allows"
                raise StreamError("unreadable", detail)
        if not image.startswith(_JPEG_START):
            raise StreamError("unreadable", f"its image is {body.media_type}, not JPEG")
        self._image = bytes(image)
        asked = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
        self._headers = {
            name: value for name, source in asked.items() if (value := body.headers.get(source))
        }
        digest = hashlib.sha256(self._image).hexdigest()
        if digest != self._digest:
            self._digest, self._changed_at = digest, time.monotonic()

    def _check_still(self) -> None:
        still_s = time.monotonic() - self._changed_at
        if still_s > STILL_S:
            _stuck[self._url] = self._digest
        if _stuck.get(self._url) == self._digest:
            detail = f"its image does not change for {STILL_S:g} s: no camera, or one that hangs"
            raise StreamError("stalled", detail)
        _stuck.pop(self._url, None)


class RecordedFile:
    """A recording on an HTTP server, which FFmpeg may seek in if the server lets it.

    Args:
        client: of the camera.
        url: of the file.
        body: the answer to the first request.
    """

    def __init__(self, client: HttpClient, url: str, body: HttpBody) -> None:
        self._client, self._url, self._body = client, url, body
        self.name = body.name
        self._length = body.length or 0
        self._at = 0
        self._has_ranges = "bytes" in (body.headers.get("Accept-Ranges") or "")

    def seekable(self) -> bool:
        """Return whether the server sends parts of the file."""
        return self._has_ranges

    def read(self, size: int) -> bytes:
        """Return the next bytes; nothing at the end."""
        data = self._body.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to another place, by a request for the rest of the file."""
        target = offset + (0, self._at, self._length)[whence]
        if target != self._at:
            self._body.close()
            self._body = self._client.get(self._url, {"Range": f"bytes={target}-"})
            self._at = target if self._body.status == 206 else 0
        return self._at

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def close(self) -> None:
        """Close the connection."""
        self._body.close()


def _as_part(image: bytes) -> bytes:
    """Return an image as a part of a multipart body."""
    head = f"--image\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
    return head.encode() + image + b"\r\n"
