"""The rule stage: where alarms stand among the events, and what a reload does to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.events import AlarmEvent, CameraEvent, encode_event
from pipeline.rules.stage import CameraRules, apply_rules
from pipeline.rules.zones import Zone
from pipeline.stages.numbering import number_events
from pipeline.types import DecidedEnd, DecidedFrame, StreamEnd
from tests.pipeline.rules.scripted_camera import (
    LEFT,
    RIGHT,
    ScriptedCamera,
    alarms,
    alarms_in,
    applied,
    rule,
    stamp,
)

L, R = 40.0, 160.0
FIGHT = rule(actions=("fight",), end_after_s=1.0)
IN = rule("in", person="enters", zones=("right",), end_after_s=1.0)


class From:
    """Open from a time on."""

    def __init__(self, unix_s: float) -> None:
        self.unix_s = unix_s

    def is_open(self, unix_s: float | None) -> bool:
        return unix_s is not None and unix_s >= self.unix_s


def reloaded(
    camera: ScriptedCamera, *settings: tuple[float, CameraRules]
) -> list[DecidedFrame | DecidedEnd]:
    """Apply the settings, each from a media time on."""
    now = 0.0

    def items() -> Iterable[DecidedFrame | DecidedEnd]:
        nonlocal now
        for item in camera.items:
            if isinstance(item, DecidedFrame):
                now = item.tracked.frame.pts_s
            yield item

    def rules_of(camera_id: str) -> CameraRules:
        return [each for since_s, each in settings if since_s <= now][-1]

    return list(apply_rules(items(), rules_of, stamp()))


def test_a_camera_without_rules_passes_as_it_is() -> None:
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "fight"}).end()
    assert all(a is b for a, b in zip(applied(camera, zones=()), camera.items, strict=True))


def test_zones_and_crossings_are_told_without_rules() -> None:
    camera = ScriptedCamera().frames(0.1, {1: L}).frames(0.1, {1: R})
    first, second = applied(camera)
    assert isinstance(first, DecidedFrame)
    assert isinstance(second, DecidedFrame)
    assert [(one.zone, one.inside) for one in second.zones] == [("left", ()), ("right", (1,))]


def test_an_alarm_stands_behind_the_action_and_before_the_end_of_the_camera() -> None:
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "fight"}).end()
    items = list(number_events(applied(camera, FIGHT)))
    events = [event for item in items for event in item.events]
    assert [event.kind for event in events] == [
        "camera_up",
        "start",
        "alarm",
        "alarm",
        "camera_down",
    ]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert len({event.event_id for event in events}) == 5


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (StreamEnd("gate"), "stream_ended"),
        (StreamEnd("gate", "disconnected", at=3.0), "camera_down"),
    ],
)
def test_the_end_of_the_camera_ends_its_alarms(end: StreamEnd, reason: str) -> None:
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "fight"}).end(end)
    *_, last = applied(camera, FIGHT)
    alarm, down = last.events
    assert isinstance(alarm, AlarmEvent)
    assert (alarm.phase, alarm.end_reason, alarm.end_pts_s) == ("end", reason, 0.9)
    assert isinstance(down, CameraEvent)


def test_cameras_have_nothing_to_do_with_each_other() -> None:
    gate = ScriptedCamera("gate").frames(1, {1: L}, starts={1: "fight"})
    yard = ScriptedCamera("yard").frames(1, {1: L})
    settings = CameraRules(rules=(FIGHT,))
    mixed = [item for pair in zip(gate.items, yard.items, strict=True) for item in pair]
    [start] = alarms_in(apply_rules(mixed, lambda camera_id: settings, stamp()))
    assert start.camera_id == "gate"


def test_a_rule_holds_while_its_schedule_is_open() -> None:
    opens = From(1_000_002.0)
    night = replace(FIGHT, schedules=(("night", opens),))
    camera = ScriptedCamera().frames(4, {1: L}, starts={1: "fight"}).end()
    start, _ = alarms(camera, night)
    assert (start.start_pts_s, start.reason) == (2.0, "fight 0.80 by 1 for 0.0 s, schedule night")


def test_who_entered_before_the_schedule_opened_does_not_enter_when_it_does() -> None:
    night = replace(IN, schedules=(("night", From(1_000_002.0)),))
    camera = ScriptedCamera().frames(1, {1: L}).frames(3, {1: R, 2: L}).frames(1, {1: R, 2: 110})
    assert [one.track_ids for one in alarms(camera, night)] == [(2,)]


def test_no_schedule_holds_where_the_time_is_not_known() -> None:
    night = replace(FIGHT, schedules=(("night", From(0.0)),))
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "fight"}).end()
    settings = CameraRules(rules=(night,))
    unknown = stamp(seen_at=lambda frame: frame.recorded_at)
    assert not alarms_in(apply_rules(camera.items, lambda camera_id: settings, unknown))


def test_times_of_day_and_latency_are_there_with_a_wall_clock_alone() -> None:
    camera = ScriptedCamera().frames(1, {1: L}).frames(1, {1: L}, starts={1: "fight"})
    settings = CameraRules(rules=(FIGHT,))
    clock = stamp(wall_clock=True, now=lambda: 1_000_001.25)
    [start] = alarms_in(apply_rules(camera.items, lambda camera_id: settings, clock))
    assert start.start_time == "1970-01-12T13:46:41.000Z"
    assert start.latency_ms == {"total": 250.0}
    [start] = alarms(camera, FIGHT)
    assert (start.start_time, start.latency_ms) == (None, {})


def test_the_box_is_around_the_people() -> None:
    camera = ScriptedCamera().frames(1, {1: 50, 2: 60}, starts={1: "fight", 2: "fight"})
    [start] = alarms(camera, FIGHT)
    assert start.xyxy == (42.0, 40.0, 68.0, 80.0)


def test_a_reload_without_a_change_changes_nothing() -> None:
    camera = ScriptedCamera().frames(3, {1: L}, starts={1: "fight"}).end()
    same = [CameraRules(zones=(_copy(LEFT),), rules=(replace(FIGHT),)) for _ in range(2)]
    items = reloaded(camera, (0.0, same[0]), (1.0, same[1]))
    assert [one.phase for one in alarms_in(items)] == ["start", "end"]


def test_a_removed_rule_ends_its_alarms_and_the_others_continue() -> None:
    camera = ScriptedCamera().frames(3, {1: R}, starts={1: "fight"}).end()
    both = CameraRules(zones=(RIGHT,), rules=(FIGHT, IN))
    items = reloaded(camera, (0.0, both), (1.0, replace(both, rules=(IN,))))
    found = alarms_in(items)
    assert [(one.rule, one.phase, one.end_pts_s, one.end_reason) for one in found] == [
        ("fight", "start", 0.0, None),
        ("in", "start", 0.0, None),
        ("fight", "end", 0.9, "rule_removed"),
        ("in", "end", 2.9, "stream_ended"),
    ]


def test_all_rules_removed_end_their_alarms() -> None:
    camera = ScriptedCamera().frames(3, {1: R}, starts={1: "fight"}).end()
    items = reloaded(camera, (0.0, CameraRules(rules=(FIGHT,))), (1.0, CameraRules()))
    assert [one.end_reason for one in alarms_in(items)] == [None, "rule_removed"]


def test_a_changed_rule_begins_again_with_the_next_number() -> None:
    camera = ScriptedCamera().frames(3, {1: R}, starts={1: "fight"}).end()
    before, after = CameraRules(rules=(FIGHT,)), CameraRules(rules=(replace(FIGHT, near=2.0),))
    found = alarms_in(reloaded(camera, (0.0, before), (1.0, after)))
    assert [(one.alarm_id[-1], one.phase, one.start_pts_s) for one in found] == [
        ("1", "start", 0.0),
        ("1", "end", 0.0),
        ("2", "start", 1.0),
        ("2", "end", 1.0),
    ]


def test_a_changed_zone_begins_its_rules_again_and_leaves_others_alone() -> None:
    camera = ScriptedCamera().frames(1, {1: L, 2: R}).frames(3, {1: L, 2: R}).end()
    of_left = rule("left", person="enters", zones=("left",))
    moved = replace(RIGHT, points=np.array([(0.6, 0), (1, 0), (1, 1), (0.6, 1)]))
    before = CameraRules(zones=(LEFT, RIGHT), rules=(of_left, IN))
    after = CameraRules(zones=(_copy(LEFT), moved), rules=(of_left, IN))
    found = alarms_in(reloaded(camera, (0.0, before), (1.0, after)))
    assert [(one.rule, one.phase, one.end_reason) for one in found] == [
        ("left", "start", None),
        ("in", "start", None),
        ("in", "end", "rule_removed"),
        ("in", "start", None),
        ("left", "end", "stream_ended"),
        ("in", "end", "stream_ended"),
    ]


def test_the_same_frames_give_the_same_events() -> None:
    def events() -> list[str]:
        random = np.random.default_rng(1)
        camera = ScriptedCamera()
        where = {one: float(random.uniform(0, 200)) for one in range(1, 9)}
        for second in range(20):
            where = {
                one: float(np.clip(x + random.normal(0, 20), 0, 200)) for one, x in where.items()
            }
            who = int(random.integers(1, 9))
            camera.frames(0.5, where, starts={who: "fight"})
            camera.frames(0.5, where, ends={who: "fight"}, gone=[who] if second == 9 else ())
        rules = [
            FIGHT,
            IN,
            rule("two", closer_than=0.5),
            rule("many", more_than=3, zones=("left",)),
        ]
        items = number_events(applied(camera.end(), *rules))
        return [encode_event(event) for item in items for event in item.events]

    first = events()
    assert len(first) > 60
    assert events() == first


def test_every_alarm_that_starts_ends_once() -> None:
    random = np.random.default_rng(2)
    camera = ScriptedCamera()
    rules = [
        rule("fight", actions=("fight",), end_after_s=0.3, max_per_hour=20, cool_down_s=0.5),
        rule("in", person="enters", zones=("left", "right")),
        rule("close", closer_than=0.3, end_after_s=0.0),
        rule("back", person="returns", zones=("left",), end_after_s=0.2, subject_cool_down_s=2.0),
        rule("few", fewer_than=2, zones=("left",), for_s=0.3, end_after_s=0.1),
    ]
    acting: set[int] = set()
    for _ in range(600):
        where = {one: float(random.uniform(0, 200)) for one in range(1, 7) if random.random() < 0.8}
        starts = {one: "fight" for one in where if one not in acting and random.random() < 0.05}
        ends = {one: "fight" for one in acting if random.random() < 0.2}
        acting = (acting | starts.keys()) - ends.keys()
        camera.frame(where, starts=starts, ends=ends)
        if random.random() < 0.01:
            camera.end(StreamEnd("gate", "disconnected", at=1.0))
            acting = set()
    camera.end()
    phases: dict[str, list[str]] = {}
    for event in alarms(camera, *rules):
        phases.setdefault(event.alarm_id, []).append(event.phase)
        assert event.start_pts_s <= event.end_pts_s
        assert (event.phase == "end") == (event.end_reason is not None)
    assert len(phases) > 100
    for found in phases.values():
        assert (found[0], found[-1]) == ("start", "end")
        assert set(found[1:-1]) <= {"update"}


def _copy(zone: Zone) -> Zone:
    return replace(zone, points=zone.points.copy())
