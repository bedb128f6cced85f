"""Hours of the day in which no person is to be disturbed, by the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day to another, over midnight where the second is earlier.

    Where clocks are set forward or back in between, they last as long as the clock on the wall
    shows them: an hour less or more.
    """

    begin: time
    end: time  # the first moment that is not quiet
    zone: tzinfo
    except_severities: frozenset[str] = frozenset()  # of alarms that disturb all the same

    def cover(self, unix_s: float) -> bool:
        """Return whether it is quiet at a time, Unix seconds."""
        now = datetime.fromtimestamp(unix_s, UTC).astimezone(self.zone).time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end
