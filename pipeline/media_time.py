"""Media time as people read it."""

from __future__ import annotations


def format_media_time(pts_s: float) -> str:
    """Seconds as `m:ss.t`, from an hour on as `h:mm:ss.t`."""
    seconds, tenths = divmod(round(abs(pts_s) * 10), 10)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if pts_s < 0 and (hours or minutes or seconds or tenths) else ""
    clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{sign}{clock}:{seconds:02}.{tenths}"
