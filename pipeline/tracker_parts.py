"""The tracker of a run, and what makes a new track the same person again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from models.detectors.appearance import (
    SAME_PERSON_DISTANCE,
    appearance_encoder,
    max_cosine_distance,
)
from pipeline.config.schema import TrackerConfig
from pipeline.stages.continuation import Likeness
from pipeline.stages.deep_sort import DeepSortTracker
from pipeline.stages.reattachment import ReattachSpec
from pipeline.stages.tracking import Tracker
from pipeline.stages.ultralytics_trackers import UltralyticsTracker


def tracker_factory(section: TrackerConfig, device: str) -> Callable[[], Tracker]:
    """Return a function that makes a camera's tracker; all trackers share one appearance model."""
    if section.name != "deepsort":
        return partial(UltralyticsTracker, section.name, max_age=section.max_age)
    return partial(
        DeepSortTracker,
        appearance_encoder(section.appearance, mobilenet_wh=section.encoder_wh, device=device),
        max_age=section.max_age,
        n_init=section.n_init,
        max_iou_distance=section.max_iou_distance,
        max_cosine_distance=max_cosine_distance(section.appearance, section.max_cosine_distance),
        nn_budget=section.nn_budget,
    )


def reattach_spec(section: TrackerConfig) -> ReattachSpec:
    """Return for how long lost people are waited for, and what must be alike."""
    likeness = Likeness(feature_distance=SAME_PERSON_DISTANCE[section.appearance])
    return ReattachSpec(section.reattach_s, likeness)
