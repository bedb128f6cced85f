"""Stand between FFmpeg and one RTSP camera, so that FFmpeg reaches that camera alone.

    FFmpeg  --rtsp, loopback, no password-->  relay  --rtsp or rtsps, login-->  camera

FFmpeg follows every redirect and answers every host that asks for the password; no option forbids
it. The relay has the password, connects to the camera's configured host and port only, and writes
each reply again, so that FFmpeg never reads a redirect that the relay did not understand.
"""

from __future__ import annotations

import re
import secrets
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from pipeline.live.camera_messages import StreamError
from pipeline.live.camera_source import CameraSource
from pipeline.live.protocols.http_login import HttpLogin
from pipeline.live.protocols.redirects import MAX_REDIRECTS, location, not_followed
from pipeline.live.protocols.rtsp_messages import RtspError, RtspMessage, RtspParser
from pipeline.live.protocols.tls import UNVERIFIED, begin_tls

_PORTS = {"rtsp": 554, "rtsps": 322}
_POLL_S = 0.2  # between two checks whether the relay is to end
_SEND_S = 5.0  # longest wait for a camera to take a request
_RECEIVED_BYTES = 1 << 16
# Requests of a camera that only ask whether somebody is there.
_PINGS = ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER")
_NOT_FORWARDED = ("location", "www-authenticate", "authentication-info", "proxy-authenticate")


class RtspRelay:
    """Connect to a camera, then serve FFmpeg at `url` until `close`.

    Args:
        source: an RTSP camera.
        timeout_s: longest wait for the camera to accept the connection.

    Raises:
        StreamError: if it does not.
    """

    def __init__(self, source: CameraSource, timeout_s: float) -> None:
        self._source, self._timeout_s = source, timeout_s
        parts = urlsplit(source.url)
        self._host = unquote(parts.hostname or "")
        self._port = _port(parts)
        self._login = HttpLogin.of_url(parts)
        shown = f"[{parts.hostname}]" if ":" in self._host else parts.hostname
        self._origin = f"{parts.scheme}://{shown}:{self._port}"
        self._redirects = 0
        self._closed = threading.Event()
        self.failure: StreamError | None = None
        """Why FFmpeg's connection ended, if the relay knows better than FFmpeg."""

        self._camera: socket.socket | None = self._connect()
        is_v6 = self._camera.family == socket.AF_INET6
        local = "::1" if is_v6 else "127.0.0.1"
        self._listener = socket.create_server((local, 0), family=self._camera.family)
        self._listener.settimeout(_POLL_S)
        port = self._listener.getsockname()[1]
        # The token keeps other users of this machine from the camera behind the port.
        self._base = f"rtsp://{'[::1]' if is_v6 else local}:{port}/{secrets.token_hex(16)}"
        path = source.url.split("://", 1)[1][len(parts.netloc) :]
        self.url = self._base + path
        self._thread = threading.Thread(target=self._run, name="rtsp relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the relay; FFmpeg's connection must be closed before."""
        self._closed.set()
        self._thread.join()
        self._listener.close()
        if self._camera is not None:
            self._camera.close()

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + self._timeout_s
        try:
            connection = socket.create_connection((self._host, self._port), self._timeout_s)
            if self._source.url.startswith("rtsps:"):
                connection.settimeout(max(deadline - time.monotonic(), 0.1))
                connection = begin_tls(connection, self._host, verify=self._source.verify_tls)
        except TimeoutError as error:
            raise StreamError.no_answer(self._timeout_s) from error
        except ssl.SSLError as error:
            text = getattr(error, "verify_message", "") or error.reason or "no TLS"
            raise StreamError("unreachable", f"{text}; {UNVERIFIED}") from error
        except (OSError, ValueError) as error:  # a host name that is none
            text = getattr(error, "strerror", None) or "not a host"
            raise StreamError("unreachable", text) from error
        connection.setblocking(False)
        return connection

    def _run(self) -> None:
        while not self._closed.is_set() and self.failure is None:
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            with closing(client):
                client.settimeout(_SEND_S)
                try:
                    self._serve(client)
                except StreamError as failure:
                    self.failure = failure
                except RtspError as error:
                    self.failure = StreamError("unreadable", str(error))
                except OSError:  # either side has ended
                    pass

    def _serve(self, client: socket.socket) -> None:
        """Serve one connection of FFmpeg; it makes another one for a redirect to the same host."""
        requests = RtspParser()
        first = self._first_request(client, requests)
        if not first:
            return
        camera, self._camera = self._camera or self._connect(), None
        with closing(camera), selectors.DefaultSelector() as selector:
            session = _Session(self, client, camera)
            selector.register(client, selectors.EVENT_READ)
            selector.register(camera, selectors.EVENT_READ)
            session.to_camera(first)
            while not self._closed.is_set():
                for key, _ in selector.select(_POLL_S):
                    if key.fileobj is client:
                        data = client.recv(_RECEIVED_BYTES)
                        if not data:
                            return
                        session.to_camera(requests.feed(data))
                    elif not session.read_camera():
                        return

    def _first_request(
        self, client: socket.socket, requests: RtspParser
    ) -> list[RtspMessage | bytes]:
        """Return what a client sent first; nothing of one that does not know the token."""
        first: list[RtspMessage | bytes] = []
        while not first and (data := client.recv(_RECEIVED_BYTES)):
            first += requests.feed(data)
        request = first[0] if first else b""
        is_ours = (
            isinstance(request, RtspMessage)
            and request.status is None
            and request.uri.startswith(self._base)
        )
        return first if is_ours else []

    def camera_uri(self, uri: str) -> str:
        """Return the URI of a request as the camera knows it."""
        if uri.startswith(self._base):
            return self._origin + uri[len(self._base) :]
        return uri

    def authorization(self, request: RtspMessage) -> str | None:
        """Return the login of a request; None where the camera asked for none."""
        if self._login is None:
            return None
        return self._login.header(request.method, request.uri)

    def accepted(self) -> None:
        """Record that the camera took the login."""
        if self._login is not None:
            self._login.accepted = True

    def can_answer(self, reply: RtspMessage) -> bool:
        """Return whether a refused request is to be sent again, with the login asked for."""
        return self._login is not None and self._login.challenge(reply.get_all("WWW-Authenticate"))

    def redirected(self, reply: RtspMessage, peer: str) -> str:
        """Return where FFmpeg is to go on: the relay again, for another path of this camera.

        Args:
            reply: with a status of 300 to 399.
            peer: address of the camera.

        Raises:
            StreamError: if the redirect leads to another host or port.
        """
        try:
            target = urlsplit(urljoin(f"{self._origin}/", location(reply.get("Location"))))
            host, port = unquote(target.hostname or ""), _port(target)
        except ValueError:
            host, port, target = "", 0, urlsplit("")
        is_same = host.lower() in (self._host.lower(), peer.lower()) and port == self._port
        self._redirects += 1
        if not is_same or self._redirects > MAX_REDIRECTS:
            raise not_followed(f"{host}:{port}" if host else "nowhere")
        return self._base + target._replace(scheme="", netloc="").geturl()


class _Session:
    """One connection of FFmpeg and the camera's beside it."""

    def __init__(self, relay: RtspRelay, client: socket.socket, camera: socket.socket) -> None:
        self._relay, self._client, self._camera = relay, client, camera
        self._peer = str(camera.getpeername()[0])
        self._replies = RtspParser()
        self._cseq = 0
        self._sent: dict[str, tuple[RtspMessage, str, int]] = {}  # request, FFmpeg's CSeq, attempt

    def to_camera(self, items: Iterable[RtspMessage | bytes]) -> None:
        """Send FFmpeg's requests and its RTCP reports on to the camera."""
        for item in items:
            if isinstance(item, bytes):
                self._send(item)
            elif item.status is None:
                method, uri = item.method, self._relay.camera_uri(item.uri)
                request = RtspMessage(f"{method} {uri} RTSP/1.0", item.headers, item.body)
                self._request(request, item.get("CSeq") or "", 1)

    def read_camera(self) -> bool:
        """Pass on what the camera sent; return False at its end."""
        while True:
            try:
                data = self._camera.recv(_RECEIVED_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return True
            if not data:
                return False
            for item in self._replies.feed(data):
                if isinstance(item, bytes):
                    self._client.sendall(item)
                elif item.status is None:
                    self._answer(item)
                else:
                    self._reply(item, item.status)
            if not isinstance(self._camera, ssl.SSLSocket) or not self._camera.pending():
                return True

    def _request(self, request: RtspMessage, cseq: str, attempt: int) -> None:
        self._cseq += 1
        request.put("CSeq", str(self._cseq))
        login = self._relay.authorization(request)
        if login is not None:
            request.put("Authorization", login)
        if len(self._sent) > 100:  # a camera that never answers keep-alives
            self._sent.pop(next(iter(self._sent)))
        self._sent[str(self._cseq)] = request, cseq, attempt
        self._send(request.encode())

    def _reply(self, reply: RtspMessage, status: int) -> None:
        key = reply.get("CSeq") or ""
        if key not in self._sent:  # FFmpeg asks one thing after the other
            key = next(iter(self._sent), "")
        if status < 200 or key not in self._sent:
            return
        request, cseq, attempt = self._sent.pop(key)
        if status == 401 and attempt == 1 and self._relay.can_answer(reply):
            self._request(request, cseq, attempt + 1)
            return
        if status < 300:
            self._relay.accepted()
        answer = RtspMessage(f"RTSP/1.0 {status} of the camera", body=reply.body)
        answer.headers = [one for one in reply.headers if one[0].lower() not in _NOT_FORWARDED]
        answer.put("CSeq", cseq)
        if 300 <= status < 400:
            answer.put("Location", self._relay.redirected(reply, self._peer))
        self._check(request, status, answer)
        self._client.sendall(answer.encode())

    def _check(self, request: RtspMessage, status: int, answer: RtspMessage) -> None:
        """Complete a reply for FFmpeg, or say what no FFmpeg could make of it."""
        if request.method == "DESCRIBE" and status == 200:
            media = re.findall(rb"^m=(\w+)", answer.body, re.M)
            if media and b"video" not in media:
                others = ", ".join(sorted({one.decode() for one in media}))[:80]
                raise StreamError("unreadable", f"it sends no video, only {others}")
            if answer.get("Content-Base") is None:
                answer.put("Content-Base", request.uri)
        elif request.method == "SETUP" and status == 461:
            over_tcp = "TCP" in (request.get("Transport") or "")
            offered, other = ("TCP", "udp") if over_tcp else ("UDP", "tcp")
            detail = f"it refuses to send over {offered}; try transport: {other}"
            raise StreamError("unreadable", detail)
        elif request.method == "SETUP" and status == 200:
            transport = answer.get("Transport") or ""
            if "client_port" in transport:  # FFmpeg would send its reports to the relay
                kept = [one for one in transport.split(";") if not one.startswith("source=")]
                answer.put("Transport", ";".join([*kept, f"source={self._peer}"]))

    def _answer(self, request: RtspMessage) -> None:
        status = "200 OK" if request.method in _PINGS else "501 Not Implemented"
        answer = RtspMessage(f"RTSP/1.0 {status}", [("CSeq", request.get("CSeq") or "0")])
        self._send(answer.encode())

    def _send(self, data: bytes) -> None:
        deadline = time.monotonic() + _SEND_S
        view = memoryview(data)
        while view:
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                view = view[self._camera.send(view) :]
                continue
            if time.monotonic() > deadline:
                raise TimeoutError
            with selectors.DefaultSelector() as selector:
                selector.register(self._camera, selectors.EVENT_WRITE)
                selector.select(_POLL_S)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)
