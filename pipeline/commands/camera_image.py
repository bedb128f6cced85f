"""One image of a camera or a recording, for commands that draw on it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pipeline.errors import SourceError
from pipeline.live.camera_messages import LiveFrame, OpenStream, StreamError
from pipeline.live.camera_process import CameraProcess
from pipeline.printable import printable
from pipeline.sources.file_decoder import DecodeOptions
from pipeline.sources.video_files import VideoFile, read_frames
from pipeline.types import Frame, Image

if TYPE_CHECKING:
    from pipeline.config.live import LiveConfig
    from pipeline.live.camera_source import CameraSource

_LONGEST_WAIT_S = 60.0  # for the first intact frame of a camera that sends


def image_of_camera(source: CameraSource, live: LiveConfig) -> Image:
    """Connect to a camera and return the first intact frame, uint8 (H, W, 3) BGR.

    Args:
        source: the camera.
        live: its time limits.

    Raises:
        SourceError: naming the camera, without its credentials.
    """
    request = OpenStream(
        source,
        live.open_timeout_s,
        live.read_timeout_s,
        live.max_staleness_s,
        live.max_pixels,
        live.snapshot_fps,
    )
    latest_at = time.monotonic() + live.open_timeout_s + _LONGEST_WAIT_S
    try:
        with CameraProcess() as process:
            for item in process.frames(request):
                if isinstance(item, LiveFrame):
                    return item.image
                if time.monotonic() > latest_at:
                    raise StreamError("unreadable", f"no intact frame for {_LONGEST_WAIT_S:g} s")
    except StreamError as error:
        raise SourceError(
            f"camera {source.camera_id} ({source.shown}): {error.detail} ({error.reason})"
        ) from None
    raise AssertionError("the frames of a camera end with an error")


def image_of_file(video: VideoFile, at_s: float, max_pixels: int) -> Image:
    """Return a frame of a video file, uint8 (H, W, 3) BGR.

    Args:
        video: the file.
        at_s: media time of the frame, seconds; the first one from it on.
        max_pixels: largest frame that is decoded.

    Raises:
        SourceError: naming the file, if it cannot be read or ends earlier.
    """
    newest_s = None
    frames = read_frames(
        video,
        stop=threading.Event(),
        now=time.time,
        opened=lambda camera_id, info: None,
        options=DecodeOptions(max_pixels=max_pixels),
    )
    for item in frames:
        if not isinstance(item, Frame):
            raise SourceError(item.error or _too_short(video, newest_s))
        if item.pts_s >= at_s:
            frames.close()
            return item.image
        newest_s = item.pts_s
    raise AssertionError("a file's frames are followed by their end")


def _too_short(video: VideoFile, newest_s: float | None) -> str:
    name = printable(str(video.path))
    if newest_s is None:
        return f"{name}: it has no frame"
    return f"--at: {name} ends after {newest_s:.2f} s"
