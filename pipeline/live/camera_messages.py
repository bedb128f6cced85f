"""The messages between a live camera's process and its reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.events import DownReason
from pipeline.live.camera_source import CameraSource
from pipeline.sources.pixel_limit import MAX_PIXELS
from pipeline.telemetry.snapshots import DropCause

# After a fault the next key frame is the first intact frame; cameras send one every 1 to 20 s.
# Streams that refresh a part of each frame have none: they count as intact so long after the fault.
RECOVERY_S = 30.0


class StreamError(Exception):
    """A stream that cannot be opened, or read any further.

    Args:
        reason: for programs.
        detail: for people; without credentials.
    """

    def __init__(self, reason: DownReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: DownReason = reason
        self.detail = detail

    @classmethod
    def no_answer(cls, limit_s: float) -> StreamError:
        """Return the error of a camera that did not answer in time."""
        return cls("unreachable", f"no answer within {limit_s:g} s")

    @classmethod
    def nothing_came(cls, limit_s: float) -> StreamError:
        """Return the error of an open stream that was silent for too long."""
        return cls("stalled", f"nothing came for {limit_s:g} s")


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Request to connect to a camera, with the time limits in seconds."""

    source: CameraSource
    open_timeout_s: float
    read_timeout_s: float
    max_staleness_s: float
    max_pixels: int = MAX_PIXELS  # of a frame
    snapshot_fps: float = 2.0  # at which the URL of a single image is asked for
    keep_packets_s: float = 0.0  # of its encoded video, for clips; 0: none
    keep_packets_bytes: int = 0  # of which at most so much is kept


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Answer to `OpenStream`: the stream is open."""

    codec: str


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When a frame was captured and decoded, in seconds on the monotonic clock."""

    pts_s: float  # presentation time on the stream's clock
    epoch: int  # grows when the stream's clock jumps
    captured_s: float
    decoded_s: float
    decoded: int  # frames decoded in this connection, this one included


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A decoded frame that is to be processed."""

    image: NDArray[np.uint8]  # uint8 (H, W, 3) BGR
    times: FrameTimes


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """A sign of life, with what was dropped since the last one."""

    drops: dict[DropCause, int] = field(default_factory=dict)
    clock_off_s: float | None = None  # error of the camera's wall clock; reported once
