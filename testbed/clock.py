"""A clock that stands still until a test turns it."""

from __future__ import annotations


class Clock:
    """Stand in for `time.monotonic`, `time.time` and `time.sleep`.

    The clock itself is callable and returns `now`, as `time.monotonic` would; assign to `now` to
    let time pass.

    Args:
        now: what the clock shows at first, seconds.

    Attributes:
        slept_s: every duration that was slept, in order.
        unix_offset_s: what `unix` shows more than `now`; change it to set the wall clock.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept_s = list[float]()
        self.unix_offset_s = 1_000_000.0

    def __call__(self) -> float:
        """Return the seconds that the clock shows."""
        return self.now

    def unix(self) -> float:
        """Return the wall clock's time, Unix seconds."""
        return self.now + self.unix_offset_s

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass without waiting for them."""
        assert seconds > 0
        self.slept_s.append(seconds)
        self.now += seconds
