from __future__ import annotations

import pytest

from pipeline.event_filter import KINDS, EventFilter, parse_filter
from tests.pipeline.decided_items import make_camera_event, make_event


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
        ("score=high", "'high' is not a number"),
        ("score=2", "between 0 and 1"),
        ("score=0.1,0.2", "expected camera="),
    ],
)
def test_a_condition_that_cannot_be_parsed_is_named(condition: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_filter([condition])


def test_kinds_are_those_of_the_schema() -> None:
    assert KINDS == ("start", "update", "end", "camera_up", "camera_down")
