"""Images that wait for the decision on their frame."""

from __future__ import annotations

import numpy as np

from pipeline.evidence.frame_store import FrameStore
from pipeline.types import Clip, ClippedFrame, Frame, StreamEnd, Subject, TrackedFrame

BYTES = 4 * 4 * 3


def clipped(index: int, camera_id: str = "gate", *, clips: int = 1) -> ClippedFrame:
    image = np.full((4, 4, 3), index, np.uint8)
    frame = Frame(camera_id, index, index / 10, 0.0, image, 0.0)
    clip = Clip(
        camera_id, Subject.person(1), np.zeros((1, 2, 2, 3), np.uint8), 0.0, 1.0,
        np.zeros(4, np.float32),
    )  # fmt: skip
    return ClippedFrame(TrackedFrame(frame, (), (), 0.0, 0.0), (clip,) * clips, 0.0)


def test_a_frame_is_taken_once_and_releases_the_older_ones_of_its_camera() -> None:
    store = FrameStore(None, every_frame=False)
    items = [clipped(0), clipped(1), clipped(1, "yard"), StreamEnd("gate"), clipped(2)]
    assert list(store.keep(items)) == items
    image = store.take("gate", 1)
    assert image is not None
    assert int(image[0, 0, 0]) == 1
    assert store.take("gate", 1) is None
    assert len(store) == 2


def test_frames_without_a_clip_are_kept_only_where_they_may_be_decided_on() -> None:
    for every_frame in (False, True):
        store = FrameStore(None, every_frame=every_frame)
        list(store.keep([clipped(0, clips=0)]))
        assert len(store) == every_frame


def test_the_memory_is_bounded_and_the_oldest_goes() -> None:
    store = FrameStore(2 * BYTES, every_frame=False)
    list(store.keep(clipped(index) for index in range(5)))
    assert len(store) == 2
    assert store.take("gate", 2) is None
    assert store.take("gate", 4) is not None


def test_a_frame_of_a_camera_that_was_removed_and_added_again_replaces_the_older_one() -> None:
    size = clipped(0).tracked.frame.image.nbytes
    store = FrameStore(2 * size, every_frame=False)
    for _ in range(3):
        list(store.keep([clipped(7)]))
    list(store.keep([clipped(8)]))
    assert len(store) == 2
