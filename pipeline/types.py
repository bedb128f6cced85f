"""What flows through the pipeline, in the order in which a frame gathers it.

Every type is frozen; those that hold arrays compare by identity. One frame travels as `Frame`,
`DetectedFrame`, `TrackedFrame`, `ClippedFrame`, `RecognizedFrame`, `DecidedFrame`; when a camera
has no more frames, one `StreamEnd` follows its last frame through the same stages, so that
tracks are released and open actions are closed in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.events import ActionEvent

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture."""

    camera_id: str
    index: int  # 0-based decode count of this run; a gap means dropped frames
    pts_s: float  # presentation time, seconds on the source's clock, grows
    captured_at: float  # Unix seconds (UTC) when it was decoded
    image: Image  # uint8 (H, W, 3) BGR

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A camera has no more frames; nothing of this camera follows."""

    camera_id: str
    error: str | None = None  # why it ended before its time
    stopped: bool = False  # it was asked to end; without either it was complete


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFrame:
    """A frame and the people the detector found in it."""

    frame: Frame
    detections: Detections
    detected_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class TrackedPerson:
    """One confirmed track, seen in this frame."""

    track_id: int  # unique in (camera_id, run), never reused
    xyxy: FloatArray  # float32 (4,) pixels, inside the image
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame, its people with identities, and who is gone for good."""

    frame: Frame
    people: tuple[TrackedPerson, ...]
    ended: tuple[int, ...]  # track ids that were deleted at this frame
    detected_at: float  # Unix seconds
    tracked_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What the recognizer sees of one person: `clip_len` crops on a regular time grid."""

    camera_id: str
    track_id: int
    crops: NDArray[np.uint8]  # uint8 (T, S, S, 3) BGR
    start_pts_s: float  # of the first grid point
    end_pts_s: float  # of the newest frame
    xyxy: FloatArray  # float32 (4,) box in the newest frame


@dataclass(frozen=True, slots=True, eq=False)
class ClippedFrame:
    """A tracked frame and the clips that became due at it."""

    tracked: TrackedFrame
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The recognizer's scores of one clip, without its pixels."""

    track_id: int
    xyxy: FloatArray  # float32 (4,) box in the clip's newest frame
    scores: FloatArray  # float32 (num_classes,) after softmax or sigmoid


@dataclass(frozen=True, slots=True, eq=False)
class RecognizedFrame:
    """A tracked frame and what its clips scored."""

    tracked: TrackedFrame
    predictions: tuple[Prediction, ...]
    recognized_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class DecidedFrame:
    """A frame at the end of its way: who is in it, and what was decided at it."""

    tracked: TrackedFrame
    events: tuple[ActionEvent, ...]

    @property
    def camera_id(self) -> str:
        """Whose frame it is."""
        return self.tracked.frame.camera_id


@dataclass(frozen=True, slots=True)
class DecidedEnd:
    """A camera's end, with the events that closed its open actions."""

    end: StreamEnd
    events: tuple[ActionEvent, ...]

    @property
    def camera_id(self) -> str:
        """Whose end it is."""
        return self.end.camera_id
