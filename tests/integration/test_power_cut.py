"""A power cut at any write costs what was not synced, and nothing else.

A sample; `python -m benchmarks.power_cut` cuts at every write.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.power_cut import cut_everywhere, record_run
from testbed.disk_recording import DiskOperation, can_record

pytestmark = pytest.mark.slow

POINTS = 8


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[DiskOperation]:
    if not can_record():
        pytest.skip("strace is not installed, or may not trace here")
    return record_run(tmp_path_factory.mktemp("recording"), decisions=40)


def test_what_was_synced_is_there_once_and_what_was_open_is_ended(
    operations: list[DiskOperation], tmp_path: Path
) -> None:
    points = random.Random(3).sample(range(1, len(operations) + 1), POINTS)
    cuts = cut_everywhere(operations, points, 0, tmp_path)
    assert cuts.states == 4 * POINTS
    assert cuts.wrong == []


def test_the_cuts_find_an_outbox_that_is_not_synced(
    operations: list[DiskOperation], tmp_path: Path
) -> None:
    careless = [one for one in operations if (one.kind, one.name[-4:]) != ("sync", "-wal")]
    assert cut_everywhere(careless, [len(careless) - 30], 0, tmp_path).wrong
