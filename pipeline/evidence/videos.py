"""Where the encoded video of clips comes from: recorded files, or what live cameras send."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from pipeline.evidence.clip_process import RecordedVideo
from pipeline.sources.encoded_video import EncodedStretch
from pipeline.sources.file_decoder import DecodeOptions
from pipeline.sources.video_files import VideoFile


class ClipVideos(Protocol):
    """Interface of the encoded video of all cameras; times are media times in seconds."""

    def open(self, camera_id: str, start_s: float) -> int:
        """Begin to hold the video of a clip; return its number."""
        ...

    def take(
        self, camera_id: str, clip: int, start_s: float, end_s: float
    ) -> EncodedStretch | RecordedVideo | None:
        """Return the video of a clip that is complete; None where there is none."""
        ...

    def close(self, camera_id: str, clip: int) -> None:
        """Release what was held for a clip; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    video: VideoFile
    begins_s: float


class RecordedVideos:
    """The files of a replay, from which clips are cut; every method may be called by any thread.

    Args:
        options: how the files are decoded.
    """

    def __init__(self, options: DecodeOptions) -> None:
        self._options = options
        self._pieces: dict[str, list[_Piece]] = {}
        self._lock = threading.Lock()

    def began(self, video: VideoFile, begins_s: float) -> None:
        """Take into account that a file is read, and at which media time of its camera it begins.

        Args:
            video: with the id of its camera.
            begins_s: seconds.
        """
        with self._lock:
            self._pieces.setdefault(video.camera_id, []).append(_Piece(video, begins_s))

    def open(self, camera_id: str, start_s: float) -> int:
        """Do nothing: a file can be read at any time."""
        return 0

    def take(self, camera_id: str, clip: int, start_s: float, end_s: float) -> RecordedVideo | None:
        """Return the file that has most of the clip: no clip spans two files."""
        with self._lock:
            pieces = list(self._pieces.get(camera_id, ()))
        best, best_s = None, 0.0
        for at, piece in enumerate(pieces):
            until_s = pieces[at + 1].begins_s if at + 1 < len(pieces) else float("inf")
            overlap_s = min(end_s, until_s) - max(start_s, piece.begins_s)
            if overlap_s > best_s:
                best, best_s = piece, overlap_s
        if best is None:
            return None
        return RecordedVideo(best.video.path, best.video.stream, self._options, best.begins_s)

    def close(self, camera_id: str, clip: int) -> None:
        """Do nothing."""
