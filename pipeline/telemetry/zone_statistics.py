"""How many people are in the zones of a live run, and how long they stay, for its metrics."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.rules.occupancy import StayClock
from pipeline.types import DecidedEnd, DecidedFrame

DWELL_BOUNDS_S = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


@dataclass(slots=True)
class ZoneTotals:
    """What is known of one zone since the start of the run."""

    people: int = 0  # in the newest frame
    entered: int = 0
    left: int = 0
    dwell_s: float = 0.0  # sum of the stays that ended
    stays: list[int] = field(default_factory=lambda: [0] * (len(DWELL_BOUNDS_S) + 1))
    # that ended, by the first bound that is not shorter; the last: longer than all


@dataclass(frozen=True, slots=True)
class CameraZones:
    """The zones and lines of one camera at one time."""

    camera_id: str
    zones: Mapping[str, ZoneTotals]
    crossings: Mapping[tuple[str, str], int]  # by line and direction


class ZoneStatistics:
    """Count people in zones, as a sink; `snapshot` may be called from any thread.

    A camera that has ended for good, and a zone that a reload removed, have no numbers any more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._zones: dict[str, dict[str, ZoneTotals]] = {}
        self._crossings: dict[str, Counter[tuple[str, str]]] = {}
        self._stays: dict[str, StayClock] = {}

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item; see `Sink.write`."""
        camera_id = item.camera_id
        with self._lock:
            if isinstance(item, DecidedEnd):
                self._end(item)
                return
            for crossing in item.crossings:
                counts = self._crossings.setdefault(camera_id, Counter())
                counts[crossing.line, crossing.direction] += 1
            if item.zones or camera_id in self._zones:
                self._count(item)

    def close(self) -> None:
        """Do nothing: the numbers stay readable."""

    def snapshot(self) -> list[CameraZones]:
        """Return the numbers as they are now."""
        with self._lock:
            return [
                CameraZones(
                    camera_id,
                    {
                        name: ZoneTotals(
                            one.people, one.entered, one.left, one.dwell_s, list(one.stays)
                        )
                        for name, one in self._zones.get(camera_id, {}).items()
                    },
                    dict(self._crossings.get(camera_id, {})),
                )
                for camera_id in dict.fromkeys((*self._zones, *self._crossings))
            ]

    def _count(self, item: DecidedFrame) -> None:
        camera_id = item.camera_id
        before = self._zones.get(camera_id, {})
        zones = {state.zone: before.get(state.zone) or ZoneTotals() for state in item.zones}
        self._zones[camera_id] = zones
        clock = self._stays.setdefault(camera_id, StayClock())
        stays = clock.step(item.tracked.frame.pts_s, item.zones)
        for state in item.zones:
            one = zones[state.zone]
            one.people = len(state.inside)
            one.entered += len(state.entered)
            one.left += len(state.left)
            for seconds in stays.get(state.zone, ()):
                one.dwell_s += seconds
                one.stays[bisect_left(DWELL_BOUNDS_S, seconds)] += 1

    def _end(self, item: DecidedEnd) -> None:
        self._stays.pop(item.camera_id, None)
        if item.end.is_final:
            self._zones.pop(item.camera_id, None)
            self._crossings.pop(item.camera_id, None)
        for one in self._zones.get(item.camera_id, {}).values():
            one.people = 0
