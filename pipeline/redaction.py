"""Credentials out of texts that people and log files see."""

from __future__ import annotations

import re

MASK = "***"

# Up to the *last* "@" before a blank, a quote or the next URL: people paste passwords with raw
# "@", "/", "#" and ":" in them. Hiding too much of a text is the safe side of this mistake.
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

    A text that is one URL as a whole may have blanks and quotes in its password; inside a longer
    text such a password cannot be told from its surroundings, so mask the URL before you embed it.

    Args:
        text: a URL (`redis://`, `rediss://`, `rtsp://`, any scheme) or a text with URLs in it.
    """
    if text.count("://") == 1:
        text = _WHOLE_URL.sub(rf"\g<scheme>{MASK}@\g<rest>", text)
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    return _PARAMETER.sub(rf"\g<name>{MASK}", text)


def mask_source(text: str) -> str:
    """What the user wrote, without credentials even if the scheme before them is missing."""
    return mask_url(text) if "://" in text else _BARE_USERINFO.sub(f"{MASK}@", text)
