"""The keys of a stream: programs of others read them, a cluster keeps them together."""

from __future__ import annotations

import subprocess
import sys

from pipeline.redis_store.names import SCHEMES, StreamKeys
from tests.conftest import REPOSITORY

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


def test_urls_of_single_servers_sentinels_and_clusters_are_known() -> None:
    assert {"redis://", "rediss://", "redis+sentinel://", "redis+cluster://"} <= set(SCHEMES)


def test_the_configuration_knows_the_names_without_the_client_of_redis() -> None:
    code = "import sys, pipeline.config.delivery; print('redis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
