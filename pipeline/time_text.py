"""Moments as every text that leaves the program writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def format_utc(unix_s: float) -> str:
    """ISO 8601 in UTC with milliseconds: `2026-01-01T00:00:01.500Z`."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
