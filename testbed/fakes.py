"""Stand-ins for the models: exact, instant, and as stateful as the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.components import Components
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.track_decider import ActionRule, DecisionPolicy
from pipeline.types import Frame, TrackedPerson

LABELS = ("dark", "bright")


class OnePersonDetector:
    """Sees one person in every picture."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        box = np.array([[10, 8, 30, 40]], np.float32)
        return [Detections(box, np.array([0.9], np.float32)) for _ in images]


class OnePersonTracker:
    """Calls that person number 1."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        [box] = detections.xyxy
        return (TrackedPerson(1, box, float(detections.confidence[0])),), ()


class BrightnessRecognizer:
    """Scores how bright the newest crop is."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        bright = np.array([clip[-1].mean() / 255 for clip in clips], np.float32)
        return np.stack([1 - bright, bright], axis=1)


def fake_components() -> Components:
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
