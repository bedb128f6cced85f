"""The commands of the in-memory server answer as those of a real one, reply for reply."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from pipeline.subscriber.group_scripts import CREATE_GROUP
from pipeline.subscriber.in_memory_redis import InMemoryRedis


def without_ids(reply: Any, ids: dict[bytes, str]) -> Any:
    """The reply with the ids of its server replaced by names that both servers share."""
    if isinstance(reply, bytes):
        return ids.get(reply, reply)
    if isinstance(reply, dict):
        return {key: without_ids(value, ids) for key, value in reply.items()}
    if isinstance(reply, list | tuple):
        return [without_ids(one, ids) for one in reply]
    return reply


def conversation(client: Any) -> list[Any]:
    """What a consumer asks, and every answer."""
    raw_ids = [client.xadd("s", {"event": f"e{n}"}) for n in range(3)]
    first, second, third = (raw_id.decode() for raw_id in raw_ids)
    ids = {raw_id: f"entry {n}" for n, raw_id in enumerate(raw_ids)}
    answers = [
        client.eval(CREATE_GROUP, 3, "s", "newest", "seen", "g", "0"),
        client.eval(CREATE_GROUP, 3, "s", "newest", "seen", "g", "0"),  # it is there already
        client.xrange("s", first, first),
        client.xrange("s", "-", "+"),
        client.xread({"s": first}, count=1),
        client.xread({"s": third}, count=1, block=1),
        client.xpending_range("s", "g", "-", "+", 10, "me"),
        client.xclaim("s", "g", "me", min_idle_time=0, message_ids=[second]),  # nothing pending
        client.xack("s", "g", first),
        client.hgetall("seen"),
    ]
    return [without_ids(answer, ids) for answer in answers]


def test_both_servers_answer_the_same(client: redis.Redis) -> None:
    assert conversation(InMemoryRedis()) == conversation(client)


def test_a_group_that_is_not_there_is_refused_by_its_name() -> None:
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        InMemoryRedis().xpending_range("s", "nobody", "-", "+", 1)


def test_ids_grow_within_one_millisecond() -> None:
    server = InMemoryRedis()
    ids = [server.xadd("s", {"event": "e"}) for _ in range(500)]
    assert len(set(ids)) == 500
    assert [entry_id for entry_id, _ in server.xrange("s")] == ids
    server.xtrim("s", 10)
    assert [entry_id for entry_id, _ in server.xrange("s")] == ids[-10:]
