"""A notification service by its apprise URL; the only file that imports apprise.

Apprise speaks to more than a hundred services. It logs what it sends, with tokens, at its debug
levels, and answers with success or failure alone; both are put right here.
"""

from __future__ import annotations

import logging
import re

from apprise import Apprise, AppriseAsset
from apprise.attachment.memory import AttachMemory

from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.errors import ConfigError

# Of HTTP, behind which a service may have digits of its own (40301); as a plugin words it.
_STATUS = re.compile(r"\berror=(\d{3})\d*\b")
_BUSY = {408, 425, 429}
_IMAGE_NAME = "snapshot.jpg"

# Nothing of it reaches a log: below warnings are URLs, headers and payloads, in warnings hosts.
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").setLevel(logging.WARNING)
logging.getLogger("urllib3").setLevel(logging.INFO)  # it logs each URL, with its path and query


class AppriseService:
    """Sends plain text to one service.

    Args:
        url: of apprise, such as `ntfys://ntfy.sh/TOPIC`; it has the credentials, and no text of
            this class has any part of it but the name of the service.
        key: of the configuration, for messages.
        timeout_s: longest wait for a connection, and for each part of an answer, seconds.

    Attributes:
        name: of the service.

    Raises:
        ConfigError: if apprise knows no such URL.
    """

    def __init__(self, url: str, *, key: str, timeout_s: float) -> None:
        # Nothing of it is kept on disk, and no thread pool sends to several at once: one is all.
        asset = AppriseAsset(
            async_mode=False, secure_logging=True, storage_mode="memory", app_id="behaviour-stream"
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
        self._apprise = Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, title: str, text: str, image: bytes | None = None) -> None:
        """Send a message; text is never markup, whatever it holds.

        An image that the service refuses is left out, and the text says so.

        Args:
            title: one line.
            text: lines.
            image: JPEG; services that take none do not get it.

        Raises:
            UnavailableError: if the service does not answer, or is busy.
            BridgeError: if it refuses the message.
        """
        image = image if self._takes_images else None
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
        result = self._apprise.notify(body=text, title=title, body_format="text", attach=attached)
        if result:
            return
        found = [_STATUS.search(entry.message) for entry in result.logs()]
        codes = [int(match[1]) for match in found if match is not None]
        if not codes:
            raise UnavailableError(f"{self.name} does not answer")
        if any(code in _BUSY or code >= 500 for code in codes):
            raise UnavailableError(f"{self.name} answers {codes[0]}")
        raise BridgeError(f"{self.name} answers {codes[0]}")
