"""Signatures of a webhook: ours, and those of the Standard Webhooks specification beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote

from pipeline.errors import ConfigError

_PREFIX = b"whsec_"
_KEY_BYTES = (24, 64)  # shortest and longest key of the specification
_PRINTABLE = "!#$&'()*+,/:;<=>?@[]^`{|}~"


class WebhookSigner:
    """Signs requests with a key that the receiver has too.

    Args:
        secret: any bytes; or `whsec_` and a key in base64, as the tools of the Standard Webhooks
            specification make and show them. Our signature takes these bytes as they are; that of
            the specification takes the key behind `whsec_`, or the bytes where there is none.

    Raises:
        ConfigError: if what follows `whsec_` is no such key.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = _standard_key(secret)

    def headers(self, message_id: str, timestamp: str, body: bytes) -> dict[str, str]:
        """Return the headers with the signatures of a request.

        Args:
            message_id: of the header `webhook-id`, see `standard_id`.
            timestamp: Unix seconds of this attempt; signed, so that an old request cannot be sent
                again as a new one.
            body: as sent.
        """
        signed = f"{message_id}.{timestamp}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return {
            "X-Behaviour-Signature": sign(self._secret, timestamp, body),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Sign a request; the receiver computes the same and uses `hmac.compare_digest`.

    Args:
        secret: key shared with the receiver.
        timestamp: the header `X-Behaviour-Timestamp`.
        body: of the request, as sent.

    Returns:
        `sha256=` and HMAC-SHA256 of `timestamp.body` in hexadecimal digits.
    """
    signed = timestamp.encode() + b"." + body
    return f"sha256={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def header_id(event_id: str) -> str:
    """Return the id as a header can hold it: camera ids are file names, in any script."""
    return quote(event_id, safe=_PRINTABLE)


def standard_id(event_id: str) -> str:
    """Return the id as `webhook-id`.

    It has no full stop, which separates what is signed: the specification demands that of ids whose
    parts others may choose, such as the name of a file.
    """
    return header_id(event_id).replace(".", "%2E")


def _standard_key(secret: bytes) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret
    text = secret.removeprefix(_PREFIX).rstrip(b"=")
    shortest, longest = _KEY_BYTES
    try:
        key = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not shortest <= len(key) <= longest:
        raise ConfigError(
            f"bridges.webhook.secret_file: behind whsec_ the file needs {shortest} to {longest} "
            'bytes in base64, as of: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key
