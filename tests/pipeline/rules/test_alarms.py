"""The life of alarms: start, update, end; what is one alarm and what are two; limits."""

from __future__ import annotations

from pipeline.types import StreamEnd
from tests.pipeline.rules.scripted_camera import ScriptedCamera, alarms, lived, rule

FIGHT = rule(actions=("fight",), end_after_s=1.0)


def test_an_alarm_starts_with_the_action_and_ends_after_its_hysteresis() -> None:
    camera = ScriptedCamera().frames(1, {1: 50}).frames(2, {1: 50}, starts={1: "fight"})
    camera.frames(2, {1: 50}, ends={1: "fight"}).end()
    start, end = alarms(camera, FIGHT)
    assert lived([start, end]) == [("fight", "start", 1.0, 1.0), ("fight", "end", 1.0, 3.0)]
    assert end.end_reason == "over"
    assert end.frame_index == 40, "one second after the newest frame with the action"
    assert start.alarm_id == end.alarm_id == "run/gate/alarm-fight/1"


def test_an_action_that_flickers_is_one_alarm() -> None:
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"})
    camera.frames(0.5, {1: 50}, ends={1: "fight"}).frames(1, {1: 50}, starts={1: "fight"})
    camera.frames(2, {1: 50}, ends={1: "fight"}).end()
    start, end = alarms(camera, FIGHT)
    assert lived([start, end]) == [("fight", "start", 0.0, 0.0), ("fight", "end", 0.0, 2.5)]
    assert end.instance_ids == ("run/gate/1/fight/1", "run/gate/1/fight/2")


def test_two_people_who_fight_with_each_other_are_one_alarm() -> None:
    camera = ScriptedCamera().frames(1, {1: 50, 2: 60}, starts={1: "fight"})
    camera.frames(1, {1: 50, 2: 60}, starts={2: "fight"})
    camera.frames(2, {1: 50, 2: 60}, ends={1: "fight", 2: "fight"}).end()
    start, end = alarms(camera, FIGHT)
    assert (start.track_ids, end.track_ids) == ((1,), (1, 2))


def test_two_fights_far_from_each_other_are_two_alarms() -> None:
    camera = ScriptedCamera().frames(1, {1: 20, 2: 180}, starts={1: "fight", 2: "fight"}).end()
    starts = [one for one in alarms(camera, FIGHT) if one.phase == "start"]
    assert [one.track_ids for one in starts] == [(1,), (2,)]
    assert [one.alarm_id for one in starts] == [f"run/gate/alarm-fight/{n}" for n in (1, 2)]


def test_for_s_is_how_long_it_must_hold() -> None:
    long = rule(actions=("fight",), for_s=1.5)
    camera = ScriptedCamera().frames(1.4, {1: 50}, starts={1: "fight"})
    assert not alarms(camera.frames(1, {1: 50}, ends={1: "fight"}).end(), long)
    camera = ScriptedCamera().frames(1.6, {1: 50}, starts={1: "fight"}).end()
    start, _ = alarms(camera, long)
    assert (start.start_pts_s, start.end_pts_s) == (0.0, 1.5)


def test_a_score_is_the_highest_so_far() -> None:
    sure = rule(actions=("fight",), min_score=0.9)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"}, peak_score=0.8).end()
    assert not alarms(camera, sure)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"}, peak_score=0.95).end()
    assert [one.score for one in alarms(camera, sure)] == [0.95, 0.95]


def test_people_counts_those_who_are_near_to_who_does_it() -> None:
    two = rule(actions=("fight",), people=2)
    alone = ScriptedCamera().frames(1, {1: 20, 2: 180}, starts={1: "fight"}).end()
    assert not alarms(alone, two), "dancing alone is no fight"
    together = ScriptedCamera().frames(1, {1: 20, 2: 40}, starts={1: "fight"}).end()
    assert [one.phase for one in alarms(together, two)] == ["start", "end"]


def test_the_second_person_may_come_later() -> None:
    two = rule(actions=("fight",), people=2)
    camera = ScriptedCamera().frames(1, {1: 20, 2: 180}, starts={1: "fight"})
    start, _ = alarms(camera.frames(1, {1: 20, 2: 30}).end(), two)
    assert (start.start_pts_s, start.end_pts_s) == (0.0, 1.0)


def test_updates_come_at_their_interval() -> None:
    slow = rule(actions=("fight",), update_interval_s=2.0)
    camera = ScriptedCamera().frames(5, {1: 50}, starts={1: "fight"}).end()
    phases = [(one.phase, one.end_pts_s) for one in alarms(camera, slow)]
    assert phases == [("start", 0.0), ("update", 2.0), ("update", 4.0), ("end", 4.9)]


def test_after_an_alarm_the_rule_cools_down() -> None:
    cool = rule(actions=("fight",), end_after_s=0.5, cool_down_s=10.0)
    camera = ScriptedCamera()
    for _ in range(4):  # one each 5 s
        camera.frames(1, {1: 50}, starts={1: "fight"}).frames(4, {1: 50}, ends={1: "fight"})
    starts = [one for one in alarms(camera.end(), cool) if one.phase == "start"]
    assert [one.start_pts_s for one in starts] == [0.0, 15.0]


def test_what_outlasts_the_cool_down_alarms_then() -> None:
    cool = rule(actions=("fight",), end_after_s=0.5, cool_down_s=3.0)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"})
    camera.frames(1, {1: 50}, ends={1: "fight"}).frames(5, {1: 50}, starts={1: "fight"})
    starts = [one for one in alarms(camera.end(), cool) if one.phase == "start"]
    assert [(one.start_pts_s, one.end_pts_s) for one in starts] == [(0.0, 0.0), (2.0, 4.5)]


def test_a_subject_cools_down_alone() -> None:
    cool = rule(actions=("fight",), end_after_s=0.5, subject_cool_down_s=60.0)
    camera = ScriptedCamera()
    where = {1: 20, 2: 180}
    for one in (1, 2, 1):
        camera.frames(1, where, starts={one: "fight"}).frames(1, where, ends={one: "fight"})
    starts = [one for one in alarms(camera.end(), cool) if one.phase == "start"]
    assert [one.track_ids for one in starts] == [(1,), (2,)]


def test_more_than_the_limit_is_held_back_and_the_next_alarm_says_how_many() -> None:
    limited = rule(actions=("fight",), end_after_s=0.5, max_per_hour=2)
    camera = ScriptedCamera()
    for _ in range(5):
        camera.frames(1, {1: 50}, starts={1: "fight"}).frames(1, {1: 50}, ends={1: "fight"})
    camera.index = 3600 * 10 + 30
    camera.frames(1, {1: 50}, starts={1: "fight"}).end()
    starts = [one for one in alarms(camera, limited) if one.phase == "start"]
    assert [(one.start_pts_s, one.held_back) for one in starts] == [(0, 0), (2, 0), (3603, 3)]
    assert starts[-1].alarm_id.endswith("/3")


def test_what_is_held_back_alarms_when_the_limit_has_room_again() -> None:
    limited = rule(actions=("fight",), end_after_s=5.0, max_per_hour=1)
    camera = ScriptedCamera().frames(1, {1: 20, 2: 180}, starts={1: "fight"})
    camera.frames(1, {1: 20, 2: 180}, starts={2: "fight"})
    camera.index = 36_000 + 10
    camera.frames(1, {1: 20, 2: 180}).end()
    starts = [one for one in alarms(camera, limited) if one.phase == "start"]
    assert [(one.track_ids, one.held_back) for one in starts] == [((1,), 0), ((2,), 0)]
    assert (starts[1].start_pts_s, starts[1].end_pts_s) == (1.0, 3601.0)


def test_numbers_are_not_repeated_after_the_camera_comes_back() -> None:
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"})
    camera.end(StreamEnd("gate", "disconnected", at=5.0))
    camera.frames(1, {2: 50}, starts={2: "fight"}).end()
    found = alarms(camera, FIGHT)
    assert [(one.alarm_id[-1], one.phase, one.end_reason) for one in found] == [
        ("1", "start", None),
        ("1", "end", "camera_down"),
        ("2", "start", None),
        ("2", "end", "stream_ended"),
    ]


def test_a_camera_whose_time_begins_again_is_not_silent() -> None:
    cool = rule(actions=("fight",), cool_down_s=60.0, subject_cool_down_s=60.0, max_per_hour=1)
    camera = ScriptedCamera()
    camera.index = 5000  # a camera whose settings are changed by a reload begins at 0 again
    camera.frames(1, {1: 50}, starts={1: "fight"}).end(StreamEnd("gate", "stopped"))
    camera.index = 0
    camera.frames(1, {1: 50}, starts={1: "fight"}).end()
    found = alarms(camera, cool)
    assert [(one.alarm_id[-1], one.phase, one.start_pts_s) for one in found] == [
        ("1", "start", 500.0),
        ("1", "end", 500.0),
        ("2", "start", 0.0),
        ("2", "end", 0.0),
    ]


def test_two_alarms_that_come_near_to_each_other_stay_two() -> None:
    camera = ScriptedCamera().frames(1, {1: 20, 2: 180}, starts={1: "fight", 2: "fight"})
    found = alarms(camera.frames(3, {1: 90, 2: 100}).end(), FIGHT)
    ends = [(one.track_ids, one.end_pts_s) for one in found if one.phase == "end"]
    assert ends == [((1,), 3.9), ((2,), 3.9)]


def test_two_that_are_held_back_at_once_are_each_counted_once() -> None:
    limited = rule(actions=("fight",), end_after_s=5.0, max_per_hour=2)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"})
    camera.frames(6, {1: 50}, ends={1: "fight"}).frames(1, {1: 50}, starts={1: "fight"})
    camera.frames(6, {1: 50}, ends={1: "fight"})
    where = {1: 10, 2: 100, 3: 190}
    camera.frames(1, where, starts={1: "fight", 2: "fight", 3: "fight"})
    camera.frames(6, where, ends={3: "fight"})
    camera.index = 36_000 + 80
    camera.frames(1, where).end()
    starts = [one for one in alarms(camera, limited) if one.phase == "start"]
    assert [(one.track_ids, one.held_back) for one in starts] == [
        ((1,), 0),
        ((1,), 0),
        ((1,), 1),
        ((2,), 0),
    ]


def test_the_end_names_people_who_are_gone_as_the_start_did() -> None:
    ids = {1: (1, 7)}
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fight"}, ids=ids)
    camera.frame({}, ends={1: "fight"}, gone=(1,), ids=ids)
    camera.frames(3, {}).end()
    start, end = alarms(camera, FIGHT)
    assert (start.track_ids, end.track_ids) == ((7,), (7,))
    assert "by 7 " in end.reason


def test_who_takes_part_from_the_first_to_the_last_stays_one_alarm_among_many() -> None:
    here = rule(person="inside", end_after_s=60.0)
    camera = ScriptedCamera().frames(1, {1: 20, 2: 30})
    camera.frames(1, {1: 20, 2: 180})  # they part, and it is one alarm
    for other in range(3, 60):  # many come by the second one
        camera.frames(0.2, {1: 20, 2: 180, other: 185}).frames(0.1, {1: 20, 2: 180}, gone=(other,))
    starts = [one for one in alarms(camera.end(), here) if one.phase == "start"]
    assert [one.track_ids for one in starts] == [(1, 2)]
