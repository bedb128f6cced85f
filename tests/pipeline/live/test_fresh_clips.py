from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.live.fresh_clips import MOST_CLIPS, FreshClips, Item
from pipeline.runtime.channel import ChannelCancelled
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import Snapshot
from pipeline.types import Clip, ClippedFrame, SceneClip, StreamEnd, Subject
from testbed.clock import Clock
from tests.conftest import make_frame, make_tracked

NOW = 2000.0
BOX = np.array([10, 8, 30, 40], np.float32)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def status() -> RunStatus:
    return RunStatus()


@pytest.fixture
def clips(status: RunStatus, clock: Clock) -> FreshClips:
    return FreshClips(1.0, status, clock)


def clipped(
    index: int, clips: int = 0, *, scene: bool = False, at: float = NOW, camera_id: str = "gate"
) -> ClippedFrame:
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    tracked = make_tracked(make_frame(index, camera_id=camera_id), ended=(index,))
    own = tuple(Clip(camera_id, Subject.person(one), pixels, 0.0, 1.0, BOX) for one in range(clips))
    whole = SceneClip(camera_id, (1,), pixels, BOX[None], BOX[None], 0.0, 1.0) if scene else None
    return ClippedFrame(tracked, own, at, whole)


def shown(batch: list[ClippedFrame | StreamEnd]) -> list[str]:
    """Index and number of clips of each frame."""
    return [
        item.reason
        if isinstance(item, StreamEnd)
        else f"{item.tracked.frame.index}: {len(item.clips) + (item.scene is not None)}"
        for item in batch
    ]


def snapshot_of(status: RunStatus) -> Snapshot:
    return status.snapshot()


def test_everything_comes_out_in_order(clips: FreshClips) -> None:
    items: list[Item] = [
        clipped(0, 1),
        clipped(1),
        StreamEnd("gate"),
        clipped(2, 2),
        clipped(3, scene=True),
    ]
    for item in items:
        clips.put(item)
    clips.finish()
    assert [item for batch in clips.batches(2) for item in batch] == items


def test_a_batch_has_no_more_clips_than_the_recognizer_takes(clips: FreshClips) -> None:
    for index, count in enumerate([1, 0, 2, 1, 0, 3]):
        clips.put(clipped(index, count))
    clips.finish()
    assert [shown(batch) for batch in clips.batches(3)] == [
        ["0: 1", "1: 0", "2: 2"],
        ["3: 1", "4: 0"],
        ["5: 3"],
    ]


def test_the_clips_of_a_frame_stay_together(clips: FreshClips) -> None:
    clips.put(clipped(0, 1))
    clips.put(clipped(1, 20))
    clips.put(clipped(2, 1))
    clips.finish()
    assert [shown(batch) for batch in clips.batches(4)] == [["0: 1"], ["1: 20"], ["2: 1"]]


def test_a_scene_counts_as_a_clip(clips: FreshClips, status: RunStatus) -> None:
    for index in range(3):
        clips.put(clipped(index, scene=True))
    assert len(clips) == 3
    clips.finish()
    assert [shown(batch) for batch in clips.batches(2)] == [["0: 1", "1: 1"], ["2: 1"]]
    assert snapshot_of(status).recognize_batch == 1.5


def test_frames_without_clips_do_not_fill_a_batch(clips: FreshClips) -> None:
    for index in range(100):
        clips.put(clipped(index))
    assert len(clips) == 0
    assert len(next(clips.batches(1))) == 100


def test_clips_that_became_old_are_taken_off_and_their_frame_stays(
    clips: FreshClips, status: RunStatus, clock: Clock
) -> None:
    clips.put(clipped(0, 2, at=NOW))
    clips.put(clipped(1, 0, at=NOW))
    clips.put(clipped(2, 1, at=NOW + 3.0))
    clock.now = NOW + 3.5
    batch = next(clips.batches(8))
    assert shown(batch) == ["0: 0", "1: 0", "2: 1"]
    first = batch[0]
    assert isinstance(first, ClippedFrame)
    assert first.tracked.ended == (0,)
    assert first.clipped_at == NOW
    assert snapshot_of(status).dropped_clips == 2
    assert snapshot_of(status).recognize_batch == 1.0


def test_a_scene_that_became_old_is_taken_off_too(
    clips: FreshClips, status: RunStatus, clock: Clock
) -> None:
    clips.put(clipped(0, scene=True))
    clock.now = NOW + 1.1
    [item] = next(clips.batches(8))
    assert isinstance(item, ClippedFrame)
    assert item.scene is None
    assert snapshot_of(status).dropped_clips == 1


def test_clips_that_waited_just_as_long_as_they_may_are_processed(
    clips: FreshClips, status: RunStatus, clock: Clock
) -> None:
    clips.put(clipped(0, 1))
    clock.now = NOW + 1.0
    assert shown(next(clips.batches(8))) == ["0: 1"]
    assert snapshot_of(status).dropped_clips == 0


def test_old_clips_do_not_count_for_the_batch(clips: FreshClips, clock: Clock) -> None:
    for index in range(10):
        clips.put(clipped(index, 3))
    clips.put(clipped(10, 2, at=NOW + 5.0))
    clock.now = NOW + 5.0
    assert len(next(clips.batches(2))) == 11


def test_a_clip_that_became_old_is_counted_once(
    clips: FreshClips, status: RunStatus, clock: Clock
) -> None:
    """Our clock was set back while they were cut."""
    clips.put(clipped(0, 5, at=NOW + 10.0))
    clips.put(clipped(1, 2, at=NOW))
    clips.finish()
    clock.now = NOW + 10.0
    assert [line for batch in clips.batches(3) for line in shown(batch)] == ["0: 5", "1: 0"]
    assert snapshot_of(status).dropped_clips == 2


def test_a_full_batch_takes_along_what_costs_nothing(clips: FreshClips) -> None:
    for item in (clipped(0, 20), clipped(1), StreamEnd("gate"), clipped(2, 1)):
        clips.put(item)
    assert shown(next(clips.batches(4))) == ["0: 20", "1: 0", "stream_ended"]


def test_finishing_drains_what_is_there(clips: FreshClips) -> None:
    clips.put(clipped(0, 1))
    clips.finish()
    assert [shown(batch) for batch in clips.batches(8)] == [["0: 1"]]


def test_the_consumer_waits_for_what_comes_later(clips: FreshClips) -> None:
    received = list[str]()

    def take() -> None:
        for batch in clips.batches(8):
            received.extend(shown(batch))

    consumer = threading.Thread(target=take)
    consumer.start()
    for index in range(50):
        clips.put(clipped(index, 1))
    clips.finish()
    consumer.join()
    assert received == [f"{index}: 1" for index in range(50)]


def test_cancelling_wakes_the_consumer_drops_all_and_refuses_more(clips: FreshClips) -> None:
    consumer = threading.Thread(target=lambda: list(clips.batches(8)))
    consumer.start()
    clips.cancel()
    consumer.join()
    with pytest.raises(ChannelCancelled):
        clips.put(clipped(0, 1))


def test_cancelling_drops_what_waits(clips: FreshClips) -> None:
    clips.put(clipped(0, 1))
    clips.cancel()
    assert len(clips) == 0
    assert list(clips.batches(8)) == []


def test_the_consumer_is_busy_from_a_batch_until_it_asks_for_the_next(
    clips: FreshClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.fresh_clips.time", SimpleNamespace(monotonic=lambda: 77.0))
    batches = clips.batches(8)
    clips.put(clipped(0))
    next(batches)
    assert clips.busy_since == 77.0
    clips.finish()
    assert list(batches) == []
    assert clips.busy_since is None


def test_a_recognizer_that_hangs_does_not_make_the_clips_pile_up() -> None:
    status = RunStatus()
    queue = FreshClips(1.0, status)
    for index in range(MOST_CLIPS + 50):
        queue.put(clipped(index, clips=1))
    assert len(queue) == MOST_CLIPS
