"""Ask an HTTP camera, and nobody else on its behalf.

Redirects are followed within the camera's host and port only. What a playlist names elsewhere is
fetched without the login, and from public addresses only: no camera leads this machine to itself or
to its neighbours.
"""

from __future__ import annotations

import ipaddress
import socket
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from pipeline.live.camera_messages import StreamError
from pipeline.live.camera_source import CameraSource
from pipeline.live.protocols.http_login import HttpLogin
from pipeline.live.protocols.redirects import MAX_REDIRECTS, location, not_followed, shown
from pipeline.live.protocols.tls import UNVERIFIED, begin_tls

_PORTS = {"http": 80, "https": 443}
_ATTEMPTS = 2  # of a request, the second one with the login that was asked for
_REDIRECTS = (301, 302, 303, 307, 308)


class HttpClient:
    """Requests to one camera.

    Args:
        source: an HTTP camera.
        open_timeout_s: longest wait for an answer.
        read_timeout_s: longest wait for more of a body.
    """

    def __init__(self, source: CameraSource, open_timeout_s: float, read_timeout_s: float) -> None:
        self._verify_tls = source.verify_tls
        self._open_timeout_s, self._read_timeout_s = open_timeout_s, read_timeout_s
        parts = urlsplit(source.url)
        self._origin = _origin(parts)
        self._login = HttpLogin.of_url(parts)

    def get(self, url: str, headers: dict[str, str] | None = None) -> HttpBody:
        """Ask for a URL and return the body of the answer, a redirect within the camera followed.

        Args:
            url: of the camera; or what a playlist of it names.
            headers: of the request.

        Raises:
            StreamError: if there is no answer, or one that is no success.
        """
        for _ in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            response = self._answer(parts, headers or {})
            if response.status not in _REDIRECTS:
                return HttpBody(response, url, self._read_timeout_s)
            response.close()
            base = parts._replace(netloc=_netloc(parts)).geturl()
            try:
                target = urlsplit(urljoin(base, location(response.getheader("Location"))))
                is_same = _origin(target) == _origin(parts)
            except ValueError:
                target, is_same = urlsplit(""), False
            if not is_same:
                raise not_followed(f"{target.scheme}://{_netloc(target)}")
            url = target.geturl()
        raise StreamError("unreachable", f"it redirects more than {MAX_REDIRECTS} times")

    def _answer(self, parts: SplitResult, headers: dict[str, str]) -> HTTPResponse:
        login = self._login if self._is_camera(parts) else None
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        target = target if target.startswith("/") else f"/{target}"
        for _ in range(_ATTEMPTS):
            sent = {"User-Agent": "behaviour-stream", "Accept": "*/*", **headers}
            answer = None if login is None else login.header("GET", target)
            if answer is not None:
                sent["Authorization"] = answer
            response = self._request(parts, target, sent)
            challenges = response.headers.get_all("WWW-Authenticate") or []
            if response.status != 401 or login is None or not login.challenge(challenges):
                break
            response.close()
        if response.status < 300 and login is not None:
            login.accepted = True
        _check_status(response)
        return response

    def _request(self, parts: SplitResult, target: str, headers: dict[str, str]) -> HTTPResponse:
        connection = HTTPConnection(parts.hostname or "", _port(parts))
        connection.default_port = _PORTS.get(parts.scheme, 0)  # named in no Host header
        try:
            connection.sock = self._connect(parts)
            line = connection.sock
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            line.settimeout(self._read_timeout_s)
        except TimeoutError as error:
            raise StreamError.no_answer(self._open_timeout_s) from error
        except HTTPException as error:
            raise StreamError("unreadable", "its answer is no HTTP") from error
        except (OSError, ValueError) as error:
            text = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
            if parts.scheme == "https" and self._verify_tls:
                text = f"{text or 'no TLS'}; {UNVERIFIED}"
            raise StreamError("unreachable", text or "not a host") from error
        finally:
            if connection.sock is not None:  # the response keeps it open until it is closed itself
                connection.sock.close()
        return response

    def _is_camera(self, parts: SplitResult) -> bool:
        return _origin(parts) == self._origin

    def _connect(self, parts: SplitResult) -> socket.socket:
        host = unquote(parts.hostname or "")
        if parts.scheme not in _PORTS:
            raise StreamError("unreadable", "it leads to something else than HTTP")
        address = host
        if not self._is_camera(parts):
            found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
            address = str(found[0][4][0])  # the one that is checked is the one that is used
            if not ipaddress.ip_address(address.partition("%")[0]).is_global:
                place = shown(_netloc(parts))
                detail = f"it leads to {place}, which is neither it nor a public host"
                raise StreamError("unreadable", detail)
        line = socket.create_connection((address, _port(parts)), self._open_timeout_s)
        if parts.scheme == "http":
            return line
        return begin_tls(line, host, verify=self._verify_tls)


class HttpBody:
    """The body of an answer, as a file that FFmpeg reads.

    Args:
        response: a success.
        url: where it came from.
        read_timeout_s: longest wait for more, for messages.
    """

    def __init__(self, response: HTTPResponse, url: str, read_timeout_s: float) -> None:
        self._response, self._read_timeout_s = response, read_timeout_s
        parts = urlsplit(url)
        self.name = parts._replace(netloc=_netloc(parts)).geturl()  # FFmpeg gets no login
        self.headers = response.headers
        self.status = response.status
        self.media_type = response.headers.get_content_type()

    @property
    def length(self) -> int | None:
        """Its size in bytes; None if it has no declared end."""
        return self._response.length

    def read(self, size: int = 1 << 16) -> bytes:
        """Return what has come, at least a byte; nothing at the end.

        Raises:
            StreamError: if nothing comes, or the connection breaks.
        """
        try:
            return self._response.read1(size)
        except TimeoutError as error:
            raise StreamError.nothing_came(self._read_timeout_s) from error
        except (OSError, HTTPException, ValueError) as error:
            text = getattr(error, "strerror", None) or "the connection broke"
            raise StreamError("disconnected", f"reading failed ({text})") from error

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def _check_status(response: HTTPResponse) -> None:
    status = response.status
    if status < 400:
        return
    response.close()
    if status in (401, 403):
        raise StreamError("unauthorized", "it refuses user and password")
    if status in (404, 410):
        raise StreamError("not_found", "it has no such path")
    raise StreamError("unreachable", f"it answers with status {status}")


def _netloc(parts: SplitResult) -> str:
    """Return host and port, as written, without user and password."""
    return parts.netloc.rpartition("@")[2]


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), _port(parts)
