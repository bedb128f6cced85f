"""What one camera recorded, in one file or in several that continue each other, as one stream."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from pipeline.sources.file_decoder import DECODE_DEFAULTS, DecodeOptions, VideoInfo
from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.time_text import format_utc
from pipeline.types import Frame, StreamEnd

# Names have whole seconds: pieces that are this close to each other continue each other.
SEAM_TOLERANCE_S = 1.0
_USUAL_STEP_S = 1 / 25  # of a piece with one frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """The files of one camera, in order."""

    camera_id: str
    pieces: tuple[VideoFile, ...]
    starts_at: tuple[float | None, ...]  # Unix seconds of each piece's first frame; None: unknown
    container_time: bool = False  # a first piece of unknown time has its container's, if any

    @classmethod
    def of_file(
        cls, video: VideoFile, *, start_at: float | None = None, container_time: bool = False
    ) -> Recording:
        """Return the recording that consists of one file."""
        return cls(video.camera_id, (video,), (start_at,), container_time)


def read_recording(
    recording: Recording,
    *,
    stop: threading.Event,
    now: Callable[[], float],
    opened: Callable[[str, VideoInfo], None],
    began: Callable[[VideoFile, float], None] = lambda video, begins_s: None,
    options: DecodeOptions = DECODE_DEFAULTS,
) -> Generator[Frame | StreamEnd, None, None]:
    """Yield the frames of all pieces, counted and timed as if they were one file, and one end.

    A piece begins where the one before ended; where both their times are known and further apart
    than `SEAM_TOLERANCE_S`, by so much later. One that cannot be read, or not to its end, costs
    itself: the others are read, and the end has its error.

    Args:
        recording: the pieces of one camera.
        stop: ends reading early, without an error.
        now: Unix seconds.
        opened: called with the camera id and what the container declares, for each piece.
        began: called with each piece before its first frame, and the media time of its beginning.
        options: how the pieces are decoded.
    """
    timeline = _Timeline(recording)

    def declare(camera_id: str, info: VideoInfo) -> None:
        timeline.declare(info)
        opened(camera_id, info)

    errors: list[str] = []
    for piece, start_at in zip(recording.pieces, recording.starts_at, strict=True):
        timeline.next_piece(start_at)
        video = replace(piece, camera_id=recording.camera_id)
        began(video, timeline.begins_s)
        for item in read_frames(video, stop=stop, now=now, opened=declare, options=options):
            if isinstance(item, Frame):
                yield timeline.place(item)
            elif item.error is not None:
                errors.append(item.error)
                timeline.failed()
        if stop.is_set():
            break
    if errors:
        yield StreamEnd(recording.camera_id, "failed", "; ".join(errors))
    else:
        yield StreamEnd(recording.camera_id, "stopped" if stop.is_set() else "stream_ended")


class _Timeline:
    """Places the frames of the pieces on one line of media times, and on that of the wall clock."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._frames = 0
        self._end_s = 0.0  # media time at which the pieces so far end
        self._end_at: float | None = None  # the same on the wall clock, Unix seconds
        self._recorded_at = float("-inf")  # of the newest frame
        self._length_s = 0.0  # of the newest piece that could be read

    def next_piece(self, start_at: float | None) -> None:
        self._declared_s, self._read_s, self._step_s = 0.0, 0.0, _USUAL_STEP_S
        self._newest_s: float | None = None  # of this piece
        self._first_index = self._frames
        self.begins_s, self._start_at = self._end_s, start_at
        if start_at is not None and self._end_at is not None:
            gap_s = start_at - self._end_at
            if gap_s > SEAM_TOLERANCE_S:
                self.begins_s += gap_s
        elif start_at is None:
            self._start_at = self._end_at
        self._end_at = self._start_at

    def declare(self, info: VideoInfo) -> None:
        """Take over what a container states of itself."""
        self._declared_s = info.duration_s
        unknown = self._recording.container_time and self._start_at is None
        if unknown and info.created_at is not None:
            self._start_at = info.created_at
            shown, name = format_utc(info.created_at), self._recording.camera_id
            log.info("%s: recorded from %s on, as its container states", name, shown)

    def place(self, frame: Frame) -> Frame:
        if self._newest_s is not None:
            self._step_s = frame.pts_s - self._newest_s
        self._newest_s = frame.pts_s
        self._read_s = frame.pts_s + self._step_s
        self._frames = self._first_index + frame.index + 1
        self._ends_after(self._read_s)
        recorded_at = None
        if self._start_at is not None:  # not back where the whole seconds of names overlap
            recorded_at = max(self._start_at + frame.pts_s, self._recorded_at)
            self._recorded_at = recorded_at
        return replace(
            frame,
            index=self._frames - 1,
            pts_s=self.begins_s + frame.pts_s,
            recorded_at=recorded_at,
        )

    def failed(self) -> None:
        """Leave room for what the newest piece would have had; else people seem to jump."""
        self._ends_after(max(self._read_s, self._declared_s or self._length_s))

    def _ends_after(self, length_s: float) -> None:
        self._length_s = length_s
        self._end_s = self.begins_s + length_s
        self._end_at = None if self._start_at is None else self._start_at + length_s
