"""A notification service by its apprise URL; the only file that imports apprise.

Apprise speaks to more than a hundred services. It logs what it sends, with tokens, at its debug
levels, and answers with success or failure alone; both are put right here.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from apprise import Apprise, AppriseAsset, NotifyBase
from apprise.attachment.memory import AttachMemory
from apprise.logger import NotifyLogEntry
from apprise.result import AppriseResult

from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.errors import ConfigError

# Of HTTP, behind which a service may have digits of its own (40301); as a plugin words it.
_STATUS = re.compile(r"\berror=(\d{3})\d*\b")
_BUSY = {408, 425, 429, *range(500, 600)}
# Of mail (RFC 5321), as smtplib words it, or the plugin for one recipient of several. There 4xx is
# what passes and 5xx what does not.
_MAIL_STATUS = re.compile(
    r"^Socket Exception: (?:\{[^(]{1,300}: )?\((\d{3}), b['\"]"
    r"|^SMTP recipient \S+ was refused: (\d{3})\b"
)
_MAIL_BUSY = range(400, 500)
_WARNINGS = ("WARNING", "ERROR", "CRITICAL")
_WAITS = 5  # longest duration of an attempt, in waits for a part of an answer
_REMEMBERED = 16  # messages that some recipients have and others not
_IMAGE_NAME = "snapshot.jpg"

# Nothing of it reaches a log: below warnings are URLs, headers and payloads, in warnings hosts.
# It is made all the same, because what a mail server answered is in no other place.
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").setLevel(logging.DEBUG)
logging.getLogger("urllib3").setLevel(logging.INFO)  # it logs each URL, with its path and query


class AppriseService:
    """Sends plain text to one service.

    Args:
        url: of apprise, such as `ntfys://ntfy.sh/TOPIC`; it has the credentials, and no text of
            this class has any part of it but the name of the service.
        key: of the configuration, for messages.
        timeout_s: longest wait for a connection, and for each part of an answer, seconds. An
            attempt is given up after five times this time, however slowly the service answers.

    Attributes:
        name: of the service.

    Raises:
        ConfigError: if apprise knows no such URL.
    """

    def __init__(self, url: str, *, key: str, timeout_s: float) -> None:
        # Nothing of it is kept on disk, and no thread pool sends to several at once: one is all.
        asset = AppriseAsset(
            async_mode=False,
            secure_logging=True,
            storage_mode="memory",
            app_id="behaviour-stream",
            # A POST would become a GET, which may succeed and bring no message.
            http_redirects=False,
            service_timeout=0,  # it would take threads of a pool that all services share
        )
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            raise ConfigError(
                f"{key}: not a URL that apprise knows, or one without what its service needs; "
                "https://appriseit.com/services/ lists them"
            )
        service.socket_connect_timeout = service.socket_read_timeout = timeout_s
        service.request_rate_per_sec = 0  # the bridge has its own limit
        self.name = str(service.service_name)
        self._takes_images = bool(service.attachment_support)
        self._longest_s, self._attempt = _WAITS * timeout_s, threading.Thread()
        self._recipients = _Recipients(service)
        self._apprise = Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, title: str, text: str, image: bytes | None = None) -> None:
        """Send a message; text is never markup, whatever it holds.

        An image that the service refuses is dropped, and the text says so. A recipient of several
        who has the message does not get it again when it is sent again because of the others.

        Args:
            title: one line.
            text: lines; without any, the title is the text too.
            image: JPEG; services that take none do not get it.

        Raises:
            UnavailableError: if the service does not answer, or is busy.
            BridgeError: if it refuses the message.
        """
        image = image if self._takes_images else None
        text = text if text.strip() else title.strip() or "-"
        if self._attempt.is_alive():  # it was given up, and may still succeed
            raise UnavailableError(f"{self.name} does not answer: an attempt before is not over")
        with self._recipients.of((title, text)):
            try:
                self._send(title, text, image)
            except UnavailableError:
                raise
            except BridgeError:
                if image is None:
                    raise
                self._send(title, f"{text}\n(the service refused the snapshot)", None)

    def _send(self, title: str, text: str, image: bytes | None) -> None:
        attached = None
        if image is not None:
            options = {"name": _IMAGE_NAME, "mimetype": "image/jpeg"}
            attached = AttachMemory(content=image, **options)  # type: ignore[no-untyped-call]
        results: list[AppriseResult] = []

        def attempt() -> None:
            with suppress(Exception):  # whose text may have the URL
                result = self._apprise.notify(
                    body=text,
                    title=title,
                    body_format="text",
                    attach=attached,
                    log_level=logging.DEBUG,
                )
                results.append(result)

        # Apprise has timeouts for each wait alone. A daemon, so that it delays no end.
        self._attempt = threading.Thread(target=attempt, name=f"send {self.name}", daemon=True)
        self._attempt.start()
        self._attempt.join(self._longest_s)
        if not results:
            raise UnavailableError(f"{self.name} does not answer")
        if results[0]:
            return
        codes, is_busy = _statuses(results[0].logs())
        if not codes:
            raise UnavailableError(f"{self.name} does not answer")
        error = UnavailableError if is_busy else BridgeError
        raise error(f"{self.name} answers {codes[0]}")


class _Recipients:
    """Remembers which recipients of a service have a message that others have not.

    Apprise does so for its own retries alone, which do not outlast an outage.
    """

    def __init__(self, service: NotifyBase) -> None:
        self._slot = service._slot
        self._served: set[object] = set()
        self._partly: dict[tuple[str, str], set[object]] = {}
        # The two questions of a plugin's loop over its recipients.
        service.is_delivered = self._is_served  # type: ignore[method-assign]
        service.mark_delivered = self._serve  # type: ignore[method-assign]

    @contextmanager
    def of(self, message: tuple[str, str]) -> Iterator[None]:
        """Skip who already has the message, until the block ends without an error."""
        self._served = self._partly.pop(message, set())
        try:
            yield
        except BridgeError:
            self._partly[message] = self._served
            while len(self._partly) > _REMEMBERED:
                del self._partly[next(iter(self._partly))]
            raise

    def _is_served(self, key: object, per_message: bool = False) -> bool:
        return self._slot(key, per_message) in self._served

    def _serve(self, key: object, per_message: bool = False) -> None:
        self._served.add(self._slot(key, per_message))


def _statuses(entries: Iterable[NotifyLogEntry]) -> tuple[list[int], bool]:
    """Return the statuses that apprise tells of, and whether one of them is a passing one."""
    web, mail = [], []
    for entry in entries:
        # Below warnings are the messages themselves, in which anything may stand.
        if entry.level in _WARNINGS and (found := _STATUS.search(entry.message)):
            web.append(int(found[1]))
        if found := _MAIL_STATUS.search(entry.message):
            mail.append(int(found[1] or found[2]))
    is_busy = any(code in _BUSY for code in web) or any(code in _MAIL_BUSY for code in mail)
    return web + mail, is_busy
