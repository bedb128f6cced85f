"""Read action events in another program; needs redis and pydantic, not the models.

    from pipeline.subscriber import Subscriber

    with Subscriber("redis://localhost:6379/0", group="alarms") as subscriber:
        for event in subscriber:
            ring_the_bell(event)  # acknowledged when the block has ended; not, if it raises

With a group, every event is handled at least once: what a consumer had not acknowledged when it
died is delivered again, to it or to another consumer of the group. `AsyncSubscriber` is the same
for asyncio. `pipeline.subscriber.testing` has a stand-in that needs no server, for the tests of
such a program.

May import redis_store and runtime.
"""

from pipeline.errors import EventStoreError
from pipeline.event_filter import EventFilter
from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, EvidenceEvent, SequenceGap
from pipeline.subscriber.asynchronous import AsyncSubscriber
from pipeline.subscriber.blocking import Subscriber
from pipeline.subscriber.reports import GapError, Report
from pipeline.subscriber.zone_rows import read_zone_rows
from pipeline.zone_minutes import ZoneMinute

__all__ = [
    "ActionEvent",
    "AlarmEvent",
    "AsyncSubscriber",
    "CameraEvent",
    "EventFilter",
    "EventStoreError",
    "EvidenceEvent",
    "GapError",
    "Report",
    "SequenceGap",
    "Subscriber",
    "ZoneMinute",
    "read_zone_rows",
]
