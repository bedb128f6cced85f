"""Alarms in an image: the severity's colour, the reason, and who is concerned."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.outputs.alarm_drawing import SEVERITIES, banner_text, concerns, draw_alarms
from pipeline.types import Image, TrackedPerson
from tests.pipeline.decided_items import make_alarm_event, make_person

SIZES = [(48, 64), (360, 480), (720, 1280)]


def blank(size: tuple[int, int] = (360, 480)) -> Image:
    return np.full((*size, 3), 128, np.uint8)


def has(image: Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour) < 60).all(axis=2).any())


def test_a_banner_has_severity_rule_and_reason_in_its_colour() -> None:
    alarm = make_alarm_event(severity="critical", reason="fight 0.84 by 7 and 9")
    assert banner_text(alarm) == "CRITICAL fight: fight 0.84 by 7 and 9"
    image = blank()
    draw_alarms(image, [alarm], ())
    assert has(image, SEVERITIES["critical"])
    assert not has(image[200:], SEVERITIES["critical"])


def test_who_is_concerned_has_a_second_box_under_any_of_the_ids() -> None:
    alarm = make_alarm_event(severity="warning", track_ids=(9,))
    box = (200.0, 200.0, 260.0, 330.0)
    xyxy = np.array(box, np.float32)
    assert not concerns(alarm, make_person(7, box))
    assert concerns(alarm, TrackedPerson(7, xyxy, 0.9, track_ids=(7, 9)))
    image = blank()
    draw_alarms(image, [alarm], [make_person(9, box)])
    assert has(image[190:340, 190:270], SEVERITIES["warning"])


def test_the_most_severe_alarms_come_first_and_the_rest_is_counted() -> None:
    alarms = [
        make_alarm_event(alarm_id=f"run/gate/alarm-{n}/1", severity=severity)
        for n, severity in enumerate(("info", "info", "warning", "critical", "info"))
    ]
    image = blank()
    draw_alarms(image, alarms, ())
    assert has(image, SEVERITIES["critical"])
    assert has(image, SEVERITIES["warning"])
    first, second = (
        np.argwhere((image == SEVERITIES[one]).all(axis=2))[:, 0].min()
        for one in ("critical", "warning")
    )
    assert first < second


@pytest.mark.parametrize("size", SIZES)
def test_a_long_reason_and_a_box_at_the_edge_stay_inside(size: tuple[int, int]) -> None:
    image = blank(size)
    alarm = make_alarm_event(reason="fight " * 60, track_ids=(7,))
    draw_alarms(image, [alarm], [make_person(7, (0.0, 0.0, 30.0, 40.0))])
    assert image.shape == (*size, 3)
