"""What people do and where they are: each kind of condition, and what it must not take for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.lines import Line
from pipeline.rules.rule import AlarmRule
from tests.pipeline.rules.scripted_camera import RIGHT, ScriptedCamera, alarms, lived, rule

L, R = 40.0, 160.0  # x of a person in the left and in the right half
MIDDLE = Line("gate", (0.5, 1.0), (0.5, 0.0), hysteresis=0.0)


def starts(camera: ScriptedCamera, *rules: AlarmRule, **more: Any) -> list[tuple[float, Any]]:
    """Media time and people of the alarms that start."""
    found = alarms(camera, *rules, **more)
    return [(one.end_pts_s, one.track_ids) for one in found if one.phase == "start"]


def test_an_action_counts_in_its_zone_alone() -> None:
    here = rule(actions=("fight",), zones=("right",))
    camera = ScriptedCamera().frames(1, {1: L, 2: R}, starts={1: "fight"})
    assert not starts(camera, here)
    found = alarms(camera.frames(1, {1: L, 2: R}, starts={2: "fight"}), here)
    assert [(one.track_ids, one.zone) for one in found] == [((2,), "right")]


def test_an_action_that_is_carried_into_the_zone_counts_from_then() -> None:
    here = rule(actions=("fight",), zones=("right",), for_s=1.0)
    camera = ScriptedCamera().frames(3, {1: L}, starts={1: "fight"}).frames(2, {1: R})
    assert starts(camera, here) == [(4.0, (1,))]


def test_outside_a_zone_is_everywhere_else_and_everywhere_without_the_zone() -> None:
    elsewhere = rule(actions=("fight",), outside=("left",))
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "fight"})
    assert not starts(camera, elsewhere)
    assert starts(camera, elsewhere, zones=(RIGHT,)) == [(0.0, (1,))]


def test_any_of_several_actions() -> None:
    some = rule(actions=("fight", "punch"))
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "walk"})
    camera.frames(1, {1: L}, starts={1: "punch"})
    assert starts(camera, some) == [(1.0, (1,))]


def test_the_action_of_a_group_is_of_its_members() -> None:
    here = rule(actions=("fight",), zones=("right",))
    camera = ScriptedCamera().frames(1, {1: R, 2: R})
    group = {"track_id": None, "track_ids": (), "group_id": 3, "members": (1, 2)}
    [start] = alarms(camera.frames(1, {1: R, 2: R}, starts={1: "fight"}, **group), here)
    assert (start.track_ids, start.group_ids) == ((1, 2), (3,))


def test_a_person_who_got_another_id_is_the_same_person() -> None:
    here = rule(actions=("fight",), zones=("right",))
    switched = {1: (1, 9)}
    camera = ScriptedCamera().frames(1, {1: R})
    camera.frames(1, {1: R}, ids=switched, starts={1: "fight"})
    [start] = alarms(camera, here)
    assert start.track_ids == (9,), "events have the current id"


def test_who_enters_alarms_once_until_they_have_left() -> None:
    enters = rule("in", person="enters", zones=("right",), end_after_s=1.0)
    camera = ScriptedCamera().frames(1, {1: L}).frames(3, {1: R}).frames(3, {1: L})
    found = alarms(camera.frames(1, {1: R}), enters)
    assert lived(found) == [
        ("in", "start", 1.0, 1.0),
        ("in", "end", 1.0, 3.9),
        ("in", "start", 7.0, 7.0),
    ]


def test_who_leaves_a_zone_and_who_leaves_the_image() -> None:
    of_zone = rule("zone", person="leaves", zones=("right",))
    of_image = rule("image", person="leaves")
    camera = ScriptedCamera().frames(1, {1: R}).frames(1, {1: L})
    camera.frames(1, {}, gone=[1])
    found = [one for one in alarms(camera, of_zone, of_image) if one.phase == "start"]
    assert [(one.rule, one.end_pts_s, one.track_ids) for one in found] == [
        ("zone", 1.0, (1,)),
        ("image", 2.0, (1,)),
    ]


@pytest.mark.parametrize(
    ("direction", "times"), [(None, [1.0, 8.0]), ("left_to_right", [1.0]), ("right_to_left", [8.0])]
)
def test_a_line_is_crossed_in_a_direction(direction: str | None, times: list[float]) -> None:
    crosses = rule("line", person="crosses", line="gate", direction=direction)
    camera = ScriptedCamera().frames(1, {1: L}).frames(7, {1: R}).frames(1, {1: L})
    assert [at for at, _ in starts(camera, crosses, lines=(MIDDLE,))] == times


def test_who_dwells_longer() -> None:
    dwells = rule(person="dwells", zones=("right",), for_s=2.0)
    camera = ScriptedCamera().frames(1, {1: L}).frames(1.9, {1: R}).frames(2, {1: L})
    assert not starts(camera, dwells)
    assert starts(camera.frames(3, {1: R}), dwells) == [(6.9, (1,))]


def test_a_person_the_detector_misses_for_a_moment_dwells_all_the_same() -> None:
    dwells = rule(person="dwells", for_s=3.0)
    camera = ScriptedCamera().frames(1.5, {1: R}).frames(0.7, {}).frames(1, {1: R})
    assert starts(camera, dwells) == [(3.0, (1,))]


def test_who_comes_back() -> None:
    returns = rule(person="returns", zones=("right",))
    camera = ScriptedCamera().frames(1, {1: R}).frames(1, {1: L}).frames(1, {1: R, 2: 120})
    assert starts(camera, returns) == [(2.0, (1,))]


def test_no_person_is_there_for_a_while() -> None:
    guard = rule("guard", fewer_than=1, zones=("right",), for_s=2.0, end_after_s=0.5)
    camera = ScriptedCamera().frames(1, {1: R}).frames(3, {1: L}).frames(1, {1: R})
    found = alarms(camera, guard)
    assert lived(found) == [("guard", "start", 1.0, 3.0), ("guard", "end", 1.0, 3.9)]
    assert found[0].track_ids == ()
    assert found[0].xyxy is None


def test_more_people_than() -> None:
    crowd = rule(more_than=2, zones=("right",), for_s=1.0)
    camera = ScriptedCamera().frames(2, {1: R, 2: 120, 3: L})
    assert not starts(camera, crowd)
    assert starts(camera.frames(2, {1: R, 2: 120, 3: 190}), crowd) == [(3.0, (1, 2, 3))]


def test_two_people_closer_than() -> None:
    close = rule(closer_than=0.5, for_s=0.5)
    camera = ScriptedCamera().frames(1, {1: 20, 2: 100}).frames(1, {1: 82, 2: 100})
    assert starts(camera, close) == [(1.5, (1, 2))]


def test_two_people_closer_than_metres_on_the_ground() -> None:
    floor = GroundPlane([(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 0), (20, 0), (20, 10), (0, 10)])
    close = rule(closer_than_m=2.0)
    camera = ScriptedCamera().frames(1, {1: 50, 2: 71}).frames(1, {1: 50, 2: 69})
    assert starts(camera, close, plane=floor) == [(1.0, (1, 2))]


def test_a_person_who_fell_and_does_not_move() -> None:
    still = rule(actions=("fall",), still_for_s=2.0)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fall"})
    camera.frames(1, {1: 60}, ends={1: "fall"}).frames(3, {1: 60})
    assert starts(camera, still) == [(3.0, (1,))]


def test_a_person_who_fell_and_gets_up_is_no_alarm() -> None:
    still = rule(actions=("fall",), still_for_s=2.0)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "fall"})
    camera.frames(1, {1: 60}, ends={1: "fall"})
    for x in range(70, 150, 10):
        camera.frames(0.5, {1: x})
    assert not starts(camera.frames(5, {1: 150}), still)


def test_a_still_person_is_still_although_the_boxes_jitter() -> None:
    still = rule(actions=("lying",), still_for_s=3.0)
    camera = ScriptedCamera().frames(1, {1: 50}, starts={1: "lying"})
    jitter = np.random.default_rng(0)
    for _ in range(40):
        camera.frame({1: 50 + jitter.uniform(-2, 2)})
    assert starts(camera, still) == [(3.0, (1,))]
