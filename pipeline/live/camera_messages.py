"""What passes between a live camera's process and its reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.events import DownReason
from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.snapshots import DropCause

# After a fault only the next key frame is a whole picture again; cameras send one every second to
# every twenty. Streams that refresh a part of each picture have none: those have mended so long
# after the last fault.
MENDED_S = 30.0


class StreamError(Exception):
    """A stream that cannot be opened or read on.

    Args:
        reason: for programs.
        detail: for people; without credentials.
    """

    def __init__(self, reason: DownReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: DownReason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class OpenStream:
    """What to connect to, and for how long to be patient."""

    source: CameraSource
    open_timeout_s: float
    read_timeout_s: float
    max_staleness_s: float


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What was connected to."""

    codec: str


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When a picture was taken and came to be. `_s` are seconds on the monotonic clock."""

    pts_s: float  # on the stream's clock
    epoch: int  # grows when the stream's clock leaps
    captured_s: float
    decoded_s: float
    decoded: int  # pictures decoded in this connection, with this one


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """One picture that is to be looked at."""

    image: NDArray[np.uint8]  # uint8 (H, W, 3) BGR
    times: FrameTimes


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """The stream lives; what was left out since the last news."""

    drops: dict[DropCause, int] = field(default_factory=dict)
    clock_off_s: float | None = None  # the camera's wall clock is wrong by so much; told once
