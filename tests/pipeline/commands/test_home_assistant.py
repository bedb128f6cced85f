"""What `bridge mqtt` knows of the stream when it starts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge
from pipeline.bridges.mqtt import MqttBridge
from pipeline.commands import home_assistant
from pipeline.commands.home_assistant import (
    follow_more,
    presence_topic,
    restore,
    with_home_assistant,
)
from pipeline.config.schema import load_config
from pipeline.event_filter import EventFilter
from pipeline.runtime.shutdown import Shutdown
from pipeline.zone_minutes import ZoneMinute
from testbed.free_port import free_port
from testbed.mqtt_broker import wait_until
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


def test_the_newest_count_of_a_zone_and_a_killed_run_are_noticed(
    server: str, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_assistant, "_MORE_S", 0.02)
    config = load_config(None, [ENABLED, f"redis.url={server}", f"output={tmp_path}"])
    bridge, shutdown = with_home_assistant(mqtt(), config, EventFilter()), Shutdown()
    for seq, people in enumerate((5, 2), start=1):
        add_row(client, seq, people)
    with ExitStack() as stack:
        follow_more(bridge, config, stack, shutdown)
        assert bridge._state.all_messages()["behaviour-stream/gate/zone/entrance"] == b"2"
        add_row(client, 3, people=7)  # there is no broker: it is known all the same
        wait_until(
            lambda: bridge._state.all_messages()["behaviour-stream/gate/zone/entrance"] == b"7",
            60,
        )
        client.hset("{behaviour:events}:camera:gate", "state", "up")
        bridge.restore([make_camera_event(1)])
        is_up("ON", bridge)
        client.delete("{behaviour:events}:camera:gate")  # the run was killed
        is_up("OFF", bridge)
        shutdown.stop.set()


def is_up(state: str, bridge: HomeAssistantBridge) -> None:
    """Wait until a camera is said to be up or not."""
    topic = "behaviour-stream/gate/connection"
    wait_until(lambda: bridge._state.all_messages()[topic] == state.encode(), 60)


def add_row(client: redis.Redis, seq: int, people: int) -> None:
    row = ZoneMinute(
        row_id=f"run/gate/counts/{seq}",
        run_id="run",
        camera_id="gate",
        seq=seq,
        zone="entrance",
        start_time=None,
        start_pts_s=0.0,
        seconds=60.0,
        people_mean=1.0,
        people_max=9,
        people_last=people,
        entered=0,
        left=0,
        dwell_s=0.0,
    )
    client.xadd("behaviour:counts", {"counts": row.encode()})


def test_presence_is_said_only_where_home_assistant_is_told() -> None:
    assert presence_topic(load_config(None, [])) is None
    assert presence_topic(load_config(None, [ENABLED])) == "behaviour-stream/availability"
