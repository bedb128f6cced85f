"""Templates of messages: fields alone, and nothing in a value that a service executes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from pipeline.bridges.message_text import FIELDS, check_template, text_of
from pipeline.events import Event
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)

ALL = "|".join(f"{{{name}}}" for name in FIELDS)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "template",
    [
        "{what.__class__}",
        "{what[0]}",
        "{what!r}",
        "{what:>1000000000}",
        "{}",
        "{0}",
        "{secret}",
        "{what",
        "{what:{camera}}",
    ],
)
def test_a_template_has_names_and_nothing_else(template: str) -> None:
    with pytest.raises(ValueError, match=r"fields of a text are what, |a text is like"):
        check_template(template)


def test_braces_that_are_meant_are_doubled() -> None:
    assert text_of(check_template("{{{what}}}"), make_event(1), None) == "{walking}"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            make_alarm_event(1, start_time="2026-11-25T22:12:05.5Z", held_back=3),
            "fight|start|gate|entrance|critical|84%|7, 9|2026-11-25 23:12:05 CET|fight 0.84 by 7 "
            "and 9 in entrance for 1.2 s (3 more of this rule before)|run/gate/1",
        ),
        (
            make_alarm_event(1, "end", zone=None, score=None, track_ids=()),
            "fight|end|gate|-|critical|-|-|0:02.2|fight 0.84 by 7 and 9 in entrance for 1.2 s"
            "|run/gate/1",
        ),
        (
            make_event(1, start_time="2026-07-01T22:12:05Z"),
            "walking|start|gate|-|-|75%|7|2026-07-02 00:12:05 CEST|walking 75% by 7|run/gate/1",
        ),
        (
            make_camera_event(1, "camera_down", reason="not_found"),
            "camera down|camera_down|gate|-|-|-|-|0:00.0|not found|run/gate/1",
        ),
        (
            make_evidence_event(1),
            "clip|ready|gate|-|-|-|-|0:00.0|gate/2026-01-01/fight-1.mp4, 7.2 s|run/gate/1",
        ),
    ],
)
def test_every_kind_of_event_fills_every_field(event: Event, text: str) -> None:
    assert text_of(ALL, event, BERLIN) == text


def test_a_name_from_outside_is_one_harmless_line() -> None:
    name = "\x1b[2J{what}\r\nBcc: all@here " + "x" * 1000
    text = text_of("{camera}", make_event(1, camera_id=name), None)
    assert text.isprintable() or set(text) - {"\u200b"} == set(filter(str.isprintable, text))
    assert "\n" not in text
    assert "@here" not in text
    assert "{what}" in text
    assert len(text) < 350
