"""One of several recognizers of a run, with the clips that it needs, and what key points need."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from models.pose.factory import build_pose_estimator
from models.skeleton.posture import PostureRecognizer
from models.slowfast.input_spec import InputSpec
from pipeline.config.groups import GroupsConfig
from pipeline.config.schema import ClipConfig, PipelineConfig
from pipeline.errors import ConfigError
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.group_clips import GroupClipSpec, cut_subjects
from pipeline.stages.groups import GroupSpec
from pipeline.stages.key_point_clips import cut_key_points
from pipeline.stages.pose import NoPose, PoseEstimator
from pipeline.stages.recognition import ClipScorer, SkeletonScorer
from pipeline.types import ClippedFrame, StreamEnd, TrackedFrame

POSTURE = "posture"  # rules, no weights
NO_POSE = "none"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecognizerPart:
    """A recognizer of crops or of key points, and how its clips are cut."""

    name: str
    labels: tuple[str, ...]
    group_labels: tuple[str, ...]  # those of a group; all others are of one person
    scorer: ClipScorer | SkeletonScorer
    clip_spec: ClipSpec
    stride_s: float  # seconds between two clips of one person
    group_spec: GroupClipSpec | None = None  # None: no label is a group's

    @property
    def needs_key_points(self) -> bool:
        """Whether it sees key points, not pixels."""
        return self.clip_spec.crop_size == 0

    def cut(
        self, items: Iterable[TrackedFrame | StreamEnd], now: Callable[[], float]
    ) -> Iterable[ClippedFrame | StreamEnd]:
        """Cut its clips; one item per item, in order."""
        if self.needs_key_points:
            return cut_key_points(items, self.clip_spec, now, stride_s=self.stride_s)
        return cut_subjects(items, self.clip_spec, self.group_spec, now, stride_s=self.stride_s)


def build_skeleton_part(config: PipelineConfig) -> RecognizerPart:
    """Build a recognizer of mode skeleton.

    Args:
        config: its `recognizer` and `clip` are this recognizer's.

    Raises:
        ConfigError: if it has no such weights; the message names the key.
    """
    weights = config.recognizer.weights
    if weights != POSTURE:
        raise ConfigError(
            f"recognizer.weights: {weights}, but with mode: skeleton there is {POSTURE} alone"
        )
    recognizer = PostureRecognizer()
    spec = recognizer.spec
    clip_spec = ClipSpec(
        spec.clip_len,
        spec.interval_s,
        crop_size=0,
        crop_margin=0.0,
        max_gap_s=config.clip.max_gap_s,
    )
    log.info("recognizer: %s", recognizer.describe())
    return RecognizerPart(spec.name, spec.labels, (), recognizer, clip_spec, config.clip.stride_s)


def build_pose(config: PipelineConfig, project: Path, device: str) -> PoseEstimator:
    """Load the configured pose network.

    Raises:
        ConfigError: if its weights are missing or are no pose network.
    """
    section, limits = config.pose, config.detector
    if section.weights == NO_POSE:
        return NoPose()
    try:
        estimator = build_pose_estimator(
            section.weights,
            image_size=section.image_size,
            device=device,
            decide_s=limits.download_decide_s,
            limit_s=limits.download_limit_s,
            directories=(project,),
            registry=section.npm_registry.rstrip("/"),
        )
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"pose.weights: {error}") from error
    log.info("key points: %s, %g frames per second at most", estimator.description, section.fps)
    return estimator


def group_clip_spec(spec: InputSpec, section: GroupsConfig) -> GroupClipSpec | None:
    """Return how groups are judged, or None if no label is a group's."""
    if not spec.group_labels:
        return None
    groups = GroupSpec(
        together_s=section.together_s,
        apart_s=section.apart_s,
        reach=section.reach,
        max_groups=section.max_groups,
        max_members=section.max_members,
    )
    return GroupClipSpec(groups, spec.group_margin, section.stride_s)


def crop_clip_spec(spec: InputSpec, section: ClipConfig) -> ClipSpec:
    """Return the time grid and the crop of a person's clip."""
    return ClipSpec(
        clip_len=spec.clip_len,
        interval_s=spec.interval_s,
        crop_size=spec.crop_size,
        crop_margin=spec.crop_margin,
        max_gap_s=section.max_gap_s,
    )
