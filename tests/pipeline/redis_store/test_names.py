"""The keys of a stream: programs of others read them, a cluster keeps them together."""

from __future__ import annotations

from pipeline.redis_store.names import StreamKeys

KEYS = StreamKeys("behaviour:events")


def test_the_keys_are_those_that_other_programs_read() -> None:
    assert KEYS.newest == "{behaviour:events}:newest"
    assert KEYS.newest_ages == "{behaviour:events}:newest:ages"
    assert KEYS.newest_digests == "{behaviour:events}:newest:digests"
    assert KEYS.camera("gate") == "{behaviour:events}:camera:gate"
    assert KEYS.seen("alarms") == "{behaviour:events}:seen:alarms"
    assert KEYS.seen_ages("alarms") == "{behaviour:events}:seen:alarms:ages"
    assert KEYS.gaps("alarms") == "{behaviour:events}:gaps:alarms"
    assert KEYS.dead_letters("alarms") == "{behaviour:events}:dead:alarms"
