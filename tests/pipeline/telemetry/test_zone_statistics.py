"""Numbers of zones and lines for the metrics of a live run."""

from __future__ import annotations

from dataclasses import replace

from pipeline.telemetry.prometheus import PrometheusMetrics
from pipeline.telemetry.zone_statistics import ZoneStatistics
from pipeline.types import DecidedEnd, DecidedFrame, LineCrossing, StreamEnd, ZoneState
from tests.pipeline.decided_items import make_item
from tests.pipeline.snapshots import make_snapshot


def frame(pts_s: float, *zones: ZoneState, crossed: tuple[LineCrossing, ...] = ()) -> DecidedFrame:
    return replace(make_item(0, pts_s=pts_s), zones=zones, crossings=crossed)


def metrics(statistics: ZoneStatistics) -> dict[str, float]:
    text, _ = PrometheusMetrics(make_snapshot, statistics.snapshot).render()
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if line[0] != "#")
    return {
        name.removeprefix("behaviour_"): float(number)
        for name, _, number in lines
        if name.startswith(("behaviour_zone", "behaviour_line"))
    }


def test_people_in_zones_and_crossings_are_metrics() -> None:
    statistics = ZoneStatistics()
    statistics.write(frame(0.0, ZoneState("hall", (1, 2), (1, 2))))
    crossing = LineCrossing("door", 1, "left_to_right")
    statistics.write(frame(2.0, ZoneState("hall", (2,), (), (1,)), crossed=(crossing,)))
    statistics.write(frame(3.0, ZoneState("hall", (2, 3), (3,)), crossed=(crossing,)))
    found = metrics(statistics)
    of_hall = {name: number for name, number in found.items() if "bucket" not in name}
    labels = '{camera="gate",zone="hall"}'
    assert of_hall == {
        f"zone_people{labels}": 2.0,
        f"zone_entered_total{labels}": 3.0,
        f"zone_left_total{labels}": 1.0,
        f"zone_dwell_seconds_count{labels}": 1.0,
        f"zone_dwell_seconds_sum{labels}": 2.0,
        'line_crossings_total{camera="gate",direction="left_to_right",line="door"}': 2.0,
    }
    buckets = {
        name.partition('le="')[2].partition('"')[0]: number
        for name, number in found.items()
        if "bucket" in name
    }
    assert (buckets["1.0"], buckets["5.0"], buckets["+Inf"]) == (0.0, 1.0, 1.0)


def test_a_camera_that_is_down_has_no_people_and_keeps_its_totals() -> None:
    statistics = ZoneStatistics()
    statistics.write(frame(0.0, ZoneState("hall", (1,), (1,))))
    statistics.write(DecidedEnd(StreamEnd("gate", "disconnected", at=5.0), ()))
    [camera] = statistics.snapshot()
    assert (camera.zones["hall"].people, camera.zones["hall"].entered) == (0, 1)
    statistics.write(frame(9.0, ZoneState("hall", (), (), (1,))))  # of before: no stay
    [camera] = statistics.snapshot()
    assert sum(camera.zones["hall"].stays) == 0


def test_what_a_reload_removes_has_no_metrics() -> None:
    statistics = ZoneStatistics()
    statistics.write(frame(0.0, ZoneState("hall", ()), ZoneState("yard", ())))
    statistics.write(frame(1.0, ZoneState("yard", ())))
    assert list(statistics.snapshot()[0].zones) == ["yard"]
    statistics.write(frame(2.0))
    assert statistics.snapshot()[0].zones == {}
    statistics.write(frame(3.0, ZoneState("yard", ())))
    statistics.write(DecidedEnd(StreamEnd("gate", "stopped"), ()))
    assert statistics.snapshot() == []
    assert metrics(statistics) == {}
