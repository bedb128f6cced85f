"""Home Assistant's view on a real broker, through restarts of the broker and of the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.bridges.home_assistant import HomeAssistantState
from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge
from pipeline.bridges.mqtt import MqttBridge, NoReceiptError
from pipeline.bridges.retry import BridgeError
from pipeline.event_filter import EventFilter
from pipeline.events import Event
from testbed.mqtt_broker import MOSQUITTO, Access, Broker, Listener, wait_until
from tests.pipeline.decided_items import make_alarm_event, make_camera_event, make_event

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto (apt install mosquitto)"),
]
PRESENCE = "behaviour-stream/availability"
EVENTS: tuple[Event, ...] = (
    make_camera_event(1),
    make_event(2, action="fight"),
    make_alarm_event(3, snapshot="1.jpg"),
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """It keeps nothing over a restart, which is the hard case."""
    with Broker("mosquitto", tmp_path, Access()) as broker:
        yield broker


@contextmanager
def bridge_to(broker: Broker, evidence: Path) -> Iterator[HomeAssistantBridge]:
    (evidence / "1.jpg").write_bytes(b"\xff\xd8\xff image")
    options: dict[str, Any] = {"tls": False, "username": None, "password": None}
    mqtt = MqttBridge(
        "127.0.0.1",
        port=broker.port,
        topic="events/{camera_id}/{kind}",
        timeout_s=5.0,
        presence=PRESENCE,
        **options,
    )
    state = HomeAssistantState(
        discovery_prefix="homeassistant", topic="behaviour-stream", evidence=evidence
    )
    with HomeAssistantBridge(mqtt, state, EventFilter()) as bridge:
        yield bridge


def retained(broker: Broker, count: int) -> dict[str, str]:
    """The first so many messages that a client gets who connects now."""
    with Listener(broker.port) as listener:
        found = [listener.next() for _ in range(count)]
    assert all(is_retained for _, _, is_retained in found)
    return {topic: text for topic, text, _ in found}


# availability; 4 entities; states of connection, action and rule with 2 attributes, and the image
COUNT = 1 + 4 + 3 + 2 + 1


def test_a_late_listener_gets_entities_and_states_and_no_event(
    broker: Broker, tmp_path: Path
) -> None:
    with Listener(broker.port, "events/#") as listener, bridge_to(broker, tmp_path) as bridge:
        for event in EVENTS:
            bridge.send(event)
        assert listener.next()[0] == "events/gate/start"  # of the filter, the alarm is not
        found = retained(broker, COUNT)
    assert len(found) == COUNT
    assert found[PRESENCE] == "online"
    assert found["behaviour-stream/gate/rule/fight"] == "ON"
    assert "image" in found["behaviour-stream/gate/snapshot"]


def test_a_broker_that_forgot_everything_is_told_again(broker: Broker, tmp_path: Path) -> None:
    with bridge_to(broker, tmp_path) as bridge:
        for event in EVENTS:
            bridge.send(event)
        before = retained(broker, COUNT)
        broker.kill()
        broker.start()

        def told_again() -> bool:
            bridge.refresh()  # without any event
            return bridge._mqtt._connection is not None and len(bridge._published) == COUNT - 1

        wait_until(told_again)
        assert retained(broker, COUNT) == before


def test_a_bridge_that_was_restarted_knows_what_is_ongoing(broker: Broker, tmp_path: Path) -> None:
    with bridge_to(broker, tmp_path) as bridge:
        for event in EVENTS:
            bridge.send(event)
    assert retained(broker, COUNT)[PRESENCE] == "offline"
    with bridge_to(broker, tmp_path) as bridge:
        bridge.restore(EVENTS)
        bridge.send(make_event(4, action="fight", instance_id="other"))
        bridge.send(make_event(5, "end", action="fight", instance_id="other"))
        assert retained(broker, COUNT)["behaviour-stream/gate/action/fight"] == "ON"
        bridge.send(make_event(6, "end", action="fight"))
        assert retained(broker, COUNT)["behaviour-stream/gate/action/fight"] == "OFF"


def test_a_bridge_that_is_gone_is_offline_by_the_brokers_hand(
    broker: Broker, tmp_path: Path
) -> None:
    with Listener(broker.port, PRESENCE) as listener, bridge_to(broker, tmp_path) as bridge:
        bridge.send(make_camera_event(1))
        assert listener.next()[1] == "online"
        connection = bridge._mqtt._connection
        assert connection is not None
        socket = connection._client.socket()
        socket.close()  # as when the process is killed: no farewell
        assert listener.next()[1] == "offline"


def test_an_image_that_the_broker_refuses_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = Access(settings=("message_size_limit 2000",))
    with Broker("mosquitto", tmp_path, access) as broker, bridge_to(broker, tmp_path) as bridge:
        (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff" + b"x" * 3000)
        for event in EVENTS:
            bridge.send(event)
        bridge.send(make_event(4, "end", action="fight"))
        found = retained(broker, COUNT - 1)
    assert found["behaviour-stream/gate/action/fight"] == "OFF"
    assert caplog.text.count("Home Assistant does not get it") == 1


def test_an_event_that_the_broker_refuses_still_changes_the_states(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its access rules, or a limit of size: else a sensor would stay on after the end."""
    with bridge_to(broker, tmp_path) as bridge:
        for event in EVENTS:
            bridge.send(event)

        def refuse(event: Event) -> None:
            raise BridgeError("not authorized")

        monkeypatch.setattr(bridge._mqtt, "send", refuse)
        with pytest.raises(BridgeError, match="not authorized"):
            bridge.send(make_event(4, "end", action="fight"))
        assert retained(broker, COUNT)["behaviour-stream/gate/action/fight"] == "OFF"


@pytest.mark.parametrize(("silences", "state"), [(1, "OFF"), (2, "ON")])
def test_a_state_without_a_receipt_is_published_once_more(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silences: int, state: str
) -> None:
    """Once: the broker may have ended just then. Twice: it may be the state that ends it."""
    topic = "behaviour-stream/gate/action/fight"
    with bridge_to(broker, tmp_path) as bridge:
        for event in EVENTS:
            bridge.send(event)
        left, retain = [silences], bridge._mqtt.retain

        def silent(to: str, payload: bytes) -> None:
            if to == topic and left[0]:
                left[0] -= 1
                raise NoReceiptError("no receipt")
            retain(to, payload)

        monkeypatch.setattr(bridge._mqtt, "retain", silent)
        bridge.send(make_event(4, "end", action="fight"))
        assert retained(broker, COUNT)[topic] == state


def test_a_broker_that_is_away_costs_no_event(broker: Broker, tmp_path: Path) -> None:
    with bridge_to(broker, tmp_path) as bridge:
        bridge.send(EVENTS[0])
        broker.kill()
        bridge.refresh()
        with pytest.raises(BridgeError):
            bridge.send(EVENTS[1])
        broker.start()
        for event in EVENTS[1:]:
            bridge.send(event)
        assert len(retained(broker, COUNT)) == COUNT
