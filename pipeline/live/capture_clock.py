"""When a live camera's pictures were taken: its own time stamps, laid onto our clock."""

from __future__ import annotations

from collections import deque

# The floor of the delays is that of the last minute: long enough to see one picture that came
# through without waiting, short enough to follow a camera's clock that runs 0.1 % fast or slow.
WINDOW_S = 60.0
_SLOT_S = 1.0  # the window moves in steps
# Time stamps that go back, or ahead of our own clock, by more than this are of another clock.
_BACK_S, _AHEAD_S = 1.0, 5.0
# A sender's clock that says a picture travelled longer than this, or arrived before it was taken,
# is not set.
PLAUSIBLE_DELAY_S = 5.0
_EARLY_S = 0.05
# What had piled up when the connection began is through by then; later changes of the floor come
# from two clocks that do not run alike.
SETTLED_S = 30.0


class CaptureClock:
    """Follows one connection to one camera.

    A picture arrives some delay after it was taken, and the smallest delay of the last minute is
    that of a picture that nothing held up. What it is in all is unknown, unless the camera says:
    RTCP sender reports carry its wall clock. Without them it is taken for zero.

    Media times and arrivals are seconds on growing clocks that have nothing to do with each
    other; our wall clock may be set while a camera runs and is not used to measure.
    """

    def __init__(self) -> None:
        # (start of the slot, smallest arrival - pts in it), oldest first
        self._slots: deque[tuple[float, float]] = deque()
        self._sender_zero_s: float | None = None  # media time 0 on our clock, says the sender
        self._sender_delay_s = 0.0
        self._settled_at = 0.0
        self._newest: tuple[float, float] | None = None  # pts, arrival

    def arrived(self, pts_s: float, arrived_s: float) -> bool:
        """Take the next picture into account.

        Args:
            pts_s: presentation time, seconds on the camera's clock.
            arrived_s: seconds on our monotonic clock.

        Returns:
            Whether the camera's clock has leapt: it is followed from the beginning then.
        """
        leapt = self._has_leapt(pts_s, arrived_s)
        if leapt:
            self._slots.clear()
            self._sender_zero_s, self._sender_delay_s = None, 0.0
        self._newest = pts_s, arrived_s
        offset_s = arrived_s - pts_s
        if self._slots and arrived_s - self._slots[-1][0] < _SLOT_S:
            start_s, smallest_s = self._slots[-1]
            self._slots[-1] = start_s, min(smallest_s, offset_s)
        else:
            self._slots.append((arrived_s, offset_s))
        while self._slots[0][0] < arrived_s - WINDOW_S:
            self._slots.popleft()
        if self._sender_zero_s is not None and arrived_s < self._settled_at:
            self._sender_delay_s = max(self._floor() - self._sender_zero_s, 0.0)
        return leapt

    def told_by_sender(self, zero_s: float) -> float | None:
        """Use what the camera's wall clock says, if it can be right.

        Args:
            zero_s: when its media time 0 was, on our monotonic clock.

        Returns:
            By how many seconds that clock must be wrong; None if it is used.
        """
        delay_s = self._floor() - zero_s
        if not -_EARLY_S <= delay_s <= PLAUSIBLE_DELAY_S:
            return delay_s
        assert self._newest is not None
        self._sender_zero_s, self._settled_at = zero_s, self._newest[1] + SETTLED_S
        self._sender_delay_s = max(delay_s, 0.0)
        return None

    def captured_s(self, pts_s: float) -> float:
        """When the picture with this time was taken, seconds on our monotonic clock."""
        return pts_s + self._floor() - self._sender_delay_s

    def held_up_s(self, pts_s: float, arrived_s: float) -> float:
        """By how much this picture came later than the fastest of the last minute."""
        return arrived_s - pts_s - self._floor()

    def _has_leapt(self, pts_s: float, arrived_s: float) -> bool:
        # A line that held pictures back lets them through late, but one after the other.
        if self._newest is None:
            return False
        passed_s, waited_s = pts_s - self._newest[0], arrived_s - self._newest[1]
        return not -_BACK_S <= passed_s <= waited_s + _AHEAD_S

    def _floor(self) -> float:
        return min(offset for _, offset in self._slots)
