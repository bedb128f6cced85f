"""The recognition stage: clips of all cameras and tracks, scored in micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.types import Clip, ClippedFrame, Prediction, RecognizedFrame, StreamEnd


class ClipScorer(Protocol):
    """What the stage needs of a recognizer."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        """Score clips of uint8 (T, S, S, 3) BGR; float32 (N, num_classes)."""
        ...


def recognize_actions(
    batches: Iterable[Sequence[ClippedFrame | StreamEnd]],
    recognizer: ClipScorer,
    now: Callable[[], float],
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score all clips of a batch of frames in one call; one item per item, in order."""
    for batch in batches:
        clips = [clip for item in batch if isinstance(item, ClippedFrame) for clip in item.clips]
        scores = _rows(recognizer.predict([clip.crops for clip in clips]) if clips else None)
        recognized_at = now()
        for item in batch:
            if isinstance(item, StreamEnd):
                yield item
            else:
                predictions = tuple(_prediction(clip, next(scores)) for clip in item.clips)
                yield RecognizedFrame(item.tracked, predictions, recognized_at)


def _rows(scores: FloatArray | None) -> Iterator[FloatArray]:
    return iter(()) if scores is None else iter(scores)


def _prediction(clip: Clip, scores: FloatArray) -> Prediction:
    return Prediction(clip.track_id, clip.xyxy, scores)
