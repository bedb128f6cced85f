"""Types that the stages pass on, in the order of the stages.

Every type is frozen; those that hold arrays compare by identity. One frame travels as `Frame`,
`DetectedFrame`, `TrackedFrame`, `ClippedFrame`, `RecognizedFrame`, `DecidedFrame`; when a camera
has no more frames, one `StreamEnd` follows its last frame through the same stages, so that
tracks are released and open actions are closed in order. A live camera may reconnect after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from pipeline.events import DownReason, Event

if TYPE_CHECKING:  # the command `flush` imports this module where numpy is not installed
    import numpy as np
    from numpy.typing import NDArray

    from models.boxes import FloatArray
    from models.detections import Detections
    from models.skeleton.skeleton_clip import SkeletonClip

Image: TypeAlias = "NDArray[np.uint8]"
SubjectKind = Literal["person", "group"]
SubjectKey: TypeAlias = tuple[SubjectKind, int]  # kind and id


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose action it is: one person's, or one group's."""

    kind: SubjectKind
    id: int  # track id of a person, group id of a group
    members: tuple[int, ...] = ()  # track ids of a group, sorted, as they are now; of a person: ()

    @property
    def key(self) -> SubjectKey:
        """What stays the same while the members of a group change."""
        return self.kind, self.id

    @classmethod
    def person(cls, track_id: int) -> Subject:
        """Return the subject of a person's actions."""
        return cls("person", track_id)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame of a camera."""

    camera_id: str
    index: int  # 0-based count of this camera's decoded frames in this run; a gap: dropped frames
    pts_s: float  # presentation time, seconds on the source's clock, strictly increasing
    captured_at: float  # Unix seconds (UTC); of a file: when it was decoded
    image: Image  # uint8 (H, W, 3) BGR
    decoded_at: float  # Unix seconds
    recorded_at: float | None = None  # Unix seconds; of a recording whose time is known

    @property
    def seen_at(self) -> float:
        """Unix seconds at which the camera saw it, as far as that is known."""
        return self.captured_at if self.recorded_at is None else self.recorded_at

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    def without_pixels(self) -> Frame:
        """Return the frame with an image of the same shape that occupies no memory."""
        import numpy as np  # not above, see there

        return replace(self, image=np.broadcast_to(np.uint8(0), self.image.shape))


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of a camera's frames: final, or until a live camera reconnects."""

    camera_id: str
    reason: DownReason = "stream_ended"
    error: str | None = None  # human-readable cause
    at: float | None = None  # Unix seconds, of one that comes back; None: at its last frame

    @property
    def is_final(self) -> bool:
        """Whether no frame of this camera follows."""
        return self.at is None


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFrame:
    """A frame and the people detected in it."""

    frame: Frame
    detections: Detections
    detected_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPerson:
    """One confirmed track that was detected in this frame."""

    track_id: int  # unique in (camera_id, run), never reused; the first one that the person had
    xyxy: FloatArray  # float32 (4,) pixels, inside the image
    confidence: float
    key_points: FloatArray | None = (
        None  # float32 (17, 3) x, y in pixels, confidence; of some frames
    )
    track_ids: tuple[int, ...] = ()  # all that the person had, the newest last; (): track_id alone
    feature: FloatArray | None = None  # float32 (D,) of unit length, between tracker and handover


@dataclass(frozen=True, slots=True, eq=False)
class TrackedGroup:
    """People who are close to each other for a while, in one frame."""

    group_id: int  # unique in (camera_id, run), never reused
    members: tuple[int, ...]  # track ids, sorted; one may be missing in this frame
    xyxy: FloatArray  # float32 (4,) pixels, around the newest boxes of all members

    @property
    def subject(self) -> Subject:
        """The subject of the group's actions."""
        return Subject("group", self.group_id, self.members)


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame, its tracked people and their groups, and the tracks and groups that ended at it."""

    frame: Frame
    people: tuple[TrackedPerson, ...]
    ended: tuple[int, ...]  # track ids that were deleted at this frame
    detected_at: float  # Unix seconds
    tracked_at: float  # Unix seconds
    groups: tuple[TrackedGroup, ...] = ()  # sorted by id; empty where no groups are judged
    ended_groups: tuple[int, ...] = ()  # ids of groups that ceased at this frame


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The recognizer's input for one subject: `clip_len` crops on a regular time grid."""

    camera_id: str
    subject: Subject
    crops: NDArray[np.uint8]  # uint8 (T, S, S, 3) BGR
    start_pts_s: float  # of the first grid point
    end_pts_s: float  # of the newest frame
    xyxy: FloatArray  # float32 (4,) box of the person, or around the group, in the newest frame
    recognizer: int = 0  # number of the recognizer that scores it


@dataclass(frozen=True, slots=True, eq=False)
class KeyPointClip:
    """The skeleton recognizer's input for one person, on a regular time grid."""

    camera_id: str
    subject: Subject
    skeleton: SkeletonClip
    start_pts_s: float  # of the first grid point
    end_pts_s: float  # of the newest frame
    xyxy: FloatArray  # float32 (4,) box of the person in the newest frame
    recognizer: int = 0  # number of the recognizer that scores it


@dataclass(frozen=True, slots=True, eq=False)
class SceneClip:
    """The recognizer's input for a scene: `clip_len` frames and the boxes of its people."""

    camera_id: str
    track_ids: tuple[int, ...]  # of the N people
    frames: NDArray[np.uint8]  # uint8 (T, H, W, 3) BGR, resized
    key_xyxy: FloatArray  # float32 (N, 4) boxes in the middle frame, pixels of `frames`
    xyxy: FloatArray  # float32 (N, 4) boxes in the newest frame, pixels of the original image
    start_pts_s: float  # of the first grid point
    end_pts_s: float  # of the newest frame


@dataclass(frozen=True, slots=True, eq=False)
class ClippedFrame:
    """A tracked frame and the clips due at it: of persons and groups, or one of the scene."""

    tracked: TrackedFrame
    clips: tuple[Clip | KeyPointClip, ...]
    clipped_at: float  # Unix seconds
    scene: SceneClip | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The recognizer's scores for one clip; the pixels are released."""

    subject: Subject
    xyxy: FloatArray  # float32 (4,) box of the subject in the clip's newest frame
    scores: FloatArray  # float32 (num_classes,) after softmax or sigmoid
    labels: tuple[str, ...] | None = None  # of the scores; None: all labels of the run
    recognizer: int = 0  # number of the recognizer among those of the run


@dataclass(frozen=True, slots=True, eq=False)
class RecognizedFrame:
    """A tracked frame and the predictions of its clips."""

    tracked: TrackedFrame
    predictions: tuple[Prediction, ...]
    clipped_at: float  # Unix seconds
    recognized_at: float  # Unix seconds
    unscored: int = 0  # clips without a prediction: their scores were not finite


@dataclass(frozen=True, slots=True)
class BestScore:
    """The highest score of an action that may start."""

    action: str
    score: float
    start_threshold: float  # smoothed score at which it starts


@dataclass(frozen=True, slots=True)
class ZoneState:
    """The people in one zone of a camera, in one frame; people are track ids, ascending."""

    zone: str  # its name
    inside: tuple[int, ...]
    entered: tuple[int, ...] = ()  # at this frame
    left: tuple[int, ...] = ()  # at this frame; also who is no longer tracked


@dataclass(frozen=True, slots=True)
class LineCrossing:
    """A person crossed a line of a camera at a frame."""

    line: str  # its name
    track_id: int
    direction: Literal["left_to_right", "right_to_left"]  # seen along the line, start to end


@dataclass(frozen=True, slots=True, eq=False)
class DecidedFrame:
    """A fully processed frame: its people and the events decided at it."""

    tracked: TrackedFrame
    events: tuple[Event, ...]
    latency_s: Mapping[str, float] = field(default_factory=dict)  # by stage; empty without clips
    unscored: int = 0  # clips that nothing was decided on: their scores were not finite
    clips: int = 0  # that were scored
    best: BestScore | None = None  # of its clips; None: no clip, or every label is background
    zones: tuple[ZoneState, ...] = ()  # of the camera, in the order of the configuration
    crossings: tuple[LineCrossing, ...] = ()

    @property
    def camera_id(self) -> str:
        """The id of the frame's camera."""
        return self.tracked.frame.camera_id


@dataclass(frozen=True, slots=True)
class DecidedEnd:
    """The end of a camera's frames and the events that closed its open actions."""

    end: StreamEnd
    events: tuple[Event, ...]

    @property
    def camera_id(self) -> str:
        """The id of the camera that ended."""
        return self.end.camera_id
