"""What `bridge mqtt` knows of the stream when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from pipeline.bridges.mqtt import MqttBridge
from pipeline.commands.home_assistant import presence_topic, restore, with_home_assistant
from pipeline.config.schema import load_config
from pipeline.event_filter import EventFilter
from testbed.free_port import free_port
from tests.pipeline.commands.test_bridge import STREAM, publish
from tests.pipeline.decided_items import make_camera_event, make_event

ENABLED = "bridges.mqtt.home_assistant.enabled=true"


def mqtt() -> MqttBridge:
    options: dict[str, Any] = {"tls": False, "username": None, "password": None}
    return MqttBridge("127.0.0.1", port=free_port(), topic="x", timeout_s=1.0, **options)


def test_a_bridge_that_starts_knows_what_is_ongoing_and_a_new_group_begins_there(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    config = load_config(None, [ENABLED, f"redis.url={server}", f"output={tmp_path}"])
    bridge = with_home_assistant(mqtt(), config, EventFilter())
    assert restore(bridge, config) == "0"
    publish(server, [make_camera_event(1), make_event(2)])
    newest = client.xrevrange(STREAM, count=1)[0][0].decode()
    assert restore(bridge, config) == newest
    messages = bridge._state.all_messages()
    assert messages["behaviour-stream/gate/action/walking"] == b"ON"
    assert messages["behaviour-stream/gate/connection"] == b"ON"


def test_presence_is_said_only_where_home_assistant_is_told() -> None:
    assert presence_topic(load_config(None, [])) is None
    assert presence_topic(load_config(None, [ENABLED])) == "behaviour-stream/availability"
