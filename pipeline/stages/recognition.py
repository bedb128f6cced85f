"""The recognition stage: score the clips of all cameras and subjects in micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.skeleton.skeleton_clip import SkeletonClip
from pipeline.types import (
    Clip,
    ClippedFrame,
    KeyPointClip,
    Prediction,
    RecognizedFrame,
    SceneClip,
    StreamEnd,
    Subject,
)

Batches = Iterable[Sequence[ClippedFrame | StreamEnd]]


@runtime_checkable
class ClipScorer(Protocol):
    """Interface of a recognizer of crops, of persons and of groups."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        """Score clips.

        Args:
            clips: uint8 (T, S, S, 3) BGR each.

        Returns:
            float32 (N, num_classes) after softmax or sigmoid; a row that is not finite is no
            prediction.
        """
        ...


@runtime_checkable
class SceneScorer(Protocol):
    """Interface of a recognizer of scenes (a network with a RoI head)."""

    def predict_scene(self, frames: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        """Score the people of one scene.

        Args:
            frames: uint8 (T, H, W, 3) BGR.
            xyxy: float32 (N, 4) boxes in the middle frame, pixels of `frames`.

        Returns:
            float32 (N, num_classes) after softmax or sigmoid; a row that is not finite is no
            prediction.
        """
        ...


@runtime_checkable
class SkeletonScorer(Protocol):
    """Interface of a recognizer of key points."""

    def predict(self, clips: Sequence[SkeletonClip]) -> FloatArray:
        """Score clips.

        Args:
            clips: of one person each.

        Returns:
            float32 (N, num_classes) in [0, 1]; a row that is not finite is no prediction.
        """
        ...


@dataclass(frozen=True, slots=True)
class NumberedScorer:
    """One of several recognizers of a run; its number is its place among them."""

    scorer: ClipScorer | SkeletonScorer
    labels: tuple[str, ...]  # of its scores


def recognize_with_several(
    batches: Batches, scorers: Sequence[NumberedScorer], now: Callable[[], float]
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score every clip by the recognizer that it was cut for, one call per recognizer and batch.

    Args:
        batches: clipped frames of any number of cameras, and the ends of cameras.
        scorers: by number.
        now: Unix seconds.

    Yields:
        One item per item of the batches, in order.
    """
    for batch in batches:
        frames = [item for item in batch if isinstance(item, ClippedFrame)]
        clips = [clip for frame in frames for clip in frame.clips]
        rows: dict[int, FloatArray] = {}
        for number, one in enumerate(scorers):
            of_one = [clip for clip in clips if clip.recognizer == number]
            inputs: list[Any] = [_input(clip) for clip in of_one]
            scores = one.scorer.predict(inputs) if inputs else ()
            rows |= {id(clip): row for clip, row in zip(of_one, scores, strict=True)}
        predictions = [
            [
                Prediction(
                    clip.subject,
                    clip.xyxy,
                    rows[id(clip)],
                    scorers[clip.recognizer].labels,
                    clip.recognizer,
                )
                for clip in item.clips
            ]
            if isinstance(item, ClippedFrame)
            else []
            for item in batch
        ]
        yield from _recognized(batch, predictions, now())


def _input(clip: Clip | KeyPointClip) -> NDArray[np.uint8] | SkeletonClip:
    return clip.skeleton if isinstance(clip, KeyPointClip) else clip.crops


def recognize_actions(
    batches: Batches, recognizer: ClipScorer, now: Callable[[], float]
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score all clips of a batch of frames in one recognizer call.

    Args:
        batches: clipped frames of any number of cameras, and the ends of cameras.
        recognizer: called once per batch that holds a clip.
        now: Unix seconds.

    Yields:
        One item per item of the batches, in order.
    """
    for batch in batches:
        clips = [clip for item in batch if isinstance(item, ClippedFrame) for clip in item.clips]
        crops = [clip.crops for clip in clips if isinstance(clip, Clip)]
        scores = iter(recognizer.predict(crops) if crops else ())
        predictions = [
            [Prediction(clip.subject, clip.xyxy, next(scores)) for clip in item.clips]
            if isinstance(item, ClippedFrame)
            else []
            for item in batch
        ]
        yield from _recognized(batch, predictions, now())


def recognize_scenes(
    batches: Batches, recognizer: SceneScorer, now: Callable[[], float]
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Score the people of every scene, one recognizer call per scene.

    Args:
        batches: clipped frames of any number of cameras, and the ends of cameras.
        recognizer: called once per scene.
        now: Unix seconds.

    Yields:
        One item per item of the batches, in order.
    """
    for batch in batches:
        predictions = [
            _scene_predictions(item.scene, recognizer)
            if isinstance(item, ClippedFrame) and item.scene is not None
            else []
            for item in batch
        ]
        yield from _recognized(batch, predictions, now())


def _scene_predictions(scene: SceneClip, recognizer: SceneScorer) -> list[Prediction]:
    scores = recognizer.predict_scene(scene.frames, scene.key_xyxy)
    rows = zip(scene.track_ids, scene.xyxy, scores, strict=True)
    return [Prediction(Subject.person(track_id), xyxy, row) for track_id, xyxy, row in rows]


def _recognized(
    batch: Sequence[ClippedFrame | StreamEnd],
    predictions: Sequence[Sequence[Prediction]],
    recognized_at: float,
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Make the items; a prediction whose scores are not finite is counted, never decided on."""
    for item, of_item in zip(batch, predictions, strict=True):
        if isinstance(item, StreamEnd):
            yield item
            continue
        finite = tuple(one for one in of_item if np.isfinite(one.scores).all())
        unscored = len(of_item) - len(finite)
        yield RecognizedFrame(item.tracked, finite, item.clipped_at, recognized_at, unscored)
