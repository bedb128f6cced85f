"""One sequence per camera and run, whichever stages make the events."""

from __future__ import annotations

from pipeline.events import UNNUMBERED
from pipeline.stages.numbering import number_events
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_end,
    make_event,
    make_evidence_event,
    make_item,
)

BLANK = {"event_id": "", "seq": UNNUMBERED}


def test_events_of_all_kinds_share_the_sequence_of_their_camera() -> None:
    first = make_item(events=[make_camera_event(**BLANK), make_event(**BLANK)])
    quiet = make_item(1)
    second = make_item(2, events=[make_alarm_event(**BLANK), make_evidence_event(**BLANK)])

    items = list(number_events([first, quiet, second]))

    events = [event for item in items for event in item.events]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [event.event_id for event in events] == [f"run/gate/{seq}" for seq in (1, 2, 3, 4)]
    assert items[1] is quiet


def test_each_camera_has_its_own_sequence_which_continues_after_a_reconnection() -> None:
    def up(camera_id: str) -> list[object]:
        return [make_camera_event(camera_id=camera_id, **BLANK)]

    items = [
        make_item(camera_id="gate", events=up("gate")),
        make_item(camera_id="yard", events=up("yard")),
        make_end("gate", [make_camera_event(kind="camera_down", **BLANK)]),
        make_item(camera_id="gate", events=up("gate")),
    ]
    found = [(event.camera_id, event.seq) for item in number_events(items) for event in item.events]
    assert found == [("gate", 1), ("yard", 1), ("gate", 2), ("gate", 3)]


def test_nothing_but_the_number_changes() -> None:
    alarm = make_alarm_event(**BLANK)
    (item,) = number_events([make_item(events=[alarm])])
    assert item.events == (make_alarm_event(1, event_id="run/gate/1"),)
