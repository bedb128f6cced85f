"""Rules about an order: first one thing, then another, and not a third meanwhile."""

from __future__ import annotations

import pytest

from pipeline.rules.rule import AlarmRule, Condition, Scope
from tests.pipeline.rules.scripted_camera import ScriptedCamera, alarms, lived, rule

L, R = 40.0, 160.0
TAKES = Condition(actions=("take",))
PAYS = Condition(actions=("pay",))


def theft(same: Scope = "person", unless: Condition | None = None, **more: float) -> AlarmRule:
    return rule(
        "theft",
        person="leaves",
        zones=("left",),
        after=TAKES,
        unless=unless,
        within_s=5.0,
        same=same,
        **more,
    )


def started(camera: ScriptedCamera, asked: AlarmRule) -> list[float]:
    return [one.start_pts_s for one in alarms(camera, asked) if one.phase == "start"]


def test_first_one_thing_then_another_of_the_same_person() -> None:
    camera = ScriptedCamera().frames(1, {1: L, 2: 20}, starts={1: "take"})
    camera.frames(1, {1: L, 2: 20}, ends={1: "take"}).frames(1, {1: L, 2: R})
    assert not started(camera, theft()), "the other person left"
    assert started(camera.frames(1, {1: R, 2: R}), theft()) == [3.0]


def test_the_other_way_round_is_no_alarm() -> None:
    camera = ScriptedCamera().frames(1, {1: L}).frames(1, {1: R}, starts={1: "take"})
    assert not started(camera.frames(3, {1: R}), theft())


def test_too_late_is_no_alarm() -> None:
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "take"})
    camera.frames(5.5, {1: L}, ends={1: "take"}).frames(1, {1: R})
    assert not started(camera, theft())


@pytest.mark.parametrize(("pays_at", "expected"), [("before", [3.0]), ("between", [])])
def test_not_a_third_thing_meanwhile(pays_at: str, expected: list[float]) -> None:
    camera = ScriptedCamera()
    if pays_at == "before":
        camera.frames(0.5, {1: L}, starts={1: "pay"}).frames(0.5, {1: L}, ends={1: "pay"})
    else:
        camera.frames(1, {1: L})
    camera.frames(1, {1: L}, starts={1: "take"})
    if pays_at == "between":
        camera.frames(0.5, {1: L}, starts={1: "pay"}).frames(0.5, {1: L}, ends={1: "pay"})
    else:
        camera.frames(1, {1: L})
    camera.frames(1, {1: R})
    assert started(camera, theft(unless=PAYS)) == expected


def test_without_a_first_thing_the_third_must_not_have_been_for_a_while() -> None:
    asked = rule("in", person="enters", zones=("right",), unless=PAYS, within_s=2.0)
    camera = ScriptedCamera().frames(0.5, {1: L}, starts={1: "pay"})
    camera.frames(0.5, {1: L}, ends={1: "pay"}).frames(1, {1: R}).frames(3, {1: L})
    assert started(camera.frames(1, {1: R}), asked) == [5.0]


def test_the_first_thing_may_be_of_another_person_in_the_same_zone() -> None:
    asked = rule(
        "run",
        actions=("run",),
        zones=("left", "right"),
        after=Condition(actions=("shout",), zones=("left", "right")),
        within_s=5.0,
        same="zone",
    )
    camera = ScriptedCamera().frames(1, {1: L, 2: R, 3: 20}, starts={1: "shout"})
    camera.frames(1, {1: L, 2: R, 3: 20}, starts={2: "run"})
    assert not started(camera, asked)
    assert started(camera.frames(1, {1: L, 2: R, 3: 20}, starts={3: "run"}), asked) == [2.0]


def test_the_first_thing_may_have_to_hold_for_a_while() -> None:
    asked = rule(
        "out",
        person="leaves",
        zones=("left",),
        after=Condition(person="dwells", zones=("left",), for_s=2.0),
        within_s=1.0,
    )
    short = ScriptedCamera().frames(1.5, {1: L}).frames(1, {1: R})
    assert not started(short, asked)
    long = ScriptedCamera().frames(2.5, {1: L}).frames(1, {1: R})
    assert started(long, asked) == [2.5]


def test_the_reason_says_what_came_before() -> None:
    camera = ScriptedCamera().frames(1, {1: L}, starts={1: "take"})
    camera.frames(1, {1: L}, ends={1: "take"}).frames(1, {1: R})
    start = alarms(camera, theft(unless=PAYS))[0]
    assert lived([start]) == [("theft", "start", 2.0, 2.0)]
    assert start.reason == "1 left left, after take 1.0 s before, without pay"
