"""Events from the Redis stream, for programs of others.

May import redis_store. Needs redis and pydantic alone.
"""

from pipeline.errors import EventStoreError
from pipeline.event_filter import EventFilter
from pipeline.events import ActionEvent, CameraEvent
from pipeline.subscriber.asynchronous import AsyncSubscriber
from pipeline.subscriber.blocking import Subscriber
from pipeline.subscriber.reports import GapError, Report

__all__ = [
    "ActionEvent",
    "AsyncSubscriber",
    "CameraEvent",
    "EventFilter",
    "EventStoreError",
    "GapError",
    "Report",
    "Subscriber",
]
