"""Which cameras have a heartbeat, on a real server."""

from __future__ import annotations

import redis

from pipeline.redis_store.names import StreamKeys
from pipeline.subscriber.camera_presence import PresenceReader
from tests.pipeline.conftest import STREAM


def test_a_camera_is_alive_while_its_heartbeat_is_there(server: str, client: redis.Redis) -> None:
    key = StreamKeys(STREAM).camera("gate")
    client.hset(key, "state", "up")
    reader = PresenceReader(server, STREAM)
    assert reader.alive(["gate", "yard"]) == {"gate": True, "yard": False}
    client.delete(key)
    assert reader.alive(["gate"]) == {"gate": False}
    assert reader.alive([]) == {}
    reader.close()
