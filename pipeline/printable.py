"""Text from outside on a terminal or in a log: no escape sequences, and not too long."""

from __future__ import annotations

ELLIPSIS = "..."


def printable(text: str, longest: int | None = None) -> str:
    r"""Escape what a terminal would execute or hide, such as `\x1b`, and shorten.

    Args:
        text: of another program; may hold control characters and lone surrogates.
        longest: characters of the result; the rest is replaced by `...`. None: no limit.
    """
    if longest is not None and len(text) > longest:
        text = text[:longest] + ELLIPSIS  # an escape is longer than its character
    text = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )
    if longest is not None and len(text) > longest:
        text = text[: longest - len(ELLIPSIS)] + ELLIPSIS
    return text
