"""Messages about events: limits hold back, and say so."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest

from pipeline.bridges.message_text import check_template
from pipeline.bridges.notify import MessageSettings, NotifyBridge
from pipeline.bridges.quiet_hours import QuietHours
from pipeline.bridges.retry import UnavailableError
from testbed.clock import Clock
from tests.pipeline.decided_items import make_alarm_event, make_event

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
QUIET = QuietHours(time(22), time(7), UTC, frozenset({"critical"}))


class Service:
    name = "ntfy"

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, bytes | None]] = []
        self.error: Exception | None = None

    def send(self, title: str, text: str, image: bytes | None = None) -> None:
        if self.error is not None:
            raise self.error
        self.messages.append((title, text, image))

    def texts(self) -> list[str]:
        return [text for _, text, _ in self.messages]


def bridge_to(service: Service, clock: Clock, **changes: Any) -> NotifyBridge:
    options: dict[str, Any] = {
        "title": check_template("{what}"),
        "text": check_template("{reason}"),
        "zone": UTC,
        "quiet": None,
        "max_messages": 2,
        "window_s": 600.0,
        "max_age_s": 3600.0,
        "evidence": None,
    }
    settings = MessageSettings(**(options | changes))
    return NotifyBridge("phone", service, settings, now=clock, monotonic=clock)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def test_an_alarm_is_a_message_with_its_snapshot(
    service: Service, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff image")
    bridge_to(service, clock, evidence=tmp_path).send(make_alarm_event(1, snapshot="1.jpg"))
    [(title, text, image)] = service.messages
    assert (title, text) == ("fight", "fight 0.84 by 7 and 9 in entrance for 1.2 s")
    assert image == b"\xff\xd8\xff image"


def test_an_event_that_comes_again_is_not_sent_again(service: Service, clock: Clock) -> None:
    bridge = bridge_to(service, clock)
    bridge.send(make_event(1))
    bridge.send(make_event(1))
    assert len(service.messages) == 1


def test_what_is_too_many_is_counted_in_the_next_message(service: Service, clock: Clock) -> None:
    bridge = bridge_to(service, clock)
    for seq in range(1, 6):
        bridge.send(make_event(seq))
    assert len(service.messages) == 2
    clock.now += 601
    bridge.send(make_event(6))
    assert service.texts()[2] == ("walking 75% by 7\nheld back (too many): 3: walking at gate 3")


def test_what_no_message_follows_is_reported_when_the_limit_allows(
    service: Service, clock: Clock
) -> None:
    bridge = bridge_to(service, clock)
    for seq in range(1, 4):
        bridge.send(make_event(seq))
    bridge.send_summary()
    assert len(service.messages) == 2
    clock.now += 601
    bridge.send_summary()
    bridge.send_summary()
    assert service.messages[2:] == [
        ("behaviour-stream", "held back (too many): 1: walking at gate 1", None)
    ]


def test_quiet_hours_hold_back_all_but_what_is_critical(service: Service, clock: Clock) -> None:
    clock.now = NOON + 11 * 3600
    bridge = bridge_to(service, clock, quiet=QUIET)
    bridge.send(make_alarm_event(1, severity="warning"))
    bridge.send_summary()
    assert not service.messages
    bridge.send(make_alarm_event(2, rule="fall", severity="critical"))
    assert "held back (quiet hours): 1: fight at gate 1" in service.texts()[0]
    bridge.send(make_alarm_event(3, severity="info"))
    clock.now = NOON + 19 * 3600
    bridge.send_summary()
    assert service.texts()[1] == "held back (quiet hours): 1: fight at gate 1"


def test_an_old_event_is_counted_and_not_sent(service: Service, clock: Clock) -> None:
    bridge = bridge_to(service, clock)
    bridge.send(make_alarm_event(1, end_time="2026-11-25T10:00:00Z"))
    bridge.send(make_alarm_event(2, end_time="2026-11-25T11:30:00Z"))
    assert service.texts() == [
        "fight 0.84 by 7 and 9 in entrance for 1.2 s\nheld back (too old): 1: fight at gate 1"
    ]


def test_what_failed_counts_for_nothing_and_is_sent_when_it_comes_again(
    service: Service, clock: Clock
) -> None:
    bridge = bridge_to(service, clock, max_messages=1)
    service.error = UnavailableError("away")
    with pytest.raises(UnavailableError):
        bridge.send(make_event(1))
    service.error = None
    bridge.send(make_event(1))
    assert len(service.messages) == 1


def test_what_is_never_taken_is_given_up_like_what_is_too_old(
    service: Service, clock: Clock
) -> None:
    """Its service names no reason, and a recording has no time of day by which it becomes old."""
    bridge = bridge_to(service, clock)
    service.error = UnavailableError("mail does not answer")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            bridge.send(make_event(1))
        clock.now += 1801
    bridge.send(make_event(1))
    with pytest.raises(UnavailableError):
        bridge.send(make_event(2))  # has its own time
    clock.now += 1801
    with pytest.raises(UnavailableError):
        bridge.send(make_event(2))
    service.error = None
    bridge.send(make_event(2))
    assert service.texts() == ["walking 75% by 7\nheld back (too old): 1: walking at gate 1"]


def test_without_an_age_an_event_waits_for_its_service(service: Service, clock: Clock) -> None:
    bridge = bridge_to(service, clock, max_age_s=None)
    service.error = UnavailableError("mail does not answer")
    for _ in range(3):
        with pytest.raises(UnavailableError):
            bridge.send(make_event(1))
        clock.now += 1e6
    service.error = None
    bridge.send(make_event(1))
    assert len(service.messages) == 1


def test_a_summary_that_fails_waits_and_is_not_lost(
    service: Service, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    bridge = bridge_to(service, clock, max_messages=1)
    bridge.send(make_event(1))
    bridge.send(make_event(2))
    clock.now += 601
    service.error = UnavailableError("ntfy does not answer")
    bridge.send_summary()
    service.error = None
    bridge.send_summary()  # not again immediately
    assert len(service.messages) == 1
    assert "the summary waits" in caplog.text
    clock.now += 61
    bridge.send_summary()
    assert len(service.messages) == 2


def test_what_was_never_reported_is_logged_at_the_end(
    service: Service, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    bridge = bridge_to(service, clock, max_messages=1)
    bridge.send(make_event(1))
    bridge.send(make_event(2))
    bridge.close()
    assert "phone (ntfy): not sent: held back (too many): 1" in caplog.text
