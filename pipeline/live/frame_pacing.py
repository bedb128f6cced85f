"""Select frames at a rate, and play a recording at its own pace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_EARLY = 0.25  # fraction of an interval by which a frame may come before its time
_BEHIND_S = 1.0  # a reader that is further behind starts its pace again
# A timestamp further ahead has jumped; a reader that waited for it would be taken for stuck.
_LONGEST_WAIT_S = 3.0
_LONGEST_STEP_S = 1.0  # between two rounds of a loop


class FramePacer:
    """Select frames at a rate by their own timestamps.

    Args:
        fps: frames per second to select; None: every frame.
    """

    def __init__(self, fps: float | None) -> None:
        self._interval_s = None if fps is None else 1.0 / fps
        self._due_s: float | None = None

    def is_due(self, pts_s: float) -> bool:
        """Return whether to select the frame at this time; call it once per frame.

        Args:
            pts_s: presentation time, seconds.
        """
        interval_s = self._interval_s
        if interval_s is None:
            return True
        # A jump of the stream's clock in either direction starts again.
        if self._due_s is None or not -interval_s <= self._due_s - pts_s <= 2 * interval_s:
            self._due_s = pts_s
        if pts_s < self._due_s - _EARLY * interval_s:
            return False
        self._due_s += interval_s
        return True


class PlaybackPacer:
    """Delay a reader to the pace of what it reads, and join the rounds of a loop.

    Args:
        speed: multiple of the recording's own pace.
        now: seconds on a monotonic clock.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        speed: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed, self._now, self._sleep = speed, now, sleep
        self._zero_s: float | None = None  # when media time 0 was due
        self._shift_s = 0.0  # from the recording's time to media time, in this round
        self._first_s, self._newest_s = math.inf, -math.inf  # the recording's; media time
        self._frames = 0  # in this round

    def continued(self, pts_s: float) -> float:
        """Return the media time: the recording's own, continued after its first round."""
        return pts_s + self._shift_s

    def again(self) -> None:
        """Begin another round."""
        if self._frames:
            # Not the step between the last two: they come in the order of decoding.
            lasted_s = self._newest_s - self.continued(self._first_s)
            mean_s = lasted_s / (self._frames - 1) if lasted_s else _LONGEST_STEP_S
            self._shift_s = self._newest_s + min(mean_s, _LONGEST_STEP_S) - self._first_s
            self._frames = 0

    def wait(self, pts_s: float) -> None:
        """Wait until a frame is due.

        Args:
            pts_s: presentation time in the recording, seconds.
        """
        media_s = self.continued(pts_s)
        self._first_s = min(self._first_s, pts_s)
        self._newest_s = max(self._newest_s, media_s)
        self._frames += 1
        now_s, at_s = self._now(), media_s / self._speed
        if self._zero_s is None or now_s - self._zero_s - at_s > _BEHIND_S:
            self._zero_s = now_s - at_s
        self._zero_s = min(self._zero_s, now_s - at_s + _LONGEST_WAIT_S)
        ahead_s = self._zero_s + at_s - now_s
        if ahead_s > 0:
            self._sleep(ahead_s)
