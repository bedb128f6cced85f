"""Test a program that subscribes, without a Redis server.

A test publishes events to an in-memory store and gives the program under test a subscriber that
reads them: the readers, the filter, the retries, the dead letters and the reports are those of
`Subscriber` and `AsyncSubscriber`; the server alone is replaced.

    from pipeline.subscriber import EventFilter
    from pipeline.subscriber.testing import (
        InMemoryEventStore,
        InMemorySubscriber,
        example_action_event,
    )

    def test_the_bell_rings_for_every_fight() -> None:
        store = InMemoryEventStore()
        store.publish(
            example_action_event(seq=1, action="walking"),
            example_action_event(seq=2, action="fight"),
        )
        rung = []
        wanted = EventFilter(actions=("fight",))
        with InMemorySubscriber(store.url, group="alarms", start="0", wanted=wanted) as subscriber:
            subscriber.handle(rung.append, count=1)
        assert [event.seq for event in rung] == [2]
        assert store.unacknowledged("alarms") == 0

A program that opens its subscriber itself is tested with its own URL:

    store = InMemoryEventStore("redis://localhost:6379/0")
    monkeypatch.setattr("my_program.Subscriber", InMemorySubscriber)

An iteration waits for more events as it does with a server: end it with `stop()`, with `count`, or
give `to_end_only=True` to a subscriber without a group. A gap is a missing number (publish 1, then
3), a duplicate a repeated one. What memory does not have is the network: outages are not simulated.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from pipeline.errors import EventStoreError
from pipeline.events import (
    ActionEvent,
    AlarmEvent,
    CameraEvent,
    Event,
    EvidenceEvent,
    decode_event,
    encode_event,
)
from pipeline.redaction import mask_url
from pipeline.redis_store.names import FIELD, StreamKeys
from pipeline.subscriber.asynchronous import AsyncSubscriber
from pipeline.subscriber.blocking import Subscriber
from pipeline.subscriber.in_memory_redis import AsyncInMemoryRedis, InMemoryRedis
from pipeline.subscriber.options import DEFAULT_STREAM

_servers: WeakValueDictionary[str, InMemoryRedis] = WeakValueDictionary()
_numbers = count(1)


class InMemoryEventStore:
    """Events in memory, for the in-memory subscribers that name its URL.

    Args:
        url: what subscribers connect to; None: a unique one. A later store with the same URL
            replaces this one for new subscribers.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or f"memory://{next(_numbers)}"
        self._redis = _servers[self.url] = InMemoryRedis()

    def publish(self, *events: Event, stream: str = DEFAULT_STREAM) -> None:
        """Append events as they are, whatever their sequence numbers.

        Args:
            *events: in the order in which subscribers read them.
            stream: key of the stream.
        """
        newest_key = StreamKeys(stream).newest
        for event in events:
            self.publish_text(encode_event(event), stream=stream)
            newest = int(self._redis.hgetall(newest_key).get(event.origin.encode(), 0))
            self._redis.hset(newest_key, event.origin, max(newest, event.seq))

    def publish_text(self, text: str | bytes, *, stream: str = DEFAULT_STREAM) -> None:
        """Append an entry that need not be an event, as another program may have written it."""
        self._redis.xadd(stream, {FIELD: text})

    def trim(self, keep: int, *, stream: str = DEFAULT_STREAM) -> None:
        """Remove the oldest entries, read or not, until `keep` are left."""
        self._redis.xtrim(stream, keep)

    def unacknowledged(self, group: str, *, stream: str = DEFAULT_STREAM) -> int:
        """Count the events that the group has received and not acknowledged."""
        return self._redis.pending_count(stream, group)

    def dead_letters(self, group: str, *, stream: str = DEFAULT_STREAM) -> list[Event]:
        """Return the events that the group gave up after `max_tries`, oldest first."""
        rows = self._redis.xrange(StreamKeys(stream).dead_letters(group))
        return [decode_event(fields[FIELD.encode()]) for _, fields in rows]


class InMemorySubscriber(Subscriber):
    """A `Subscriber` of an InMemoryEventStore: same arguments, same methods.

    Raises:
        EventStoreError: if there is no store of that URL.
        ValueError: as `Subscriber`.
    """

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return _server_of(url)


class InMemoryAsyncSubscriber(AsyncSubscriber):
    """An `AsyncSubscriber` of an InMemoryEventStore: same arguments, same methods.

    Raises:
        EventStoreError: if there is no store of that URL.
        ValueError: as `AsyncSubscriber`.
    """

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return AsyncInMemoryRedis(_server_of(url))


def _server_of(url: str) -> InMemoryRedis:
    redis = _servers.get(url)
    if redis is None:
        raise EventStoreError(f"there is no InMemoryEventStore of the URL {mask_url(url)}")
    return redis


def _complete(fields: dict[str, Any], seq: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Add what all kinds of events have to the fields of one kind, and make the changes."""
    every = {"camera_id": "gate", "run_id": "run", "seq": seq} | fields | changes
    return {"event_id": f"{every['run_id']}/{every['camera_id']}/{seq}"} | every


def example_action_event(seq: int = 1, **changes: Any) -> ActionEvent:
    """Make a valid action event.

    Args:
        seq: sequence number of its camera and run.
        **changes: fields that differ from those of the start of a walk at camera `gate`.
    """
    fields: dict[str, Any] = {
        "kind": "start",
        "instance_id": "run/gate/7/walking/1",
        "track_id": 7,
        "track_ids": (7,),
        "action": "walking",
        "score": 0.75,
        "peak_score": 0.8,
        "start_pts_s": 1.0,
        "end_pts_s": 3.5,
        "start_time": "2026-01-01T00:00:01.000Z",
        "end_time": "2026-01-01T00:00:03.500Z",
        "frame_index": 105,
        "xyxy": (10.0, 20.0, 60.0, 180.0),
        "frame_wh": (640, 480),
        "model": "example",
        "latency_ms": {},
    }
    return ActionEvent(**_complete(fields, seq, changes))


def example_camera_event(seq: int = 1, **changes: Any) -> CameraEvent:
    """Make a valid camera event.

    Args:
        seq: sequence number of its camera and run.
        **changes: fields that differ from those of `camera_up` of the camera `gate`.
    """
    fields: dict[str, Any] = {
        "kind": "camera_up",
        "pts_s": 0.0,
        "time": "2026-01-01T00:00:00.000Z",
    }
    return CameraEvent(**_complete(fields, seq, changes))


def example_alarm_event(seq: int = 1, **changes: Any) -> AlarmEvent:
    """Make a valid alarm event.

    Args:
        seq: sequence number of its camera and run.
        **changes: fields that differ from those of the start of an alarm at camera `gate`.
    """
    fields: dict[str, Any] = {
        "kind": "alarm",
        "phase": "start",
        "alarm_id": "run/gate/alarm-fight/1",
        "rule": "fight",
        "severity": "critical",
        "reason": "fight 0.84 by 7 and 9 in entrance for 1.2 s",
        "zone": "entrance",
        "track_ids": (7, 9),
        "group_ids": (),
        "instance_ids": ("run/gate/7/fight/1", "run/gate/9/fight/1"),
        "score": 0.84,
        "start_pts_s": 1.0,
        "end_pts_s": 2.2,
        "start_time": "2026-01-01T00:00:01.000Z",
        "end_time": "2026-01-01T00:00:02.200Z",
        "frame_index": 66,
        "xyxy": (10.0, 20.0, 160.0, 180.0),
        "frame_wh": (640, 480),
        "snapshot": "gate/2026-01-01/000001-fight-1.jpg",
        "latency_ms": {},
    }
    return AlarmEvent(**_complete(fields, seq, changes))


def example_evidence_event(seq: int = 1, **changes: Any) -> EvidenceEvent:
    """Make a valid evidence event.

    Args:
        seq: sequence number of its camera and run.
        **changes: fields that differ from those of the clip of an alarm at camera `gate`.
    """
    fields: dict[str, Any] = {
        "kind": "evidence",
        "alarm_id": "run/gate/alarm-fight/1",
        "instance_id": None,
        "media": "clip",
        "path": "gate/2026-01-01/000001-fight-1.mp4",
        "codec": "h264",
        "start_pts_s": 0.0,
        "end_pts_s": 7.2,
        "time": "2026-01-01T00:00:00.000Z",
        "duration_s": 7.2,
        "size_bytes": 1_234_567,
        "sha256": 64 * "a",
    }
    return EvidenceEvent(**_complete(fields, seq, changes))
