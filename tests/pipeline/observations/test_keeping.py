from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.observations.keeping import (
    ObservationQueue,
    keep_observations,
    write_observations,
)
from pipeline.observations.recorded_run import NumberedItem
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.runtime.channel import ChannelCancelled
from pipeline.runtime.stage_group import StageGroup
from pipeline.types import RecognizedFrame, StreamEnd
from tests.pipeline.observations.made_items import make_recognized, make_run

WAIT_S = 60.0
LIMITS = ObservationLimits(flush_s=30.0, max_age_s=1e9, max_bytes=10**9)


def numbered(n: int, ended: tuple[int, ...] = ()) -> NumberedItem:
    return NumberedItem(n, make_recognized(n, ended=ended))


def test_every_item_passes_unchanged_and_the_writer_gets_it_without_pixels() -> None:
    queue = ObservationQueue(waits=True)
    items = [make_recognized(0), StreamEnd("gate", "disconnected", None, 1.0), make_recognized(1)]
    assert list(keep_observations(items, queue)) == items
    taken = queue.take(WAIT_S)
    assert taken is not None
    assert [one.number for one in taken] == [0, 1, 2]
    first = taken[0].item
    assert isinstance(first, RecognizedFrame)
    assert first.tracked.frame.image.strides == (0, 0, 0)  # occupies no memory
    assert first.tracked.frame.wh == (64, 48)
    assert queue.take(WAIT_S) is None


def test_a_stage_that_is_left_early_ends_its_writer_too() -> None:
    queue = ObservationQueue(waits=True)
    stage = keep_observations(iter([make_recognized(0), make_recognized(1)]), queue)
    next(stage)
    stage.close()
    assert len(queue.take(WAIT_S) or ()) == 1
    assert queue.take(WAIT_S) is None


def test_a_disk_that_is_too_slow_costs_frames_and_neither_time_nor_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = ObservationQueue(waits=False, capacity=2)
    for n in range(6):
        queue.put(numbered(n, ended=(n,)))  # returns although nothing takes
    queue.put(NumberedItem(6, StreamEnd("door", "disconnected", None, 1.0)))
    taken = queue.take(WAIT_S)
    queue.put(numbered(7))
    [after] = queue.take(WAIT_S) or []
    assert taken is not None
    assert [one.number for one in taken] == [0, 1, 6]
    assert queue.dropped == 4
    assert caplog.text.count("too slow") == 1
    assert isinstance(after.item, RecognizedFrame)
    assert after.item.tracked.ended == (2, 3, 4, 5)


def test_a_replay_waits_for_its_writer_and_loses_nothing() -> None:
    queue = ObservationQueue(waits=True, capacity=2)
    taken: list[int] = []

    def take() -> None:
        while (batch := queue.take(WAIT_S)) is not None:
            taken.extend(one.number for one in batch)

    reader = threading.Thread(target=take)
    reader.start()
    for n in range(100):
        queue.put(numbered(n))
    queue.finish()
    reader.join(WAIT_S)
    assert taken == list(range(100))


def test_a_writer_that_fails_ends_the_run_and_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"a file")
    writer = ObservationWriter(tmp_path / "kept", make_run(), LIMITS, tolerant=False)
    queue = ObservationQueue(waits=True, capacity=1)
    queue.put(numbered(0))
    queue.finish()
    with pytest.raises(PipelineError, match="kept"):
        write_observations(queue, writer)
    with pytest.raises(ChannelCancelled):
        queue.put(numbered(1))


def test_a_stage_that_fails_downstream_ends_the_writers_thread(tmp_path: Path) -> None:
    writer = ObservationWriter(tmp_path, make_run(), LIMITS, tolerant=True)
    queue = ObservationQueue(waits=False)

    def failing() -> None:
        for _ in keep_observations(iter([make_recognized(0), make_recognized(1)]), queue):
            raise RuntimeError("decide")

    with pytest.raises(RuntimeError, match="decide"), StageGroup(threading.Event()) as stages:
        stages.run("keep", lambda: write_observations(queue, writer), cancel=queue.finish)
        failing()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_time_of_writing_comes_also_where_no_frame_does(tmp_path: Path) -> None:
    limits = ObservationLimits(flush_s=0.05, max_age_s=1e9, max_bytes=10**9)
    writer = ObservationWriter(tmp_path, make_run(), limits, tolerant=True)
    queue = ObservationQueue(waits=False)
    queue.put(numbered(0))
    thread = threading.Thread(target=write_observations, args=(queue, writer))
    thread.start()
    tried = threading.Event()
    for _ in range(600):
        if list(tmp_path.glob("*.part.parquet")):
            break
        tried.wait(0.1)
    written = list(tmp_path.glob("*.part.parquet"))
    queue.finish()
    thread.join(WAIT_S)
    assert written
