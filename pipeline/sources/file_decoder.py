"""Decode one video file into frames with their presentation times; the adapter to PyAV.

The decoder process imports it and should start fast: numpy and PyAV only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.paths import ffmpeg_url

_FIRST_YEAR = 1990  # 1904 and 1970 are the zero of clocks that were never set
# A still image whose name has a `%d` is that image, not a sequence of images.
_OPTIONS = {"pattern_type": "none"}
# A header may declare a frame or two that an edit list hides or an encoder never flushed.
MISSING_FRAMES_TOLERATED = 2
MISSING_S_TOLERATED = 1.0
_MATROSKA_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


class DecodeError(Exception):
    """The file cannot be decoded, or not completely; the message names the cause."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What the container declares; 0 where it declares nothing."""

    codec: str
    width: int  # pixels
    height: int
    frames: int  # number of frames, 0 if unknown
    duration_s: float  # 0.0 if unknown
    fps: float  # average, for estimates only: exact times are those of the frames
    created_at: float | None = None  # Unix seconds; of mp4, mov, mkv: when the recording began


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """One decoded frame of a file."""

    pts_s: float  # seconds since the start of the container, strictly increasing
    image: NDArray[np.uint8]  # uint8 (H, W, 3) BGR


class VideoReader:
    """One open video file.

    Args:
        path: a file of any container and codec that FFmpeg's libraries decode.

    Raises:
        DecodeError: if the file is no video or has no video stream.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._container = av.open(ffmpeg_url(path), options=_OPTIONS)
        except av.FFmpegError as error:
            raise DecodeError(f"not a readable video ({error.strerror})") from error
        if not self._container.streams.video:
            self._container.close()
            raise DecodeError("it has no video stream")
        self._stream = self._container.streams.video[0]
        # One thread: the process is one of several, and the frames decoded from a damaged stream
        # must not depend on how frame threads interleave.
        self._stream.thread_count = 1
        self.info = self._describe()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self) -> Iterator[DecodedImage]:
        """Decode every frame in order of presentation.

        Raises:
            DecodeError: at the end, if packets were damaged or frames are missing.
        """
        last_pts_s = -1.0
        end_s = 0.0
        decoded = damaged = 0
        start_s = (self._container.start_time or 0) / av.time_base
        for frame in self._decode():
            if frame is None:
                damaged += 1
                continue
            pts_s = last_pts_s if frame.time is None else frame.time - start_s
            if decoded and pts_s <= last_pts_s:  # missing or repeated: keep increasing
                pts_s = last_pts_s + 1.0 / (self.info.fps or 25.0)
            last_pts_s = max(pts_s, 0.0)
            end_s = last_pts_s + float((frame.duration or 0) * (frame.time_base or 0))
            decoded += 1
            yield DecodedImage(last_pts_s, upright_bgr(frame))
        self._check_complete(decoded, damaged, end_s)

    def _decode(self) -> Iterator[av.VideoFrame | None]:
        """Yield every frame, and None for each packet that could not be decoded."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                raise DecodeError(f"reading stopped ({error.strerror})") from error
            if packet.is_corrupt:
                yield None
            try:
                yield from packet.decode()
            except av.FFmpegError:
                yield None

    def _check_complete(self, decoded: int, damaged: int, end_s: float) -> None:
        if not decoded:
            raise DecodeError("it contains no decodable frame")
        expected = self.info.frames
        of_expected = f" of {expected}" if expected else ""
        if expected:
            truncated = decoded < expected - MISSING_FRAMES_TOLERATED
        else:
            truncated = end_s < self._declared_s() - MISSING_S_TOLERATED
        if truncated:
            raise DecodeError(f"truncated: it ends at {end_s:.1f} s, {decoded}{of_expected} frames")
        if damaged:
            raise DecodeError(
                f"{damaged} damaged packets: {decoded}{of_expected} frames could be read"
            )

    def _declared_s(self) -> float:
        """Return the duration in the video stream's Matroska tag, seconds; 0.0 without a tag.

        Other durations are unreliable: a container's may be that of its audio, and FFmpeg
        estimates one from the bit rate if a format has none.
        """
        clock = _MATROSKA_DURATION.fullmatch(self._stream.metadata.get("DURATION", ""))
        if clock is None:
            return 0.0
        hours, minutes, seconds = (float(part) for part in clock.groups())
        return 3600 * hours + 60 * minutes + seconds

    def _describe(self) -> VideoInfo:
        stream, container = self._stream, self._container
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        duration_s = (container.duration or 0) / av.time_base
        return VideoInfo(
            codec=stream.codec_context.name,
            width=stream.width,
            height=stream.height,
            frames=stream.frames,
            duration_s=duration_s,
            fps=fps,
            created_at=_creation_time(container.metadata.get("creation_time", "")),
        )


def _creation_time(text: str) -> float | None:
    """Return Unix seconds; None for what is no time, or one that clocks have without being set."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not at.tzinfo:
        at = at.replace(tzinfo=UTC)
    return at.timestamp() if at.year >= _FIRST_YEAR else None


def upright_bgr(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Convert a frame to pixels as a player shows them, with a phone's rotation flag applied.

    Returns:
        uint8 (H, W, 3) BGR, contiguous.
    """
    image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
