"""How many people are in each zone of a camera, and for how long: per stay and per minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.time_text import format_utc
from pipeline.types import DecidedEnd, DecidedFrame, Frame, ZoneState
from pipeline.zone_minutes import ZoneMinute

MINUTE_S = 60.0
_LONGEST_STEP_S = 5.0  # between two frames; after a longer one nothing is known of between


class StayClock:
    """Measures how long people stay in the zones of one camera."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}  # zone and track id: media time, seconds

    def step(self, pts_s: float, zones: Sequence[ZoneState]) -> dict[str, list[float]]:
        """Process one frame.

        Args:
            pts_s: its media time, seconds.
            zones: the states at it.

        Returns:
            By zone, the seconds that each of those stayed who left at it.
        """
        stays: dict[str, list[float]] = {}
        for state in zones:
            for track_id in state.entered:
                self._since[state.zone, track_id] = pts_s
            for track_id in state.left:
                since = self._since.pop((state.zone, track_id), None)
                if since is not None:
                    stays.setdefault(state.zone, []).append(pts_s - since)
        return stays

    def clear(self) -> None:
        """Forget everyone: how long they would have stayed is not known."""
        self._since.clear()


@dataclass(slots=True)
class _ZoneSums:
    """What is summed up of one zone in the current minute."""

    people: int = 0  # since the newest frame
    most: int = 0
    person_s: float = 0.0
    entered: int = 0
    left: int = 0
    dwell_s: float = 0.0


@dataclass(slots=True)
class _Minute:
    """The minute that is being counted."""

    number: int  # since the epoch, or of media time
    start_pts_s: float
    seconds: float = 0.0
    zones: dict[str, _ZoneSums] = field(default_factory=dict)


class OccupancyMeter:
    """Counts one camera's zones, and closes a row per zone at the end of each minute.

    A minute is one of the clock where the time of the frames is known, else one of media time. A
    row is of the frames that were seen: of a camera that comes and goes within a minute there are
    several, which add up.

    Args:
        run_id: of the run.
        camera_id: of the camera.
        clock: Unix seconds at which the camera saw a frame; None: not known.
    """

    def __init__(self, run_id: str, camera_id: str, clock: Callable[[Frame], float | None]) -> None:
        self._run_id, self._camera_id, self._clock = run_id, camera_id, clock
        self._stays = StayClock()
        self._minute: _Minute | None = None
        self._at = 0.0  # of the newest frame, on the clock that the minutes are of
        self._timed = False  # the minutes are of the clock
        self._seq = 0

    def count(self, item: DecidedFrame | DecidedEnd) -> tuple[ZoneMinute, ...]:
        """Process the camera's next item; return the rows that it completes."""
        if isinstance(item, DecidedEnd) or not item.zones:
            rows = self._close()
            self._minute = None
            self._stays.clear()
            return rows
        frame = item.tracked.frame
        known_at = self._clock(frame)
        self._timed, at = known_at is not None, frame.pts_s if known_at is None else known_at
        rows = self._advance(at, frame.pts_s)
        assert self._minute is not None
        if rows:  # a reload may have removed zones
            present = {state.zone for state in item.zones}
            for zone in self._minute.zones.keys() - present:
                del self._minute.zones[zone]
        stays = self._stays.step(frame.pts_s, item.zones)
        for state in item.zones:
            sums = self._minute.zones.setdefault(state.zone, _ZoneSums())
            sums.people = len(state.inside)
            sums.most = max(sums.most, sums.people)
            sums.entered += len(state.entered)
            sums.left += len(state.left)
            sums.dwell_s += sum(stays.get(state.zone, ()))
        return rows

    def _advance(self, at: float, pts_s: float) -> tuple[ZoneMinute, ...]:
        """Add the time since the newest frame; begin a new minute where the time demands it."""
        number, minute = int(at // MINUTE_S), self._minute
        rows: tuple[ZoneMinute, ...] = ()
        if minute is None:
            self._minute = _Minute(number, pts_s)
        else:
            step_s = at - self._at
            is_known = 0 <= step_s <= _LONGEST_STEP_S
            if number == minute.number:
                self._add(step_s if is_known else 0.0)
            else:
                boundary = MINUTE_S * number
                self._add(boundary - self._at if is_known else 0.0)
                rows = self._close()
                people = {
                    zone: _ZoneSums(sums.people, sums.people) for zone, sums in minute.zones.items()
                }
                self._minute = _Minute(number, pts_s, zones=people)
                self._add(at - boundary if is_known else 0.0)
        self._at = at
        return rows

    def _add(self, seconds: float) -> None:
        assert self._minute is not None
        self._minute.seconds += seconds
        for sums in self._minute.zones.values():
            sums.person_s += sums.people * seconds

    def _close(self) -> tuple[ZoneMinute, ...]:
        minute = self._minute
        if minute is None:
            return ()
        return tuple(self._row(minute, zone, sums) for zone, sums in minute.zones.items())

    def _row(self, minute: _Minute, zone: str, sums: _ZoneSums) -> ZoneMinute:
        self._seq += 1
        mean = sums.person_s / minute.seconds if minute.seconds else float(sums.people)
        return ZoneMinute(
            row_id=f"{self._run_id}/{self._camera_id}/counts/{self._seq}",
            run_id=self._run_id,
            camera_id=self._camera_id,
            seq=self._seq,
            zone=zone,
            start_time=format_utc(MINUTE_S * minute.number) if self._timed else None,
            start_pts_s=round(minute.start_pts_s, 3),
            seconds=round(minute.seconds, 3),
            people_mean=round(mean, 3),
            people_max=sums.most,
            people_last=sums.people,
            entered=sums.entered,
            left=sums.left,
            dwell_s=round(sums.dwell_s, 3),
        )
