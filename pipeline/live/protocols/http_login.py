"""Answer the login of an HTTP or RTSP server: basic and digest authentication (RFC 7617, 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote

# hashlib lists more than a camera may ask for.
_DIGESTS = {"md5": "md5", "sha-256": "sha256", "sha-512-256": "sha512_256"}
_CHALLENGE = re.compile(r"\s*(?P<scheme>basic|digest)(?:\s+(?P<parameters>.*))?", re.I | re.S)
_FIELD = re.compile(r"""([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))""")


@dataclass(slots=True)
class HttpLogin:
    """User and password of one server, and what it asked for last.

    Args:
        user: as text, not escaped.
        password: likewise.
    """

    user: str = field(repr=False)
    password: str = field(repr=False)
    accepted: bool = False  # set once a request with it succeeded
    _scheme: str | None = None
    _asked: dict[str, str] = field(default_factory=dict)
    _uses: int = 0  # of the nonce

    @classmethod
    def of_url(cls, parts: SplitResult) -> HttpLogin | None:
        """Return the login in a URL; None without a user."""
        if parts.username is None:
            return None
        return cls(unquote(parts.username), unquote(parts.password or ""))

    def challenge(self, headers: Sequence[str]) -> bool:
        """Take in the `WWW-Authenticate` headers of a refusal.

        Returns:
            Whether another attempt makes sense: there is something new to answer.
        """
        offers = [found for header in headers if (found := _CHALLENGE.fullmatch(header))]
        offers.sort(key=lambda offer: offer["scheme"].lower() != "digest")  # safer first
        for offer in offers:
            scheme = offer["scheme"].lower()
            asked = {
                name.lower(): quoted or plain
                for name, quoted, plain in _FIELD.findall(offer["parameters"] or "")
            }
            if scheme == "digest" and _algorithm(asked) is None:
                continue
            is_new = self._scheme != scheme or (
                scheme == "digest" and asked.get("nonce") != self._asked.get("nonce")
            )
            is_first = self._scheme is None
            self._scheme, self._asked, self._uses = scheme, asked, 0
            is_stale = self.accepted or asked.get("stale", "").lower() == "true"
            return is_first or (is_new and is_stale)
        return False

    def header(self, method: str, uri: str) -> str | None:
        """Return the value of `Authorization` for a request; None before any challenge."""
        if self._scheme == "basic":
            both = f"{self.user}:{self.password}".encode()
            return "Basic " + base64.b64encode(both).decode()
        return None if self._scheme is None else self._digest(method, uri)

    def _digest(self, method: str, uri: str) -> str:
        asked, name = self._asked, _algorithm(self._asked)
        assert name is not None

        def digest(*parts: str) -> str:
            data = ":".join(parts).encode()
            return hashlib.new(name, data, usedforsecurity=False).hexdigest()

        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        secret = digest(self.user, realm, self.password)
        client = secrets.token_hex(8)
        if asked.get("algorithm", "").lower().endswith("-sess"):
            secret = digest(secret, nonce, client)
        request = digest(method, uri)
        quoted = {"username": self.user, "realm": realm, "nonce": nonce, "uri": uri}
        plain: dict[str, str] = {}
        if "algorithm" in asked:
            plain["algorithm"] = asked["algorithm"]
        if "opaque" in asked:
            quoted["opaque"] = asked["opaque"]
        if "auth" in re.split(r"[\s,]+", asked.get("qop", "").lower()):
            self._uses += 1
            count = f"{self._uses:08x}"
            plain |= {"qop": "auth", "nc": count}
            quoted["cnonce"] = client
            quoted["response"] = digest(secret, nonce, count, client, "auth", request)
        else:
            quoted["response"] = digest(secret, nonce, request)
        fields = [f'{key}="{_escaped(value)}"' for key, value in quoted.items()]
        return "Digest " + ", ".join(fields + [f"{key}={value}" for key, value in plain.items()])


def _algorithm(asked: dict[str, str]) -> str | None:
    """Return the name of the digest for hashlib; None if it is unknown."""
    name = asked.get("algorithm", "MD5").lower().removesuffix("-sess")
    return _DIGESTS.get(name)


def _escaped(value: str) -> str:
    # No line break of a server or a user ends a header.
    return re.sub(r"[\x00-\x1f\x7f]", "", value.replace("\\", r"\\").replace('"', r"\""))
