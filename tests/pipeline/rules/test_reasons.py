"""The reason of an alarm is a sentence that an operator can act on."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.rules.lines import Line
from tests.pipeline.rules.scripted_camera import ScriptedCamera, alarms, rule

L, R = 40.0, 160.0


class Always:
    def is_open(self, unix_s: float | None) -> bool:
        return True


def reason(camera: ScriptedCamera, number: int = 0, **fields: Any) -> str:
    lines = (Line("fence", (0.5, 1.0), (0.5, 0.0), hysteresis=0.0),)
    return alarms(camera, rule(**fields), lines=lines)[number].reason


def test_who_did_what_where_for_how_long_and_when() -> None:
    camera = ScriptedCamera().frames(1.2, {12: R, 15: 150}, starts={12: "fight"}, peak_score=0.8)
    camera.frames(1, {12: R, 15: 150}, starts={15: "fight"}, peak_score=0.84).end()
    text = reason(
        camera, -1, actions=("fight",), zones=("right",), schedules=(("night", Always()),)
    )
    assert text == "fight 0.84 by 12 and 15 in right for 2.1 s, schedule night"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"person": "enters", "zones": ("right",)}, "1 entered right"),
        ({"person": "crosses", "line": "fence"}, "1 crossed fence from left to right"),
        ({"person": "dwells", "zones": ("right",), "for_s": 1.0}, "1 in right for 1.0 s"),
        ({"person": "leaves", "zones": ("left",)}, "1 left left"),
        (
            {"fewer_than": 1, "zones": ("left",), "for_s": 1.0},
            "no person in left for 1.0 s (fewer than 1)",
        ),
        ({"more_than": 0, "zones": ("right",)}, "1 person in right for 0.0 s (more than 0)"),
    ],
)
def test_presence_in_words(fields: dict[str, Any], text: str) -> None:
    camera = ScriptedCamera().frames(1, {1: L}).frames(2, {1: R})
    assert reason(camera, **fields) == text


def test_closeness_and_stillness_in_words() -> None:
    camera = ScriptedCamera().frames(3, {1: 50, 2: 60}, starts={1: "lying"})
    assert reason(camera, closer_than=0.5) == "1 and 2 closer than 0.5 body lengths for 0.0 s"
    still = reason(camera, actions=("lying",), still_for_s=2.0)
    assert still == "lying 0.80 by 1, without motion for 2.0 s"


def test_of_many_people_some_are_named() -> None:
    camera = ScriptedCamera().frames(1, {one: 100 + one for one in range(1, 9)})
    text = reason(camera, more_than=5)
    assert text == "8 people for 0.0 s (more than 5)"
    start = alarms(camera, rule(person="enters", near=9.0))[0]
    assert start.reason == "1, 2, 3, 4, 5 and 3 more entered the image"
