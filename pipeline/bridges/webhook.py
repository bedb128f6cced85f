"""Events to a URL: one signed POST each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Literal, Self
from urllib.parse import urlsplit

import requests

from pipeline.bridges.cloud_event import CONTENT_TYPE, cloud_event
from pipeline.bridges.exchange_deadline import DeadlineAdapter
from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.bridges.webhook_signatures import WebhookSigner, header_id, standard_id
from pipeline.errors import ConfigError
from pipeline.events import Event, encode_event

# Status codes about the state of the receiver, not about the event: it timed out, is too early or
# has too many requests; and all of 500 to 599.
_UNAVAILABLE = {408, 425, 429, *range(500, 600)}
_LONGEST_RETRY_AFTER_S = 3600.0
_ANSWER_CHUNKS = 8  # of 8 KiB; more is not read

BodyFormat = Literal["event", "cloudevents"]

# At debug level urllib3 logs each URL with path and query, and both may hold a token.
logging.getLogger("urllib3").setLevel(logging.INFO)


class WebhookBridge:
    """Posts events to a URL; use it from one thread, and as a context.

    Redirects are not followed: events must not reach a host that an answer names instead of the
    configured one, and most redirects turn a POST into a GET.

    Args:
        url: `http://` or `https://`, `user:password@` for basic authentication. Only its scheme,
            host and port are logged.
        secret: key of the signatures, see `WebhookSigner`; None: requests are unsigned.
        timeout_s: longest duration of a whole exchange, from the connection to the end of the
            answer, seconds.
        body_format: the event itself, or a CloudEvent around it.
        now: clock of the timestamp, Unix seconds.

    Raises:
        ConfigError: if `url` is no HTTP URL with a host, or `secret` no key.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes | None,
        timeout_s: float,
        body_format: BodyFormat = "event",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"webhook at {_origin(url)}"
        self._url, self._timeout_s, self._now = url, timeout_s, now
        self._is_cloud_event = body_format == "cloudevents"
        self._signer = None if secret is None else WebhookSigner(secret)
        self._session, self._adapter = _Session(), DeadlineAdapter()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._session.headers["User-Agent"] = "behaviour-stream"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def send(self, event: Event) -> None:
        """POST the event; an answer of 2xx means that the receiver has it.

        Raises:
            UnavailableError: if there is no answer in time, or one of status 408, 425, 429 or 500
                to 599.
            BridgeError: if the status is any other than 2xx.
        """
        body = (cloud_event(event) if self._is_cloud_event else encode_event(event)).encode()
        response: requests.Response | None = None
        whole = False  # status and headers, before the deadline
        try:
            with self._adapter.within(self._timeout_s):
                response = self._session.post(
                    self._url,
                    data=body,
                    headers=self._headers(event, body),
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,  # an endless answer is not read
                )
                whole = not self._adapter.expired
                with response:
                    _read_to_the_end(response)
        except TimeoutError:
            if not whole:  # else the status is known, and the rest is worth nothing
                late = f"no whole answer came within {self._timeout_s:g} s"
                raise UnavailableError(f"{self.name} does not answer: {late}") from None
        except requests.RequestException as error:
            # Not chained: the texts of requests quote the URL.
            raise UnavailableError(f"{self.name} does not answer: {self._reason(error)}") from None
        assert response is not None
        self._judge(response)

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        timestamp, message_id = str(int(self._now())), standard_id(event.event_id)
        headers = {
            "Content-Type": CONTENT_TYPE if self._is_cloud_event else "application/json",
            "X-Behaviour-Event-Id": header_id(event.event_id),
            "X-Behaviour-Timestamp": timestamp,
            # The names of the Standard Webhooks specification.
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
        }
        if self._signer is not None:
            headers |= self._signer.headers(message_id, timestamp, body)
        return headers

    def _judge(self, response: requests.Response) -> None:
        if 200 <= response.status_code < 300:
            return
        answer = f"{self.name} answers {response.status_code}"
        if response.status_code in _UNAVAILABLE:
            raise UnavailableError(answer, retry_after_s=_retry_after_s(response, self._now()))
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


class _Session(requests.Session):
    """A session that does not even parse where a redirect leads: it may be no URL at all."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


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


def _retry_after_s(response: requests.Response, now: float) -> float:
    """Return for how long the receiver asks to be left alone, seconds; 0 if it does not.

    Args:
        response: with a header `Retry-After`, of seconds or a date, or without.
        now: Unix seconds; a date is compared with the receiver's own clock where it sends that.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_RETRY_AFTER_S)
    until, there = _unix_s(text), _unix_s(response.headers.get("Date", ""))
    if until is None:
        return 0.0
    return min(max(0.0, until - (now if there is None else there)), _LONGEST_RETRY_AFTER_S)


def _unix_s(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _read_to_the_end(response: requests.Response) -> None:
    """Drain the answer, so that the connection is reused for the next event."""
    with suppress(requests.RequestException, OSError):  # the status is known already
        for number, _ in enumerate(response.iter_content(8192), start=1):
            if number == _ANSWER_CHUNKS:
                return
