"""Which pictures are looked at, and how a recording is played at its own pace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_EARLY = 0.25  # of an interval: a picture that comes a little before its time is taken
_BEHIND_S = 1.0  # a reader that is further behind its pace begins a new one
# A time stamp further ahead has leapt; who waited for it would be taken for hung.
_LONGEST_WAIT_S = 3.0
_LONGEST_STEP_S = 1.0  # between two rounds of a loop


class Metronome:
    """Picks pictures at a rate by their own times.

    Args:
        fps: pictures per second; None: every one.
    """

    def __init__(self, fps: float | None) -> None:
        self._interval_s = None if fps is None else 1.0 / fps
        self._due_s: float | None = None

    def is_due(self, pts_s: float) -> bool:
        """Whether the picture with this time is to be taken; called once for each."""
        interval_s = self._interval_s
        if interval_s is None:
            return True
        # A leap of the stream's clock, either way, begins anew.
        if self._due_s is None or not -interval_s <= self._due_s - pts_s <= 2 * interval_s:
            self._due_s = pts_s
        if pts_s < self._due_s - _EARLY * interval_s:
            return False
        self._due_s += interval_s
        return True


class OwnPace:
    """Holds a reader back to the pace of what it reads, and joins the rounds of a loop.

    Args:
        speed: times the recording's own pace.
        now: seconds on a growing clock.
        sleep: waits so many seconds.
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
        self._pictures = 0  # in this round

    def continued(self, pts_s: float) -> float:
        """Media time: the recording's own in the first round, and on from there."""
        return pts_s + self._shift_s

    def again(self) -> None:
        """Another round begins."""
        if self._pictures:
            # Not what lay between the last two: they come in the order of decoding.
            lasted_s = self._newest_s - self.continued(self._first_s)
            mean_s = lasted_s / (self._pictures - 1) if lasted_s else _LONGEST_STEP_S
            self._shift_s = self._newest_s + min(mean_s, _LONGEST_STEP_S) - self._first_s
            self._pictures = 0

    def wait(self, pts_s: float) -> None:
        """Wait until this media time is due."""
        media_s = self.continued(pts_s)
        self._first_s = min(self._first_s, pts_s)
        self._newest_s = max(self._newest_s, media_s)
        self._pictures += 1
        now_s, at_s = self._now(), media_s / self._speed
        if self._zero_s is None or now_s - self._zero_s - at_s > _BEHIND_S:
            self._zero_s = now_s - at_s
        self._zero_s = min(self._zero_s, now_s - at_s + _LONGEST_WAIT_S)
        ahead_s = self._zero_s + at_s - now_s
        if ahead_s > 0:
            self._sleep(ahead_s)
