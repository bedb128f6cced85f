"""The recognition stage: every score reaches the person whose clip or box it was given for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.stages.recognition import recognize_actions, recognize_scenes
from pipeline.types import Clip, ClippedFrame, RecognizedFrame, SceneClip, StreamEnd, Subject
from tests.conftest import make_frame, make_tracked


class LeftEdge:
    """Scores a box by where it begins, a scene by its colour."""

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        return np.stack([xyxy[:, 0], np.full(len(xyxy), frames[0, 0, 0, 0])], axis=1)


def scene_of(camera_id: str, level: int, people: dict[int, float]) -> SceneClip:
    """People by track id, each with the left edge of the box in the middle frame."""
    key_xyxy = np.array([[x, 0, x + 5, 9] for x in people.values()], np.float32)
    frames = np.full((4, 10, 20, 3), level, np.uint8)
    return SceneClip(camera_id, tuple(people), frames, key_xyxy, key_xyxy + 100, 0.0, 1.0)


def clipped(index: int, camera_id: str, scene: SceneClip | None) -> ClippedFrame:
    people = () if scene is None else scene.track_ids
    return ClippedFrame(
        make_tracked(make_frame(index, camera_id=camera_id), people), (), 0.0, scene
    )


def test_scores_go_to_the_people_of_their_scene_with_the_newest_box() -> None:
    batch = [
        clipped(0, "gate", scene_of("gate", 7, {4: 2.0, 9: 6.0})),
        clipped(0, "yard", scene_of("yard", 8, {4: 3.0})),
    ]
    gate, yard = recognize_scenes([batch], LeftEdge(), lambda: 5.0)
    assert isinstance(gate, RecognizedFrame)
    assert isinstance(yard, RecognizedFrame)
    assert [(p.subject.id, *p.scores) for p in gate.predictions] == [(4, 2, 7), (9, 6, 7)]
    assert [p.xyxy[0] for p in gate.predictions] == [102, 106]
    assert [(p.subject.id, *p.scores) for p in yard.predictions] == [(4, 3, 8)]
    assert gate.recognized_at == 5.0


def test_frames_without_a_scene_and_ends_keep_their_place() -> None:
    end = StreamEnd("gate", "failed", "broken")
    items = [
        clipped(0, "gate", None),
        clipped(1, "gate", scene_of("gate", 1, {1: 0.0})),
        end,
        clipped(0, "yard", None),
    ]
    in_one = list(recognize_scenes([items], LeftEdge(), lambda: 5.0))
    one_by_one = list(recognize_scenes([[item] for item in items], LeftEdge(), lambda: 5.0))
    for found in (in_one, one_by_one):
        assert found[2] == end
        frames = [item for item in chain(found[:2], found[3:]) if isinstance(item, RecognizedFrame)]
        assert [item.tracked for item in frames] == [
            item.tracked for item in items if isinstance(item, ClippedFrame)
        ]
        assert [len(item.predictions) for item in frames] == [0, 1, 0]


class MeanLevel:
    """Scores a clip by its mean level, and counts its calls."""

    def __init__(self) -> None:
        self.calls = list[int]()  # number of clips of each call

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        self.calls.append(len(clips))
        return np.array([[clip.mean(), 1.0] for clip in clips], np.float32)


def with_clips(index: int, levels: dict[int, int]) -> ClippedFrame:
    """A frame with a clip of one grey level per track id."""
    clips = tuple(
        Clip(
            "gate",
            Subject.person(track_id),
            np.full((4, 8, 8, 3), level, np.uint8),
            0.0,
            1.0,
            np.full(4, track_id, np.float32),
        )
        for track_id, level in levels.items()
    )
    return ClippedFrame(make_tracked(make_frame(index), tuple(levels)), clips, 0.0)


def test_the_clips_of_a_batch_are_scored_in_one_call_and_return_to_their_people() -> None:
    recognizer = MeanLevel()
    batch = [with_clips(0, {4: 10, 9: 20}), with_clips(1, {}), with_clips(2, {4: 30})]
    items = list(recognize_actions([batch], recognizer, lambda: 5.0))
    assert recognizer.calls == [3]
    found = [
        [(p.subject.id, p.scores[0], p.xyxy[0]) for p in item.predictions]
        for item in items
        if isinstance(item, RecognizedFrame)
    ]
    assert found == [[(4, 10, 4), (9, 20, 9)], [], [(4, 30, 4)]]


def test_a_batch_without_clips_is_no_call_and_ends_keep_their_place() -> None:
    recognizer = MeanLevel()
    end = StreamEnd("gate")
    items = list(recognize_actions([[with_clips(0, {}), end]], recognizer, lambda: 5.0))
    assert recognizer.calls == []
    assert isinstance(items[0], RecognizedFrame)
    assert items[1] is end


class OneBadRow:
    """Scores that are not finite for clips and boxes at level 13."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        levels = np.array([clip.mean() for clip in clips], np.float32)
        return np.stack([np.where(levels == 13, np.nan, levels), levels * 0], axis=1)

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        left = xyxy[:, 0]
        return np.stack([np.where(left == 13, np.inf, left), left * 0], axis=1)


def test_scores_that_are_not_finite_are_counted_and_are_no_prediction() -> None:
    of_clips = recognize_actions([[with_clips(0, {1: 13, 2: 40})]], OneBadRow(), lambda: 5.0)
    scene = clipped(0, "gate", scene_of("gate", 1, {1: 13.0, 2: 40.0}))
    for (item,) in (list(of_clips), list(recognize_scenes([[scene]], OneBadRow(), lambda: 5.0))):
        assert isinstance(item, RecognizedFrame)
        assert [(one.subject.id, *one.scores) for one in item.predictions] == [(2, 40, 0)]
        assert item.unscored == 1
