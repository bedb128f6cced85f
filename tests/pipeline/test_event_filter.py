from __future__ import annotations

import pytest

from pipeline.event_filter import KINDS, EventFilter, parse_filter
from tests.pipeline.decided_items import make_alarm_event, make_camera_event, make_event


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ([], True),
        (["camera=gate"], True),
        (["camera=yard"], False),
        (["camera=yard,ga*"], True),
        (["action=walking", "camera=gate"], True),
        (["action=fight", "action=walk*"], True),
        (["action=fight"], False),
        (["kind=start,end"], True),
        (["kind=end"], False),
        (["score=0.8"], True),
        (["score=0.81"], False),
    ],
)
def test_all_conditions_must_hold(conditions: list[str], matches: bool) -> None:
    assert parse_filter(conditions).matches(make_event()) == matches


def test_by_default_a_program_gets_actions_and_a_terminal_cameras_too() -> None:
    assert not EventFilter().matches(make_camera_event())
    assert parse_filter([]).matches(make_camera_event())
    assert parse_filter(["action=fight", "score=0.9"]).matches(make_camera_event())
    assert parse_filter(["camera=gate"], kinds=("start",)).kinds == ("start",)


def test_an_action_that_was_confident_once_is_reported_to_its_end() -> None:
    end = make_event(5, "end", score=0.1, peak_score=0.9)
    assert parse_filter(["score=0.8"]).matches(end)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("camera", "expected camera="),
        ("person=7", "expected camera="),
        ("kind=", "expected camera="),
        ("kind=begin", "no events of kind"),
        ("severity=high", "no events of severity"),
        ("phase=begin", "no events of phase"),
        ("score=high", "'high' is not a number"),
        ("score=2", "between 0 and 1"),
        ("score=0.1,0.2", "expected camera="),
    ],
)
def test_a_condition_that_cannot_be_parsed_is_named(condition: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_filter([condition])


def test_kinds_are_those_of_the_schema() -> None:
    assert KINDS == ("start", "update", "end", "alarm", "evidence", "camera_up", "camera_down")


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ([], True),
        (["kind=alarm"], True),
        (["kind=start"], False),
        (["action=walking"], True),
        (["rule=fight"], True),
        (["rule=fi*,loitering"], True),
        (["rule=loitering"], False),
        (["severity=warning,critical"], True),
        (["severity=info"], False),
        (["zone=entrance"], True),
        (["zone=yard"], False),
        (["phase=end"], False),
        (["score=0.84"], True),
        (["score=0.9"], False),
    ],
)
def test_alarms_are_selected_by_what_they_have(conditions: list[str], matches: bool) -> None:
    assert parse_filter(conditions).matches(make_alarm_event(score=0.84)) == matches


def test_a_condition_on_alarms_alone_selects_no_other_events() -> None:
    found = parse_filter(["rule=fight"])
    assert not found.matches(make_event())
    assert not found.matches(make_camera_event())
    assert parse_filter(["rule=fight", "kind=alarm,camera_down"]).matches(
        make_camera_event(2, "camera_down")
    )


def test_an_alarm_without_a_zone_or_score_is_in_no_zone_and_has_every_score() -> None:
    anywhere = make_alarm_event(zone=None, score=None)
    assert not parse_filter(["zone=*"]).matches(anywhere)
    assert parse_filter(["kind=alarm", "score=1"]).matches(anywhere)
