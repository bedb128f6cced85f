"""The recognition stage: clips of all cameras and tracks, scored in micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.types import ClippedFrame, Prediction, RecognizedFrame, SceneClip, StreamEnd

Batches = Iterable[Sequence[ClippedFrame | StreamEnd]]


@runtime_checkable
class ClipScorer(Protocol):
    """What the stage needs of a recognizer of people's own clips."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        """Score clips of uint8 (T, S, S, 3) BGR; float32 (N, num_classes)."""
        ...


@runtime_checkable
class SceneScorer(Protocol):
    """What the stage needs of a recognizer of scenes."""

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        """Score (N, 4) boxes in uint8 (T, H, W, 3) BGR; float32 (N, num_classes)."""
        ...


def recognize_actions(
    batches: Batches, recognizer: ClipScorer, now: Callable[[], float]
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score all clips of a batch of frames in one call; one item per item, in order."""
    for batch in batches:
        clips = [clip for item in batch if isinstance(item, ClippedFrame) for clip in item.clips]
        scores = iter(recognizer.predict([clip.crops for clip in clips]) if clips else ())
        predictions = [
            tuple(Prediction(clip.track_id, clip.xyxy, next(scores)) for clip in item.clips)
            if isinstance(item, ClippedFrame)
            else ()
            for item in batch
        ]
        yield from _recognized(batch, predictions, now())


def recognize_scenes(
    batches: Batches, recognizer: SceneScorer, now: Callable[[], float]
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score the people of every scene in one call per scene; one item per item, in order."""
    for batch in batches:
        predictions = [
            _scene_predictions(item.scene, recognizer)
            if isinstance(item, ClippedFrame) and item.scene is not None
            else ()
            for item in batch
        ]
        yield from _recognized(batch, predictions, now())


def _scene_predictions(scene: SceneClip, recognizer: SceneScorer) -> tuple[Prediction, ...]:
    scores = recognizer.predict_scene(scene.frames, scene.key_xyxy)
    rows = zip(scene.track_ids, scene.xyxy, scores, strict=True)
    return tuple(Prediction(track_id, xyxy, row) for track_id, xyxy, row in rows)


def _recognized(
    batch: Sequence[ClippedFrame | StreamEnd],
    predictions: Sequence[tuple[Prediction, ...]],
    recognized_at: float,
) -> Iterator[RecognizedFrame | StreamEnd]:
    for item, of_item in zip(batch, predictions, strict=True):
        if isinstance(item, StreamEnd):
            yield item
        else:
            yield RecognizedFrame(item.tracked, of_item, item.clipped_at, recognized_at)
