"""`bridge mqtt` with Home Assistant: its state is read from the stream, and kept on the broker."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from pipeline.bridges.retry import BridgeError
from pipeline.commands.events import open_subscriber
from pipeline.commands.options import needed_server
from pipeline.errors import EventStoreError
from pipeline.event_filter import KINDS, EventFilter
from pipeline.runtime.shutdown import Shutdown

if TYPE_CHECKING:
    from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge
    from pipeline.bridges.mqtt import MqttBridge
    from pipeline.config.schema import PipelineConfig

EVERYTHING = EventFilter(kinds=KINDS)  # states follow every event
_MORE_S = 5.0  # between two looks for counts of zones, once a minute, and for killed runs
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
        evidence=config.evidence.folder_in(config.output),
    )
    return HomeAssistantBridge(mqtt, state, wanted)


def restore(bridge: HomeAssistantBridge, config: PipelineConfig) -> str:
    """Let the bridge follow the events on the stream, so that it knows what is ongoing.

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


def follow_more(
    bridge: HomeAssistantBridge, config: PipelineConfig, stack: ExitStack, shutdown: Shutdown
) -> None:
    """Start a thread that follows what is no event: counts of zones, and killed runs.

    Args:
        bridge: publishes them; it has the newest count of every zone when this returns.
        config: names the server and its streams.
        stack: leaves the embedded server, and closes the connections.
        shutdown: ends the thread.

    Raises:
        EventStoreError: if the server refuses or does not answer.
    """
    from pipeline.subscriber import read_zone_rows
    from pipeline.subscriber.camera_presence import PresenceReader

    url = stack.enter_context(needed_server(config, "counts are on a server"))
    stream, position = config.redis.counts_stream, "0"
    presence = PresenceReader(url, config.redis.stream)
    stack.callback(presence.close)
    for entry_id, row in read_zone_rows(url, stream=stream) if stream else ():
        bridge.restore_counts(row.camera_id, {row.zone: row.people_last})
        position = entry_id

    def follow() -> None:
        nonlocal position
        while not shutdown.stop.wait(_MORE_S):
            # The subscriber of the events reports a server that is away; a broker that is away
            # gets everything with the next connection.
            with suppress(BridgeError, EventStoreError):
                bridge.set_alive(presence.alive(bridge.camera_ids()))
            with suppress(BridgeError, EventStoreError):
                for entry_id, row in (
                    read_zone_rows(url, stream=stream, start=position) if stream else ()
                ):
                    position = entry_id
                    bridge.count_zones(row.camera_id, {row.zone: row.people_last})

    threading.Thread(target=follow, name="zones and presence", daemon=True).start()


def keep_fresh(bridge: HomeAssistantBridge, shutdown: Shutdown) -> None:
    """Start a thread that connects again, until a shutdown, when the broker was restarted."""

    def tick() -> None:
        while not shutdown.stop.wait(_TICK_S):
            bridge.refresh()

    threading.Thread(target=tick, name="home assistant", daemon=True).start()
