"""When a live camera's frames were captured: its timestamps, mapped to the monotonic clock."""

from __future__ import annotations

from collections import deque

# The smallest delay is that of the last minute: long enough for one frame that nothing delayed,
# short enough to follow a camera's clock that runs 0.1 % fast or slow.
WINDOW_S = 60.0
_SLOT_S = 1.0  # the window moves in steps
# Timestamps that jump back, or ahead of the arrivals, by more than this are of another clock.
_BACK_S, _AHEAD_S = 1.0, 5.0
# A sender's clock is not set if a frame travelled longer than this or arrived before its capture.
PLAUSIBLE_DELAY_S = 5.0
_EARLY_S = 0.05
# The backlog of a new connection is gone by then; later changes of the smallest delay come from two
# clocks that drift.
SETTLED_S = 30.0


class CaptureClock:
    """Estimate the capture times of one connection to one camera.

    A frame arrives some delay after its capture, and the smallest delay of the last minute is that
    of a frame that nothing held up. Its absolute value is unknown unless the camera reports it:
    RTCP sender reports carry its wall clock. Without them it is taken for zero.

    Media times and arrivals are seconds on two unrelated monotonic clocks. The wall clock of this
    machine may be set while a camera runs and is not used to measure.
    """

    def __init__(self) -> None:
        # (start of the slot, smallest arrival - pts in it), oldest first
        self._slots: deque[tuple[float, float]] = deque()
        self._sender_zero_s: float | None = None  # media time 0, as the sender reports it
        self._sender_delay_s = 0.0
        self._settled_at = 0.0
        self._newest: tuple[float, float] | None = None  # pts, arrival

    def arrived(self, pts_s: float, arrived_s: float) -> bool:
        """Take the next frame into account.

        Args:
            pts_s: presentation time, seconds on the camera's clock.
            arrived_s: seconds on the monotonic clock.

        Returns:
            Whether the camera's clock has jumped; the estimate starts again then.
        """
        jumped = self._has_jumped(pts_s, arrived_s)
        if jumped:
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
        return jumped

    def use_sender_clock(self, zero_s: float) -> float | None:
        """Use the camera's wall clock, if it is plausible.

        Args:
            zero_s: its media time 0, in seconds on the monotonic clock.

        Returns:
            The error of that clock in seconds; None if it is used.
        """
        delay_s = self._floor() - zero_s
        if not -_EARLY_S <= delay_s <= PLAUSIBLE_DELAY_S:
            return delay_s
        assert self._newest is not None
        self._sender_zero_s, self._settled_at = zero_s, self._newest[1] + SETTLED_S
        self._sender_delay_s = max(delay_s, 0.0)
        return None

    def captured_s(self, pts_s: float) -> float:
        """Return when the frame at this time was captured, seconds on the monotonic clock."""
        return pts_s + self._floor() - self._sender_delay_s

    def delay_s(self, pts_s: float, arrived_s: float) -> float:
        """Return the delay of a frame beyond the smallest of the last minute, seconds."""
        return arrived_s - pts_s - self._floor()

    def _has_jumped(self, pts_s: float, arrived_s: float) -> bool:
        # A connection that was held up delivers its frames late, but one after the other.
        if self._newest is None:
            return False
        passed_s, waited_s = pts_s - self._newest[0], arrived_s - self._newest[1]
        return not -_BACK_S <= passed_s <= waited_s + _AHEAD_S

    def _floor(self) -> float:
        return min(offset for _, offset in self._slots)
