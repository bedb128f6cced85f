"""When the frames of a file were shown: its time stamps, without what a clock cannot do.

A live camera's stamps are judged by the arrival of its frames (`pipeline.live.capture_clock`); a
file's by the distances of its frames and by what comes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

LOOK_AHEAD = 16  # frames that decide whether a jump is one wrong stamp, a gap or another clock
_LATE_S, _LATE_STEPS = 1.0, 5  # a longer distance is a jump: a second, and so many usual distances
_JITTER_FRAMES = 2  # stamps that fall back and catch up within so many frames are out of order
# One frame alone, so far from all others, is no recording: its stamp is wrong.
_ALONE_S = 10.0
_LATEST_START_S = 60.0  # a video may begin a little after the sound of its file


class UsualStep:
    """The usual distance of the frames: the median of the last few."""

    def __init__(self) -> None:
        self._steps_s: deque[float] = deque(maxlen=5)

    def add(self, step_s: float) -> None:
        """Take the next distance into account, seconds."""
        self._steps_s.append(step_s)

    def seconds(self, unknown_s: float) -> float:
        """Return it in seconds; `unknown_s` before the first distance."""
        if not self._steps_s:
            return unknown_s
        return sorted(self._steps_s)[len(self._steps_s) // 2]


class FileClock(Generic[Item]):
    """Places the frames of one file on a line of strictly increasing times.

    * A stamp that none of its neighbours agrees with is replaced by the time between them.
    * Where the clock starts again (joined files), the next part continues where the last one ended,
      with its own distances.
    * A gap is kept: recordings that pause between movements have many.

    Args:
        step_s: distance of two frames as the file states it, seconds.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._usual = UsualStep()
        self._ahead: deque[tuple[float | None, Item]] = deque()
        self._shift_s = 0.0
        self._placed = 0
        self._newest_s = 0.0
        self._stamp_s: float | None = None  # the newest that was used
        self._stray = self._untimed = 0
        self._restarts_s: list[float] = []

    def place(self, stamped: Iterable[tuple[float | None, Item]]) -> Iterator[tuple[float, Item]]:
        """Yield every item with its time.

        Args:
            stamped: frames in the order of their presentation, with their stamps in seconds from
                the beginning of the file; None: without a stamp.
        """
        source = iter(stamped)
        while self._look(source, 1):
            if not self._placed:
                self._look(source, 2)
                yield self._put_first()
            elif self._follows(self._ahead[0][0]):
                yield self._put_stamped()
            else:
                self._look(source, LOOK_AHEAD)
                back = self._line_goes_on_at()
                if back:
                    yield from self._put_between(back)
                else:
                    yield self._put_jump()

    def report(self) -> list[str]:
        """Return what was done to the stamps, one text per kind."""
        texts = []
        if self._stray:
            texts.append(f"impossible time stamps that were replaced: {self._stray}")
        if self._untimed:
            texts.append(f"frames without a time stamp, placed by the rate: {self._untimed}")
        if self._restarts_s:
            texts.append(
                f"restarts of its clock: {len(self._restarts_s)}, first at "
                f"{self._restarts_s[0]:.1f} s; each part continues where the one before ended"
            )
        return texts

    def _look(self, source: Iterator[tuple[float | None, Item]], frames: int) -> int:
        """Return how many frames are known, up to `frames` of them."""
        while len(self._ahead) < frames and (stamped := next(source, None)) is not None:
            self._ahead.append(stamped)
        return len(self._ahead)

    def _usual_s(self) -> float:
        return self._usual.seconds(self._step_s)

    def _longest_step_s(self) -> float:
        return max(_LATE_S, _LATE_STEPS * self._usual_s())

    def _follows(self, stamp_s: float | None, frames: int = 1) -> bool:
        """Return whether a stamp so many frames ahead is on the line of the newest frame."""
        if stamp_s is None:
            return False
        passed_s, usual_s = stamp_s + self._shift_s - self._newest_s, self._usual_s()
        return 0 < passed_s <= self._longest_step_s() + (frames - 1) * usual_s

    def _line_goes_on_at(self) -> int:
        """Return the number of frames with wrong stamps before the line goes on; 0: it does not."""
        stamps = [stamp_s for stamp_s, _ in self._ahead]
        first = stamps[0]
        for n, stamp_s in enumerate(stamps[1:], 1):
            if stamp_s is None or not self._follows(stamp_s, n + 1):
                continue
            if first is not None and self._newest_s - self._shift_s < first < stamp_s:
                return 0  # a gap, and the frames behind it
            before_s = stamps[n - 1]
            passed_s = None if before_s is None else stamp_s - before_s
            another_clock = passed_s is not None and 0 < passed_s <= self._longest_step_s()
            if n <= _JITTER_FRAMES or not another_clock:
                return n
        return 0

    def _put_first(self) -> tuple[float, Item]:
        stamp_s, item = self._ahead.popleft()
        second_s = self._ahead[0][0] if self._ahead else None
        if stamp_s is not None and second_s is not None and second_s < stamp_s - _ALONE_S:
            self._stray += 1
            stamp_s = second_s - self._step_s
        if stamp_s is None or stamp_s > _LATEST_START_S:
            self._shift_s = -(stamp_s or 0.0)
        elif stamp_s < -_LATEST_START_S:
            self._stray += 1
        return self._put(max((stamp_s or 0.0) + self._shift_s, 0.0), item)

    def _put_stamped(self) -> tuple[float, Item]:
        stamp_s, item = self._ahead.popleft()
        assert stamp_s is not None
        self._stamp_s = stamp_s
        return self._put(stamp_s + self._shift_s, item)

    def _put_between(self, frames: int) -> Iterator[tuple[float, Item]]:
        """Space so many frames evenly between the newest one and the one that follows them."""
        end_s = self._ahead[frames][0]
        assert end_s is not None
        start_s, step_s = self._newest_s, (end_s + self._shift_s - self._newest_s) / (frames + 1)
        for n in range(1, frames + 1):
            stamp_s, item = self._ahead.popleft()
            self._count_replaced(stamp_s)
            yield self._put(start_s + n * step_s, item)

    def _put_jump(self) -> tuple[float, Item]:
        """Place a frame behind which the line does not go on."""
        stamp_s, item = self._ahead.popleft()
        next_s = self._newest_s + self._usual_s()
        if stamp_s is None or stamp_s == self._stamp_s:
            self._untimed += 1
            return self._put(next_s, item)
        jump_s = stamp_s + self._shift_s - self._newest_s
        is_alone = self._placed == 1 or not self._ahead
        if jump_s > 0 and not (is_alone and jump_s > _ALONE_S):
            self._stamp_s = stamp_s
            return self._put(stamp_s + self._shift_s, item)
        if is_alone:
            self._stray += 1
        else:
            self._restarts_s.append(self._newest_s)
        self._shift_s, self._stamp_s = next_s - stamp_s, stamp_s
        return self._put(next_s, item)

    def _count_replaced(self, stamp_s: float | None) -> None:
        if stamp_s is None:
            self._untimed += 1
        else:
            self._stray += 1

    def _put(self, pts_s: float, item: Item) -> tuple[float, Item]:
        if self._placed:
            self._usual.add(pts_s - self._newest_s)
        self._placed += 1
        self._newest_s = pts_s
        return pts_s, item
