"""Redirects of cameras: within the configured host only, others are named."""

from __future__ import annotations

import re

from pipeline.live.camera_messages import StreamError

MAX_REDIRECTS = 5


def location(header: str | None) -> str:
    """Return the target in a `Location` header without what no URL has in it."""
    return re.sub(r"[^\x21-\x7e]", "", header or "")


def shown(place: str) -> str:
    """Return host and port as they may be logged, whatever the camera wrote there."""
    return re.sub(r"[^\w.:/\[\]-]", "", place)[:80]


def not_followed(place: str) -> StreamError:
    """Return the error of a redirect away from the camera.

    Args:
        place: host and port it leads to, without user and password.
    """
    advice = "if that is the camera, make it its url"
    detail = f"it redirects to {shown(place)}, which is not followed; {advice}"
    return StreamError("unreachable", detail)
