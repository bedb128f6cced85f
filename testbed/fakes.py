"""Stand-ins for the models: exact, instant, and as stateful as the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.components import Components
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from pipeline.types import Frame, TrackedPerson

LABELS = ("dark", "bright")


class OnePersonDetector:
    """Detect one person in every image, always at the same place."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return one box per image."""
        box = np.array([[10, 8, 30, 40]], np.float32)
        return [Detections(box, np.array([0.9], np.float32)) for _ in images]


class OnePersonTracker:
    """Give that person the track id 1."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Return the one person; no track ends."""
        [box] = detections.xyxy
        return (TrackedPerson(1, box, float(detections.confidence[0])),), ()


class BrightnessRecognizer:
    """Score how bright the newest crop is."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        """Return the probabilities of `LABELS`, float32 (len(clips), 2)."""
        bright = np.array([clip[-1].mean() / 255 for clip in clips], np.float32)
        return np.stack([1 - bright, bright], axis=1)


def fake_components() -> Components:
    """Build components that recognize `LABELS` and need no weights."""
    rules = {label: ActionRule(0.6, 0.4, 0.0, 0.0) for label in LABELS}
    return Components(
        detector=OnePersonDetector(),
        detect_batch=1,
        new_tracker=OnePersonTracker,
        clip_spec=ClipSpec(4, 0.1, crop_size=16, crop_margin=0.25, max_gap_s=0.5),
        recognizer=BrightnessRecognizer(),
        recognize_batch=1,
        model_name="brightness",
        labels=LABELS,
        policy=DecisionPolicy(rules, smoothing_s=0.0, update_interval_s=1.0),
    )
