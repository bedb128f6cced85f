"""What Home Assistant gets: entities by its discovery schema, states by the events."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.bridges.home_assistant import HomeAssistantState
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)

# Home Assistant's own names, from its integration `mqtt` (its abbreviations and schemas): what an
# entity of each component needs, and what else it may have of what is used here.
REQUIRED = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "image": {"image_topic"},
}
COMMON = {
    "name",
    "unique_id",
    "device",
    "origin",
    "availability",
    "availability_mode",
    "json_attributes_topic",
    "entity_category",
    "device_class",
}
OPTIONAL = {
    "binary_sensor": {"payload_on", "payload_off"},
    "sensor": {"state_class", "unit_of_measurement"},
    "image": {"content_type"},
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version"}
# Of its discovery: <prefix>/<component>/[<node_id>/]<object_id>/config
TOPIC = re.compile(r"homeassistant/(\w+)/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config")


def new_state(evidence: Path | None = None) -> HomeAssistantState:
    return HomeAssistantState(
        discovery_prefix="homeassistant", topic="behaviour-stream", evidence=evidence
    )


def entities(messages: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Of each discovery message, by its topic."""
    return {
        topic: json.loads(payload)
        for topic, payload in messages.items()
        if topic.startswith("homeassistant/")
    }


def states(state: HomeAssistantState, camera_id: str = "gate") -> dict[str, str]:
    """What the sensors of a camera show, by the end of their topic."""
    base = f"behaviour-stream/{camera_id}/"
    return {
        topic.removeprefix(base): payload.decode()
        for topic, payload in state.messages_of(camera_id).items()
        if topic.startswith(base) and not topic.endswith(("attributes", "snapshot"))
    }


def test_every_entity_is_one_of_home_assistants_schema(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff image")
    state = new_state(tmp_path)
    state.apply(make_camera_event(1))
    state.apply(make_event(2, action="fight"))
    state.apply(make_alarm_event(3, rule="night fight", snapshot="1.jpg"))
    state.count_zones("gate", {"entrance": 2})
    found = entities(state.messages_of("gate"))
    assert len(found) == 5
    for topic, entity in found.items():
        match = TOPIC.fullmatch(topic)
        assert match is not None, topic
        component = match[1]
        assert REQUIRED[component] <= set(entity), topic
        assert set(entity) <= REQUIRED[component] | OPTIONAL[component] | COMMON, topic
        assert set(entity["device"]) == DEVICE
        assert entity["device"]["identifiers"] == ["behaviour-stream_gate"]
        assert entity["availability"][0] == {"topic": "behaviour-stream/availability"}
    unique = [entity["unique_id"] for entity in found.values()]
    assert len(set(unique)) == len(unique)
    assert {entity["name"] for entity in found.values()} == {
        "Connection",
        "fight",
        "Alarm night fight",
        "People in entrance",
        "Snapshot",
    }


def test_topics_of_entities_are_those_of_their_states(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff image")
    state = new_state(tmp_path)
    state.apply(make_alarm_event(1, snapshot="1.jpg"))
    state.count_zones("gate", {"entrance": 2})
    messages = state.messages_of("gate")
    for entity in entities(messages).values():
        for key in ("state_topic", "image_topic", "json_attributes_topic"):
            assert entity.get(key, next(iter(messages))) in messages
    order = [topic.startswith("homeassistant/") for topic in messages]
    assert order == sorted(order, reverse=True)  # it subscribes before the states come
    assert messages["behaviour-stream/gate/snapshot"] == b"\xff\xd8\xff image"


def test_a_sensor_is_on_while_any_interval_is_open() -> None:
    state = new_state()
    state.apply(make_event(1, action="fight", instance_id="a"))
    state.apply(make_event(2, action="fight", instance_id="b", track_id=9))
    state.apply(make_event(3, "end", action="fight", instance_id="a"))
    assert states(state) == {"connection": "ON", "action/fight": "ON"}
    state.apply(make_event(4, "end", action="fight", instance_id="b"))
    assert states(state)["action/fight"] == "OFF"
    state.apply(make_alarm_event(5))
    state.apply(make_alarm_event(6, "update"))
    assert states(state)["rule/fight"] == "ON"
    state.apply(make_alarm_event(7, "end"))
    assert states(state)["rule/fight"] == "OFF"


def test_attributes_say_who_and_why() -> None:
    state = new_state()
    state.apply(make_alarm_event(1, start_time="2026-11-25T22:12:05Z"))
    attributes = json.loads(
        state.messages_of("gate")["behaviour-stream/gate/rule/fight/attributes"]
    )
    assert attributes == {
        "score": 0.84,
        "since": "2026-11-25T22:12:05Z",
        "people": [7, 9],
        "zone": "entrance",
        "severity": "critical",
        "reason": "fight 0.84 by 7 and 9 in entrance for 1.2 s",
        "count": 1,
    }


def test_an_event_that_comes_late_or_again_changes_nothing() -> None:
    state = new_state()
    assert state.apply(make_event(1))
    assert state.apply(make_event(3, "end"))
    assert not state.apply(make_event(2, "update"))
    assert not state.apply(make_event(1))
    assert states(state)["action/walking"] == "OFF"


def test_a_camera_that_is_down_has_nothing_ongoing() -> None:
    state = new_state()
    state.apply(make_event(1))
    state.apply(make_camera_event(2, "camera_down", reason="stalled"))
    assert states(state) == {"connection": "OFF", "action/walking": "OFF"}


def test_a_new_run_forgets_what_a_killed_one_left_open() -> None:
    state = new_state()
    state.apply(make_event(5))
    state.apply(make_camera_event(1, run_id="later", event_id="later/gate/1"))
    assert states(state) == {"connection": "ON", "action/walking": "OFF"}
    assert not state.apply(make_event(6))  # of the run before, delivered late
    assert states(state)["action/walking"] == "OFF"


def test_cameras_are_devices_of_their_own() -> None:
    state = new_state()
    state.apply(make_event(1))
    state.apply(make_event(1, camera_id="yard", event_id="run/yard/1"))
    found = entities(state.all_messages())
    assert {entity["device"]["name"] for entity in found.values()} == {"gate", "yard"}


@pytest.mark.parametrize("name", ["Tür/+#$", "门口", "a b", "\x1b[2J", "x" * 500, "homeassistant"])
def test_any_name_is_an_id_that_home_assistant_takes(name: str) -> None:
    state = new_state()
    state.apply(make_event(1, camera_id=name, action=name))
    messages = state.messages_of(name)
    for topic, entity in entities(messages).items():
        assert TOPIC.fullmatch(topic), topic
        assert entity["name"].isprintable()
        assert entity["device"]["name"].isprintable()
    assert not [topic for topic in messages if re.search(r"[+#$\x00-\x1f]", topic)]


def test_two_names_never_share_an_id() -> None:
    state = new_state()
    names = ["a b", "a_b", "a_20_b", "a/b", "x" * 70, "x" * 71]
    for seq, name in enumerate(names, start=1):
        state.apply(make_event(seq, action=name, instance_id=name))
    assert len([topic for topic in states(state) if topic.startswith("action")]) == len(names)


def test_the_newest_snapshot_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.write_bytes(b"\xff\xd8\xff first")
    state = new_state(tmp_path)
    state.apply(make_evidence_event(1, media="snapshot", path="1.jpg", codec="jpeg"))
    topic = "behaviour-stream/gate/snapshot"
    assert state.messages_of("gate")[topic] == b"\xff\xd8\xff first"
    file.unlink()  # the oldest evidence is deleted
    assert state.messages_of("gate")[topic] == b"\xff\xd8\xff first"
    state.apply(make_alarm_event(2, snapshot="absent.jpg"))
    assert state.messages_of("gate")[topic] == b"\xff\xd8\xff first"


def test_a_camera_whose_run_was_killed_is_not_connected_until_it_is_alive_again() -> None:
    state = new_state()
    state.apply(make_event(1))
    assert not state.set_alive("gate", True)
    assert state.set_alive("gate", False)
    assert states(state) == {"connection": "OFF", "action/walking": "ON"}  # and unavailable
    assert state.set_alive("gate", True)
    assert states(state)["connection"] == "ON"
