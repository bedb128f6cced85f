"""The sink that stores a run's events in its outbox, from which they are published."""

from __future__ import annotations

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.outputs.sinks import ClosingSink
from pipeline.types import DecidedEnd, DecidedFrame


class OutboxSink(ClosingSink):
    """Store the events of each item on disk before the next one is taken; see `deliver_events`.

    Closing it leaves the outbox open: its owner delivers the rest.
    """

    def __init__(self, outbox: Outbox, publisher: Publisher, heartbeat: CameraHeartbeat) -> None:
        self.publisher = publisher
        self._outbox, self._heartbeat = outbox, heartbeat

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Append the item's events to the outbox; see `Sink.write`."""
        self._heartbeat.record(item)
        if item.events:
            self.publisher.check()
            self._outbox.append(item.events)
            self.publisher.wake()
