"""Draw ongoing alarms into an image: a banner each, and a second box around who is concerned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.events import AlarmEvent, Severity
from pipeline.outputs.drawing import Canvas, Colour
from pipeline.types import Image, TrackedPerson

# Of the palette of Okabe and Ito, BGR. The banner also says the severity.
SEVERITIES: dict[Severity, Colour] = {
    "info": (233, 180, 86),  # sky blue
    "warning": (66, 228, 240),  # yellow
    "critical": (0, 94, 213),  # vermillion
}
_ORDER: tuple[Severity, ...] = ("critical", "warning", "info")
_MOST = 3  # banners; the rest is counted
_DISTANCE = 2  # between a person's box and that of an alarm, widths of a line
_ELLIPSIS = "..."


def draw_alarms(
    image: Image, alarms: Sequence[AlarmEvent], people: Sequence[TrackedPerson]
) -> None:
    """Draw alarms into an image, in place: the most severe ones first, below the caption.

    Args:
        image: uint8 (H, W, 3) BGR.
        alarms: the newest event of each, oldest first.
        people: of the frame.
    """
    canvas = Canvas(image)
    ordered = sorted(alarms, key=lambda alarm: _ORDER.index(alarm.severity))
    for person in people:
        mine = [one for one in ordered if concerns(one, person)]
        if mine:
            far = np.float32(_DISTANCE * canvas.line_px) * np.array([-1, -1, 1, 1], np.float32)
            canvas.draw_box(person.xyxy + far, SEVERITIES[mine[0].severity])
    lines = [(banner_text(one), SEVERITIES[one.severity]) for one in ordered[:_MOST]]
    if len(ordered) > _MOST:
        lines.append((f"and {len(ordered) - _MOST} more", lines[-1][1]))
    for number, (text, colour) in enumerate(lines, 1):
        canvas.filled_text(_fitting(canvas, text), 0, number * canvas.row_px, colour)


def concerns(alarm: AlarmEvent, person: TrackedPerson) -> bool:
    """Return whether a person takes part in an alarm, under any of the person's track ids."""
    ids = {person.track_id, *person.track_ids}
    return not ids.isdisjoint(alarm.track_ids)


def banner_text(alarm: AlarmEvent) -> str:
    """Return what the banner of an alarm says."""
    return f"{alarm.severity.upper()} {alarm.rule}: {alarm.reason}"


def _fitting(canvas: Canvas, text: str) -> str:
    """Shorten a text to the width of the image."""
    width = int(canvas.image.shape[1])
    if canvas.text_width(text) <= width:
        return text
    longest = len(text)
    while longest > 0 and canvas.text_width(text[:longest] + _ELLIPSIS) > width:
        longest -= 1
    return text[:longest] + _ELLIPSIS
