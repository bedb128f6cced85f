"""Numbers as people read them."""

from __future__ import annotations

import math


def percent(value: float | None) -> str:
    """Three digits of a share."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """Enough digits of a rate."""
    return "-" if value is None else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """Tenths of seconds."""
    return "-" if value is None else f"{value:.1f} s"
