"""The models of a run, built from the configuration once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from models.checkpoints.checkpoint import CheckpointError, load_recognizer
from models.detectors.appearance import AppearanceEncoder
from models.detectors.factory import build_person_detector
from models.detectors.hog import HogPersonDetector
from models.detectors.yolo import YoloPersonDetector
from models.inference.action_recognizer import ActionRecognizer
from models.inference.device import select_device
from models.inference.scene_recognizer import SceneRecognizer
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.config.schema import (
    ClipConfig,
    DecisionConfig,
    DetectorConfig,
    PipelineConfig,
    RecognizerConfig,
    TrackerConfig,
)
from pipeline.errors import ConfigError
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.deep_sort import DeepSortTracker
from pipeline.stages.detection import PersonDetector
from pipeline.stages.recognition import ClipScorer, SceneScorer
from pipeline.stages.track_decider import ActionRule, DecisionPolicy
from pipeline.stages.tracking import Tracker
from pipeline.stages.ultralytics_trackers import UltralyticsTracker

# Keys of the section `clip` that come with the recognizer unless they are set.
TRAINED_KEYS = {"clip_len", "frame_interval", "target_fps", "crop_size", "crop_margin"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Components:
    """What `app.replay` needs beside files and sinks; a test gives its own."""

    detector: PersonDetector
    detect_batch: int  # frames per detector call
    new_tracker: Callable[[], Tracker]  # one per camera
    clip_spec: ClipSpec
    recognizer: ClipScorer | SceneScorer
    recognize_batch: int  # clips per recognizer call of a live run
    model_name: str
    labels: tuple[str, ...]
    policy: DecisionPolicy


def build_components(
    config: PipelineConfig,
    project: Path,
    *,
    detector: PersonDetector | None = None,
    recognizer: ActionRecognizer | SceneRecognizer | None = None,
) -> Components:
    """Load the models.

    Args:
        config: the whole configuration.
        project: where a relative path is looked for if the current directory does not have it.
        detector: one that is there already; None: the one of the configuration.
        recognizer: the same.

    Raises:
        ConfigError: naming the key whose file, device or label does not fit.
    """
    device = choose_device(config.device)
    if recognizer is None:
        recognizer = build_recognizer(config, project, device)
    if detector is None:
        detector = build_detector(config.detector, project, device)
    return Components(
        detector=detector,
        detect_batch=1 if device == "cpu" else config.detector.batch_size,
        new_tracker=tracker_factory(config.tracker, device),
        clip_spec=_clip_spec(recognizer.spec, config.clip),
        recognizer=recognizer,
        recognize_batch=1 if device == "cpu" else config.recognizer.batch_size,
        model_name=recognizer.spec.name,
        labels=recognizer.labels,
        policy=decision_policy(recognizer.labels, config.decision),
    )


def decision_policy(labels: tuple[str, ...], decision: DecisionConfig) -> DecisionPolicy:
    """One rule per label that is not background.

    Raises:
        ConfigError: if the configuration names a label that the recognizer does not have.
    """
    # The default background class need not exist in a user's own model; a threshold must.
    for action in decision.per_action:
        if action not in labels:
            raise ConfigError(
                f"decision.per_action.{action}: the recognizer has no such label; "
                f"its labels are {', '.join(labels)}"
            )
    rules = {}
    for label in labels:
        if label not in decision.background:
            own = decision.for_action(label)
            rules[label] = ActionRule(
                own.start_threshold, own.end_threshold, own.min_duration_s, own.min_gap_s
            )
    return DecisionPolicy(rules, decision.smoothing_s, decision.update_interval_s)


def choose_device(name: str) -> str:
    """Resolve "auto".

    Raises:
        ConfigError: if there is no such device.
    """
    try:
        return str(select_device(name))
    except ValueError as error:
        raise ConfigError(f"device: {error}") from error


def find_file(path: str, project: Path) -> Path:
    """A relative path of the current directory, else of the project."""
    beside_program = project / path
    return beside_program if not Path(path).exists() and beside_program.exists() else Path(path)


def build_detector(
    section: DetectorConfig, project: Path, device: str
) -> YoloPersonDetector | HogPersonDetector:
    """The person detector of a configuration.

    Raises:
        ConfigError: if its weights are not there or cannot detect people.
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
        )
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"detector.weights: {error}") from error
    log.info("detector: %s", detector.description)
    return detector


def tracker_factory(section: TrackerConfig, device: str) -> Callable[[], Tracker]:
    """What makes the tracker of a camera; the networks in it are shared by all."""
    if section.name != "deepsort":
        return partial(UltralyticsTracker, section.name, max_age=section.max_age)
    return partial(
        DeepSortTracker,
        AppearanceEncoder(input_wh=section.encoder_wh, device=device),
        max_age=section.max_age,
        n_init=section.n_init,
        max_iou_distance=section.max_iou_distance,
        max_cosine_distance=section.max_cosine_distance,
        nn_budget=section.nn_budget,
    )


def build_recognizer(
    config: PipelineConfig, project: Path, device: str
) -> ActionRecognizer | SceneRecognizer:
    """The recognizer of a configuration.

    Raises:
        ConfigError: naming the key whose file or value does not fit.
    """
    section = config.recognizer
    try:
        model = load_recognizer(find_file(section.weights, project))
    except CheckpointError as error:
        raise ConfigError(f"recognizer.weights: {error}") from error
    try:
        own = config.clip.model_dump(include=TRAINED_KEYS, exclude_none=True)
        model.input_spec = replace(model.input_spec, **own)
    except ValueError as error:
        raise ConfigError(f"clip: {error}") from error
    _check_mode(model, section.mode)
    try:
        recognizer = _ready(model, section, device)
    except ValueError as error:
        raise ConfigError(f"recognizer: {error}") from error
    log.info("recognizer: %s", recognizer.describe())
    return recognizer


def _check_mode(model: Recognizer3D, mode: str) -> None:
    fitting = "scene" if model.architecture.head == "roi" else "crop"
    if mode != fitting:
        has = "a" if fitting == "scene" else "no"
        raise ConfigError(
            f"recognizer.mode: {mode}, but {model.input_spec.name} has {has} RoI head; "
            f"set recognizer.mode={fitting}, or other weights"
        )


def _ready(
    model: Recognizer3D, section: RecognizerConfig, device: str
) -> ActionRecognizer | SceneRecognizer:
    cache_dir = Path.home() / ".cache/behaviour-stream/openvino"
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


def _clip_spec(spec: InputSpec, section: ClipConfig) -> ClipSpec:
    return ClipSpec(
        clip_len=spec.clip_len,
        interval_s=spec.interval_s,
        crop_size=spec.crop_size,
        crop_margin=spec.crop_margin,
        max_gap_s=section.max_gap_s,
    )
