"""Build the models of a run from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from models.cache_folder import cache_folder
from models.checkpoints.checkpoint import CheckpointError
from models.checkpoints.label_sets import LABEL_SETS, NO_NAMES
from models.detectors.factory import build_person_detector
from models.detectors.hog import HogPersonDetector
from models.detectors.yolo import UnknownClassError, YoloPersonDetector
from models.inference.action_recognizer import ActionRecognizer
from models.inference.device import select_device
from models.inference.scene_recognizer import SceneRecognizer
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import ARCHITECTURES
from pipeline.camera_settings import KnownActions, check_rule_actions
from pipeline.config.network import ModelConfig
from pipeline.config.schema import DetectorConfig, PipelineConfig, RecognizerConfig
from pipeline.config.shipped_files import find_file
from pipeline.default_thresholds import decision_policy, describe_rules, merged_defaults
from pipeline.errors import ConfigError
from pipeline.recognizer_parts import (
    RecognizerPart,
    build_pose,
    build_skeleton_part,
    crop_clip_spec,
    group_clip_spec,
)
from pipeline.recognizer_weights import load_named_recognizer
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.detection import PersonDetector
from pipeline.stages.group_clips import GroupClipSpec
from pipeline.stages.pose import PoseEstimator
from pipeline.stages.reattachment import ReattachSpec
from pipeline.stages.recognition import ClipScorer, SceneScorer
from pipeline.stages.subject_decider import DecisionPolicy
from pipeline.stages.tracking import Tracker
from pipeline.tracker_parts import reattach_spec, tracker_factory

# Keys of the section `clip` whose defaults are those the recognizer was trained with.
TRAINED_KEYS = {"clip_len", "frame_interval", "target_fps", "crop_size", "crop_margin"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Components:
    """Models and settings of the stages; a test passes fakes."""

    detector: PersonDetector
    detect_batch: int  # frames per detector call
    new_tracker: Callable[[], Tracker]  # one per camera
    clip_spec: ClipSpec
    recognizer: ClipScorer | SceneScorer  # unused where there are `parts`
    recognize_batch: int  # clips per recognizer call of a live run
    model_name: str
    labels: tuple[str, ...]
    policy: DecisionPolicy
    stride_s: float = 0.5  # seconds between two clips of one person
    default_decision: DefaultDecision | None = None  # of the weights; part of the policy already
    reattach: ReattachSpec = field(default_factory=ReattachSpec)  # of lost people
    group_spec: GroupClipSpec | None = None  # None: no label is a group's, so no groups are formed
    parts: tuple[RecognizerPart, ...] = ()  # all recognizers, if they are several or see key points
    pose: PoseEstimator | None = None  # None: no recognizer needs key points

    @property
    def known(self) -> KnownActions:
        """What the recognizers know of actions."""
        groups, fresh_s = self.policy.group_actions, self.policy.fresh_s
        return KnownActions(self.labels, groups, fresh_s, self.default_decision)


def build_components(
    config: PipelineConfig,
    project: Path,
    *,
    detector: PersonDetector | None = None,
    recognizer: ActionRecognizer | SceneRecognizer | None = None,
) -> Components:
    """Load the models and derive the settings of the stages.

    Args:
        config: the whole configuration.
        project: folder in which a relative path is searched after the current directory.
        detector: a loaded detector to use; None: load the configured one.
        recognizer: a loaded recognizer to use; None: load the configured one.

    Raises:
        ConfigError: if a file, device or label is invalid; the message names the key.
    """
    device = choose_device(config.device)
    # What takes longest comes last: a recognizer is exported to OpenVINO at its first run.
    if recognizer is None:
        each = config.of_each_recognizer()
        if len(each) > 1 or each[0].recognizer.mode == "skeleton":
            return _components_of_several(config, each, project, device, detector)
        config = each[0]
        model = load_model(config, project)
        spec, defaults = model.input_spec, model.default_decision
    else:
        spec, defaults = recognizer.spec, recognizer.default_decision
    policy = decision_policy(spec.labels, config.decision, defaults)
    policy = replace(policy, group_actions=frozenset(spec.group_labels))
    check_rule_actions(config, spec.labels, spec.group_labels)
    if defaults is not None:
        log.info("%s", describe_rules(policy, config.decision, defaults))
    if detector is None:
        detector = build_detector(config.detector, project, device)
    if recognizer is None:
        recognizer = prepare_recognizer(model, config.recognizer, device)
    return Components(
        detector=detector,
        detect_batch=1 if device == "cpu" else config.detector.batch_size,
        new_tracker=tracker_factory(config.tracker, device),
        reattach=reattach_spec(config.tracker),
        clip_spec=crop_clip_spec(spec, config.clip),
        recognizer=recognizer,
        recognize_batch=1 if device == "cpu" else config.recognizer.batch_size,
        model_name=spec.name,
        labels=spec.labels,
        policy=policy,
        stride_s=config.clip.stride_s,
        default_decision=defaults,
        group_spec=group_clip_spec(spec, config.groups),
    )


def _components_of_several(
    config: PipelineConfig,
    each: Sequence[PipelineConfig],
    project: Path,
    device: str,
    detector: PersonDetector | None,
) -> Components:
    if any(one.recognizer.mode == "scene" for one in each):
        raise ConfigError("recognizers: mode: scene is possible for a single recognizer only")
    # Mistakes first, then what is downloaded, then what is exported.
    skeletons: dict[int, RecognizerPart] = {}
    models: list[Recognizer3D | None] = []
    for number, one in enumerate(each):
        with _entry_named(number):
            if one.recognizer.mode == "skeleton":
                skeletons[number] = build_skeleton_part(one)
            models.append(None if number in skeletons else load_model(one, project))
    pose = build_pose(config, project, device) if skeletons else None
    if detector is None:
        detector = build_detector(config.detector, project, device)
    parts = tuple(
        skeletons[n] if model is None else _crop_part(model, one, device)
        for n, (one, model) in enumerate(zip(each, models, strict=True))
    )
    labels = tuple(dict.fromkeys(label for part in parts for label in part.labels))
    defaults = merged_defaults(model.default_decision for model in models if model is not None)
    policy = replace(
        decision_policy(labels, config.decision, defaults),
        group_actions=frozenset(label for part in parts for label in part.group_labels),
        fresh_s=2 * max(part.stride_s for part in parts),  # one clip may be missing
    )
    check_rule_actions(config, labels, policy.group_actions)
    if defaults is not None:
        log.info("%s", describe_rules(policy, config.decision, defaults))
    return Components(
        detector=detector,
        detect_batch=1 if device == "cpu" else config.detector.batch_size,
        new_tracker=tracker_factory(config.tracker, device),
        reattach=reattach_spec(config.tracker),
        clip_spec=parts[0].clip_spec,
        recognizer=cast(ClipScorer, parts[0].scorer),
        recognize_batch=1 if device == "cpu" else config.recognizer.batch_size,
        model_name="+".join(part.name for part in parts),
        labels=labels,
        policy=policy,
        stride_s=max(part.stride_s for part in parts),
        default_decision=defaults,
        parts=parts,
        pose=pose,
    )


@contextmanager
def _entry_named(number: int) -> Iterator[None]:
    """Name the entry of the list in what is wrong with it, as the configuration counts."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"recognizers.{number}: {error}") from error


def _crop_part(model: Recognizer3D, config: PipelineConfig, device: str) -> RecognizerPart:
    spec = model.input_spec
    scorer = prepare_recognizer(model, config.recognizer, device)
    assert isinstance(scorer, ActionRecognizer), "scenes are refused before"
    return RecognizerPart(
        spec.name,
        spec.labels,
        spec.group_labels,
        scorer,
        crop_clip_spec(spec, config.clip),
        config.clip.stride_s,
        group_clip_spec(spec, config.groups),
    )


def choose_device(name: str) -> str:
    """Resolve the configured device.

    Args:
        name: "auto", "cpu" or "cuda[:N]".

    Raises:
        ConfigError: if the device does not exist.
    """
    try:
        return str(select_device(name))
    except ValueError as error:
        raise ConfigError(f"device: {error}") from error


def build_detector(
    section: DetectorConfig, project: Path, device: str
) -> YoloPersonDetector | HogPersonDetector:
    """Load the configured person detector.

    Raises:
        ConfigError: if its weights are missing or cannot detect people.
    """
    try:
        detector = build_person_detector(
            section.weights,
            confidence=section.confidence,
            iou=section.iou,
            image_size=section.image_size,
            batch_size=section.batch_size,
            device=device,
            decide_s=section.download_decide_s,
            limit_s=section.download_limit_s,
            directories=(project,),
            person_class=section.person_class,
            sha256=section.sha256,
        )
    except UnknownClassError as error:
        raise ConfigError(f"detector.person_class: {error}") from error
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"detector.weights: {error}") from error
    log.info("detector: %s", detector.description)
    return detector


def untrained_recognizer(config: ModelConfig) -> Recognizer3D:
    """Build the network of a file of configs/recognizer.

    Raises:
        ConfigError: naming the key that does not go with the architecture.
    """
    build = ARCHITECTURES.get(config.architecture)
    if build is None:
        raise ConfigError(
            f"architecture: there is no {config.architecture}; there are {', '.join(ARCHITECTURES)}"
        )
    head = config.cls_head
    if head.num_classes not in (None, config.num_classes):
        raise ConfigError(
            f"cls_head.num_classes: {head.num_classes}, but num_classes is {config.num_classes}"
        )
    model = build(config.num_classes)
    given = sum(model.backbone.out_channels)
    if head.in_channels != given:
        raise ConfigError(
            f"cls_head.in_channels: {head.in_channels}, but {config.architecture} gives {given}"
        )
    spec = replace(model.input_spec, multi_label=config.multi_label)
    try:
        architecture = replace(model.architecture, spatial_type=head.spatial_type)
    except ValueError as error:
        raise ConfigError(f"cls_head.spatial_type: {error}") from error
    return Recognizer3D(architecture, spec, dropout_ratio=head.dropout_ratio)


def build_recognizer(
    config: PipelineConfig, project: Path, device: str
) -> ActionRecognizer | SceneRecognizer:
    """Load the configured recognizer.

    Raises:
        ConfigError: if a file or value is invalid; the message names the key.
    """
    return prepare_recognizer(load_model(config, project), config.recognizer, device)


def load_model(config: PipelineConfig, project: Path) -> Recognizer3D:
    """Read the weights of the configured recognizer, and give it the configured input.

    Raises:
        ConfigError: if a file or value is invalid; the message names the key.
    """
    section = config.recognizer
    try:
        model = load_named_recognizer(
            section.weights,
            project,
            state_dict=section.state_dict,
            labels=_label_source(section.labels, project),
        )
    except (CheckpointError, ConfigError) as error:
        raise ConfigError(f"recognizer.weights: {error}") from error
    try:
        overrides = config.clip.model_dump(include=TRAINED_KEYS, exclude_none=True)
        model.input_spec = replace(model.input_spec, **overrides)
    except ValueError as error:
        raise ConfigError(f"clip: {error}") from error
    _check_mode(model, section.mode)
    return model


def prepare_recognizer(
    model: Recognizer3D, section: RecognizerConfig, device: str
) -> ActionRecognizer | SceneRecognizer:
    """Compile a model for this machine.

    Raises:
        ConfigError: if the machine cannot compute it as configured; the message names the key.
    """
    try:
        recognizer = _prepare(model, section, device)
    except ValueError as error:
        raise ConfigError(f"recognizer: {error}") from error
    log.info("recognizer: %s", recognizer.describe())
    return recognizer


def _label_source(labels: str | None, project: Path) -> str | None:
    """Find a file of labels as other files of the configuration are found."""
    if labels is None or labels in LABEL_SETS or labels == NO_NAMES:
        return labels
    return str(find_file(labels, project))


def _check_mode(model: Recognizer3D, mode: str) -> None:
    required = "scene" if model.architecture.head == "roi" else "crop"
    if mode != required:
        has = "a" if required == "scene" else "no"
        raise ConfigError(
            f"recognizer.mode: {mode}, but {model.input_spec.name} has {has} RoI head; "
            f"set recognizer.mode={required}, or other weights"
        )
    if mode == "scene" and model.input_spec.group_labels:
        raise ConfigError(
            f"recognizer.mode: scene judges persons alone, but {model.input_spec.name} has labels "
            f"of groups ({', '.join(model.input_spec.group_labels)}); use other weights"
        )


def _prepare(
    model: Recognizer3D, section: RecognizerConfig, device: str
) -> ActionRecognizer | SceneRecognizer:
    cache_dir = cache_folder() / "openvino"
    if section.mode == "scene":
        return SceneRecognizer(
            model,
            device=device,
            precision=section.precision,
            backend=section.backend,
            cache_dir=cache_dir,
        )
    return ActionRecognizer(
        model,
        device=device,
        precision=section.precision,
        batch_size=section.batch_size,
        backend=section.backend,
        cache_dir=cache_dir,
    )
