"""Several clip stages over the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from models.skeleton.skeleton_clip import SkeletonClip
from pipeline.stages.several_cuts import cut_for_several
from pipeline.types import (
    ClippedFrame,
    KeyPointClip,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedGroup,
)
from tests.conftest import make_frame, make_tracked

SKELETON = SkeletonClip(np.zeros((1, 2, 17, 3), np.float32), np.zeros((1, 2, 4), np.float32))
GROUP = TrackedGroup(3, (1, 2), np.zeros(4, np.float32))
Items = Iterable[TrackedFrame | StreamEnd]


def cutter(track_id: int, *, groups: bool = False) -> Callable[[Items], Iterator[object]]:
    """A clip stage that cuts one clip at every frame, and may find a group."""

    def cut(items: Items) -> Iterator[ClippedFrame | StreamEnd]:
        for item in items:
            if isinstance(item, StreamEnd):
                yield item
                continue
            subject = Subject.person(track_id)
            clip = KeyPointClip("gate", subject, SKELETON, 0, 1, np.zeros(4, np.float32))
            tracked = replace(item, groups=(GROUP,)) if groups else item
            yield ClippedFrame(tracked, (clip,), 1.0)

    return cut


def test_every_clip_carries_the_number_of_its_recognizer() -> None:
    frames = [make_tracked(make_frame(n), [7, 8]) for n in range(2)]
    items = [*frames, StreamEnd("gate")]
    first, second, end = cut_for_several(items, [cutter(7), cutter(8)])  # type: ignore[list-item]
    assert isinstance(end, StreamEnd)
    for item in (first, second):
        assert isinstance(item, ClippedFrame)
        assert [(one.subject.id, one.recognizer) for one in item.clips] == [(7, 0), (8, 1)]


def test_groups_that_one_of_the_stages_found_are_kept() -> None:
    frame = make_tracked(make_frame(0), [7])
    for cuts in ([cutter(7, groups=True), cutter(7)], [cutter(7), cutter(7, groups=True)]):
        [item] = cut_for_several([frame], cuts)  # type: ignore[arg-type]
        assert isinstance(item, ClippedFrame)
        assert item.tracked.groups == (GROUP,)


def test_the_frames_are_read_in_step() -> None:
    taken = []

    def source() -> Iterator[TrackedFrame]:
        for n in range(3):
            taken.append(n)
            yield make_tracked(make_frame(n), [7])

    cut = cut_for_several(source(), [cutter(7), cutter(8)])  # type: ignore[list-item]
    next(iter(cut))
    assert taken == [0]
