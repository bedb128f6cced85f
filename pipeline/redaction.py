"""Remove credentials from texts before they are logged, shown or published."""

from __future__ import annotations

import re

MASK = "***"

# Up to the *last* "@" before a blank, a quote or the next URL: people paste passwords with raw
# "@", "/", "#" and ":" in them. Masking too much of a text is the safe error.
_USERINFO = re.compile(r"""(?P<scheme>[a-z][a-z0-9+.-]*://)(?:(?![a-z]+://)[^\s"'<>])*@""", re.I)
_WHOLE_URL = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*://)[^@].*@(?P<rest>\S*)$", re.I | re.S)

# Cameras take credentials in the path or query (`/user=admin&password=x`), redis-py in the query.
_BARE_USERINFO = re.compile(r".*:.*@", re.S)
_PARAMETER = re.compile(
    r"""(?P<name>[?&;/,](?:user(?:name)?|usr|login(?:use|pas)?|pass(?:word|wd|code)?|pwd|psw|token|auth|secret|(?:api_?)?key)=)"""
    r"""[^&;,\s"'<>]*""",
    re.I,
)


def mask_url(text: str) -> str:
    """Replace user and password of every URL in a text by `***`; the host stays.

    A text that consists of one URL may have blanks and quotes in its password; inside a longer
    text such a password has no recognizable end, so mask a URL before embedding it.

    Args:
        text: a URL (`redis://`, `rediss://`, `rtsp://`, any scheme) or a text with URLs in it.

    Returns:
        The text with masked credentials, also those in query parameters and path segments.
    """
    if text.count("://") == 1:
        text = _WHOLE_URL.sub(rf"\g<scheme>{MASK}@\g<rest>", text)
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _PARAMETER.sub(rf"\g<name>{MASK}", text)


def mask_source(text: str) -> str:
    """Mask the credentials of a camera source as the user wrote it.

    Args:
        text: a URL, a path, or a URL whose scheme is missing (`user:password@host`).
    """
    return mask_url(text) if "://" in text else _BARE_USERINFO.sub(f"{MASK}@", text)
