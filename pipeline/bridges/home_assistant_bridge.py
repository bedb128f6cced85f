"""Keeps Home Assistant right by MQTT: also after a restart of the broker or of the bridge."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Self

from pipeline.bridges.home_assistant import HomeAssistantState
from pipeline.bridges.mqtt import MqttBridge, NoReceiptError
from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.event_filter import EventFilter
from pipeline.events import Event

log = logging.getLogger(__name__)


class HomeAssistantBridge:
    """Publishes events as `MqttBridge` does, and what Home Assistant should know, retained.

    A broker that was restarted may have lost what it retained, so everything is published again
    with every new connection. What a restart of this program needs is read from the stream by
    `restore`. Use it from any thread, and as a context.

    Args:
        mqtt: publishes; the context of this object is its context.
        state: follows the events.
        wanted: which events are published as such, beside the states, which need all events.
    """

    def __init__(self, mqtt: MqttBridge, state: HomeAssistantState, wanted: EventFilter) -> None:
        self.name = mqtt.name
        self._mqtt, self._state, self._wanted = mqtt, state, wanted
        self._published: dict[str, bytes] = {}  # by topic, with this connection
        self._refused: dict[str, bytes] = {}  # would be refused again with the next one
        self._unanswered: dict[str, bytes] = {}  # with a second silence it counts as refused
        self._lock = threading.RLock()  # on_connected is called within it
        mqtt.on_connected = self._begin_connection

    def __enter__(self) -> Self:
        self._mqtt.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._mqtt.__exit__(*error)

    def restore(self, events: Iterable[Event]) -> None:
        """Follow what was on the stream before; nothing is published."""
        with self._lock:
            for event in events:
                self._state.apply(event)

    def send(self, event: Event) -> None:
        """Publish the event, and what it changes.

        Raises:
            UnavailableError: as `MqttBridge.send`.
            BridgeError: as `MqttBridge.send`, of the event; a state that the broker refuses is
                logged.
        """
        with self._lock:
            # States first: they follow also an event that the broker refuses as such.
            self._state.apply(event)
            self._publish(self._state.messages_of(event.camera_id))
            if self._wanted.matches(event):
                self._mqtt.send(event)

    def restore_counts(self, camera_id: str, counts: Mapping[str, int]) -> None:
        """Note how many people were in zones of a camera; nothing is published."""
        with self._lock:
            self._state.count_zones(camera_id, counts)

    def count_zones(self, camera_id: str, counts: Mapping[str, int]) -> None:
        """Publish how many people are in zones of a camera now.

        Raises:
            UnavailableError: as `MqttBridge.send`; the next connection publishes it.
        """
        with self._lock:
            self._state.count_zones(camera_id, counts)
            self._publish(self._state.messages_of(camera_id))

    def camera_ids(self) -> list[str]:
        """Return the cameras of which there was an event or a count."""
        with self._lock:
            return self._state.camera_ids()

    def set_alive(self, alive: Mapping[str, bool]) -> None:
        """Publish which cameras a run keeps alive.

        Raises:
            UnavailableError: as `MqttBridge.send`; the next connection publishes it.
        """
        with self._lock:
            changed = [
                one for one, is_alive in alive.items() if self._state.set_alive(one, is_alive)
            ]
            for camera_id in changed:
                self._publish(self._state.messages_of(camera_id))

    def refresh(self) -> None:
        """Connect again if the connection was lost; call it every few seconds."""
        if not self._lock.acquire(blocking=False):  # an event is on its way and does the same
            return
        try:
            self._mqtt.ensure_connected()
        except BridgeError as error:
            log.debug("%s", error)  # the next event logs it
        finally:
            self._lock.release()

    def _begin_connection(self) -> None:
        with self._lock:
            self._published.clear()
            self._publish(self._state.all_messages())

    def _publish(self, messages: Mapping[str, bytes]) -> None:
        for topic, payload in messages.items():
            if payload in (self._published.get(topic), self._refused.get(topic)):
                continue
            try:
                self._mqtt.retain(topic, payload)
            except UnavailableError:
                raise
            except BridgeError as error:
                if isinstance(error, NoReceiptError) and self._unanswered.get(topic) != payload:
                    self._unanswered[topic] = payload  # perhaps the broker ended just then
                    self._mqtt.ensure_connected()  # publishes all of it
                    self._publish({topic: payload})
                    continue
                log.error("%s; Home Assistant does not get it", error)
                self._refused[topic] = payload
            else:
                self._published[topic] = payload
            self._unanswered.pop(topic, None)
