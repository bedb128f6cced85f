"""Events to a URL: one signed POST each."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import quote, urlsplit

import requests

from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.errors import ConfigError
from pipeline.events import Event, encode_event

# Status codes about the state of the receiver, not about the event: too many requests, or a proxy
# without a server behind it.
_UNAVAILABLE = {429, 502, 503, 504}
_ANSWER_CHUNKS = 8  # of 8 KiB; more is not read
_PRINTABLE = "!#$&'()*+,/:;<=>?@[]^`{|}~"

# At debug level urllib3 logs each URL with path and query, and both may hold a token.
logging.getLogger("urllib3").setLevel(logging.INFO)


class WebhookBridge:
    """Posts events to a URL; use it from one thread, and as a context.

    Redirects are not followed: events must not reach a host that an answer names instead of the
    configured one, and most redirects turn a POST into a GET.

    Args:
        url: `http://` or `https://`, `user:password@` for basic authentication. Only its scheme,
            host and port are logged.
        secret: key of the signature; None: requests are unsigned.
        timeout_s: longest wait for a connection, and longest silence on it, seconds.
        now: clock of the timestamp, Unix seconds.

    Raises:
        ConfigError: if `url` is no HTTP URL with a host.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes | None,
        timeout_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"webhook at {_origin(url)}"
        self._url, self._secret, self._timeout_s, self._now = url, secret, timeout_s, now
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "behaviour-stream"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def send(self, event: Event) -> None:
        """POST the event; an answer of 2xx means that the receiver has it.

        Raises:
            UnavailableError: if there is no answer, or one of status 429, 502, 503 or 504.
            BridgeError: if the status is any other than 2xx.
        """
        body = encode_event(event).encode()
        try:
            response = self._session.post(
                self._url,
                data=body,
                headers=self._headers(event, body),
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,  # an endless answer is not read
            )
        except requests.RequestException as error:
            # Not chained: the texts of requests quote the URL.
            raise UnavailableError(f"{self.name} does not answer: {self._reason(error)}") from None
        with response:
            _read_to_the_end(response)
            self._judge(response)

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            # Camera ids are file names, in any script; headers are ASCII.
            "X-Behaviour-Event-Id": quote(event.event_id, safe=_PRINTABLE),
            "X-Behaviour-Timestamp": timestamp,
        }
        if self._secret is not None:
            headers["X-Behaviour-Signature"] = sign(self._secret, timestamp, body)
        return headers

    def _judge(self, response: requests.Response) -> None:
        if 200 <= response.status_code < 300:
            return
        answer = f"{self.name} answers {response.status_code}"
        if response.status_code in _UNAVAILABLE:
            raise UnavailableError(answer)
        if response.is_redirect:
            target = _origin_or_path(response.headers["Location"])
            answer += f", a redirect to {target}; it is not followed, see bridges.webhook.url"
        raise BridgeError(answer)

    def _reason(self, error: BaseException) -> str:
        """The error of the operating system or of TLS, without a URL."""
        if isinstance(error, requests.Timeout):
            return f"nothing came within {self._timeout_s:g} s"
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
                return str(cause)
            cause = cause.__cause__ or cause.__context__
        return type(error).__name__


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Sign a request; the receiver computes the same and uses `hmac.compare_digest`.

    Args:
        secret: key shared with the receiver.
        timestamp: the header `X-Behaviour-Timestamp`; signed, so that an old request cannot be
            sent again as a new one.
        body: of the request, as sent.

    Returns:
        `sha256=` and HMAC-SHA256 of `timestamp.body` in hexadecimal digits.
    """
    signed = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def _origin(url: str) -> str:
    """Scheme, host and port only: in many services the path is the password."""
    try:
        parts = urlsplit(requests.Request("POST", url).prepare().url or "")
        port = "" if parts.port is None else f":{parts.port}"
    except (requests.RequestException, ValueError):
        raise ConfigError("bridges.webhook.url: not a URL with a host") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("bridges.webhook.url: expected http:// or https://")
    if "@" in parts.path + parts.query + parts.fragment:
        # Perhaps what looks like the host is a user whose password has a raw / or ? or #.
        return f"{parts.scheme}://***"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _origin_or_path(location: str) -> str:
    try:
        return _origin(location)
    except ConfigError:
        return "another path"  # of the same host


def _read_to_the_end(response: requests.Response) -> None:
    """Drain the answer, so that the connection is reused for the next event."""
    with suppress(requests.RequestException):  # the status is known already
        for number, _ in enumerate(response.iter_content(8192), start=1):
            if number == _ANSWER_CHUNKS:
                return
