"""End the tracks and actions of a recording where its camera saw nothing, as a live camera's end.

frame frame (gap) frame  ->  frame frame end frame
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable

from pipeline.events import DownReason
from pipeline.sources.file_clock import UsualStep
from pipeline.types import Frame, StreamEnd

# Of a recording with few frames a second, every distance is longer than a clip may have.
_USUAL_STEPS = 3

log = logging.getLogger(__name__)


def end_at_interruptions(
    items: Iterable[Frame | StreamEnd], max_gap_s: float
) -> Generator[Frame | StreamEnd, None, None]:
    """Insert a `StreamEnd` of a camera that comes back at every gap and change of the frame size.

    Args:
        items: of one camera, in order.
        max_gap_s: a longer distance of two frames, if it is also some times the usual one, is a
            gap, seconds.

    Yields:
        The items; before the first frame behind a gap an end with the reason `stalled`, before one
        of another size an end with the reason `format_changed`.
    """
    newest: Frame | None = None
    usual = UsualStep()
    gaps_s: list[float] = []
    sizes = 0
    for item in items:
        if isinstance(item, Frame):
            reason: DownReason | None = None
            if newest is not None:
                step_s = item.pts_s - newest.pts_s
                if step_s > max(max_gap_s, _USUAL_STEPS * usual.seconds(step_s)):
                    gaps_s.append(step_s)
                    reason = "stalled"
                usual.add(step_s)
                if item.wh != newest.wh:
                    sizes += 1
                    reason = "format_changed"
            if newest is not None and reason is not None:
                yield StreamEnd(item.camera_id, reason, at=newest.captured_at)
            newest = item
        elif gaps_s or sizes:
            texts = [f"gaps ({len(gaps_s)}, {sum(gaps_s):.1f} s in all)"] if gaps_s else []
            texts += [f"changes of the frame size ({sizes})"] if sizes else []
            log.info("%s: tracks and actions ended at %s", item.camera_id, " and ".join(texts))
        yield item
