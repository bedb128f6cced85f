"""`bridge mqtt` with Home Assistant: its state is read from the stream, and kept on the broker."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pipeline.commands.events import open_subscriber
from pipeline.event_filter import KINDS, EventFilter
from pipeline.runtime.shutdown import Shutdown

if TYPE_CHECKING:
    from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge
    from pipeline.bridges.mqtt import MqttBridge
    from pipeline.config.schema import PipelineConfig

EVERYTHING = EventFilter(kinds=KINDS)  # states follow every event
_TICK_S = 2.0  # between two checks of the connection

log = logging.getLogger("behaviour-stream")


def presence_topic(config: PipelineConfig) -> str | None:
    """Return where the bridge says that it is there; None: nowhere."""
    section = config.bridges.mqtt.home_assistant
    return f"{section.topic}/availability" if section.enabled else None


def with_home_assistant(
    mqtt: MqttBridge, config: PipelineConfig, wanted: EventFilter
) -> HomeAssistantBridge:
    """Return a bridge that keeps Home Assistant informed beside publishing events.

    Args:
        mqtt: with the presence topic.
        config: has the sections of the bridges.
        wanted: which events are published as such.
    """
    from pipeline.bridges.home_assistant import HomeAssistantState
    from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge

    section = config.bridges.mqtt.home_assistant
    state = HomeAssistantState(
        discovery_prefix=section.discovery_prefix,
        topic=section.topic,
        evidence=config.bridges.evidence,
    )
    return HomeAssistantBridge(mqtt, state, wanted)


def restore(bridge: HomeAssistantBridge, config: PipelineConfig) -> str:
    """Let the bridge follow what is on the stream, so that it knows what is ongoing.

    Returns:
        The id of the entry after which a new group begins.

    Raises:
        EventStoreError: if the server does not answer or refuses.
    """
    with ExitStack() as stack:
        reader = open_subscriber(
            config,
            stack,
            start="0",
            wanted=EVERYTHING,
            to_end_only=True,
            on_report=lambda report: None,  # the group reports it
        )
        bridge.restore(reader)
        return reader.last_entry_id or "0"


def keep_fresh(bridge: HomeAssistantBridge, shutdown: Shutdown) -> None:
    """Start a thread that connects again, until a shutdown, when the broker was restarted."""

    def tick() -> None:
        while not shutdown.stop.wait(_TICK_S):
            bridge.refresh()

    threading.Thread(target=tick, name="home assistant", daemon=True).start()
