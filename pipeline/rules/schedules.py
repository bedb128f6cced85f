"""Hours of the day, week and year at which something holds, in the local time of a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

EVERY_DAY = frozenset(range(7))  # as date.weekday: Monday is 0
_AROUND_DAYS = range(-2, 3)  # relative to a day: a window that touches it begins on one of these
_DAY = timedelta(days=1)
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A part of a day in local time: from `begin` to before `end`.

    One whose end is not after its begin ends on the next day.
    """

    begin: time
    end: time


@dataclass(frozen=True, slots=True)
class DateRange:
    """Consecutive days of the calendar, the first and the last included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def days(self) -> Iterator[date]:
        """Yield the days in order."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + number * _DAY


@dataclass(frozen=True, slots=True)
class _Known:
    """An answer and the times, in Unix seconds, between which it is right."""

    since_s: float
    until_s: float
    is_open: bool


@dataclass(slots=True)
class Schedule:
    """Windows of time on certain days; a window belongs to the day on which it begins.

    Where the clocks are put forward, a time that they skip is the instant of the change. Where they
    are put back, a window begins at the first of two equal times and ends at the second. So a
    window is one piece in every night, and holds whenever the clock on the wall is inside it.
    """

    name: str
    zone: ZoneInfo
    windows: tuple[TimeWindow, ...]
    days: frozenset[int] = EVERY_DAY  # as date.weekday
    dates: tuple[DateRange, ...] | None = None  # on these alone; None: on any
    except_dates: tuple[DateRange, ...] = ()
    _known: _Known = field(default=_Known(0.0, 0.0, False), init=False, repr=False, compare=False)

    def is_open(self, unix_s: float | None) -> bool:
        """Return whether it holds at a time.

        Args:
            unix_s: Unix seconds; None: the time is not known, and then it does not hold.
        """
        if unix_s is None:
            return False
        known = self._known  # read once: threads may ask concurrently
        if not known.since_s <= unix_s < known.until_s:
            known = self._known = self._find(unix_s)
        return known.is_open

    def ever_holds(self) -> bool:
        """Return whether there is any time at all at which it holds."""
        if self.dates is None:  # a weekday comes again after any exception
            return bool(self.days) and bool(self.windows)
        return any(
            begin < end
            for day in chain.from_iterable(one.days() for one in self.dates)
            for begin, end in self._spans_of(day)
        )

    def last_day(self) -> date | None:
        """Return the last day on which a window may begin, or None if there is no last one."""
        return None if self.dates is None else max(one.last for one in self.dates)

    def _find(self, unix_s: float) -> _Known:
        today = datetime.fromtimestamp(unix_s, self.zone).date()
        spans = [
            span for distance in _AROUND_DAYS for span in self._spans_of(today + distance * _DAY)
        ]
        edges = list(chain.from_iterable(spans))
        # Without an edge near, the answer is right for an hour at least: the days are around it.
        since_s = max((edge for edge in edges if edge <= unix_s), default=unix_s - _HOUR_S)
        until_s = min((edge for edge in edges if edge > unix_s), default=unix_s + _HOUR_S)
        is_open = any(begin <= unix_s < end for begin, end in spans)
        return _Known(since_s, until_s, is_open)

    def _spans_of(self, day: date) -> list[tuple[float, float]]:
        """Return begin and end, in Unix seconds, of the windows that begin on a day."""
        if not self._includes(day):
            return []
        spans = []
        for window in self.windows:
            last = day if window.end > window.begin else day + _DAY
            begin_s = self._instant(datetime.combine(day, window.begin), fold=0)
            end_s = self._instant(datetime.combine(last, window.end), fold=1)
            if begin_s < end_s:  # not so if the clocks skip all of it
                spans.append((begin_s, end_s))
        return spans

    def _includes(self, day: date) -> bool:
        return (
            day.weekday() in self.days
            and (self.dates is None or any(day in one for one in self.dates))
            and not any(day in one for one in self.except_dates)
        )

    def _instant(self, local: datetime, fold: int) -> float:
        """Return when the clock shows a time.

        Args:
            local: as the clock shows it, without a zone.
            fold: which of two equal times, 0 or 1; the same if there is one.

        Returns:
            Unix seconds; of a time that the clocks skip, of the change.
        """
        first_s, second_s = (
            local.replace(tzinfo=self.zone, fold=one).timestamp() for one in (0, 1)
        )
        if first_s <= second_s:
            return second_s if fold else first_s
        # Skipped (PEP 495): fold 0 counts with the offset of before the change, and comes out after
        # the change; fold 1 before it. Halve the distance until the change is found.
        before, after = int(second_s), int(first_s)
        new = self._offset(after)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if self._offset(middle) == new else (middle, after)
        return float(after)

    def _offset(self, unix_s: float) -> timedelta | None:
        return datetime.fromtimestamp(unix_s, UTC).astimezone(self.zone).utcoffset()
