"""Format times for people: UTC timestamps and media time."""

from __future__ import annotations

from datetime import UTC, datetime


def format_utc(unix_s: float) -> str:
    """Format a timestamp as ISO 8601 in UTC with milliseconds: `2026-01-01T00:00:01.500Z`.

    Args:
        unix_s: Unix seconds.
    """
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def format_media_time(pts_s: float) -> str:
    """Format media time as `m:ss.t`, from one hour as `h:mm:ss.t`.

    Args:
        pts_s: seconds on the source's clock; negative values get a minus sign.
    """
    seconds, tenths = divmod(round(abs(pts_s) * 10), 10)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if pts_s < 0 and (hours or minutes or seconds or tenths) else ""
    clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{sign}{clock}:{seconds:02}.{tenths}"
