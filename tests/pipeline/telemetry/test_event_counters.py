"""What counts as an event of which kind, and what as an alarm."""

from __future__ import annotations

from pipeline.telemetry.event_counters import EventCounters
from tests.pipeline.decided_items import make_alarm_event, make_event, make_evidence_event


def test_an_alarm_counts_once_and_its_events_each() -> None:
    counts = EventCounters()
    for seq, phase in enumerate(("start", "update", "end"), start=1):
        counts.add(make_alarm_event(seq, phase))
    counts.add(make_alarm_event(4, rule="fall", severity="warning"))
    counts.add(make_evidence_event(5))
    counts.add(make_event(6))
    assert counts.alarms == {("fight", "critical"): 1, ("fall", "warning"): 1}
    assert counts.events == {("", "alarm"): 4, ("", "evidence"): 1, ("walking", "start"): 1}


def test_what_is_expected_begins_at_zero_in_every_copy() -> None:
    expected = EventCounters()
    expected.expect(["fight"], [("night", "critical")])
    counts = expected.copy()
    counts.add(make_event(1, action="fight"))
    assert counts.events == {("fight", "start"): 1}
    assert expected.events == {("fight", "start"): 0}
    assert list(expected.alarms.items()) == [(("night", "critical"), 0)]
