"""Write a clip that a browser plays, as an adapter to PyAV.

H.264 and H.265 keep the camera's own packets; what browsers do not play, and what people are hidden
in, is decoded and encoded to H.264. It runs in a child process, because FFmpeg's libraries abort on
some malformed streams.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import cast

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.errors import PipelineError
from pipeline.evidence.hiding import Hidden, PeopleAt, boxes_between, hide_people
from pipeline.outputs.annotated_video import Mp4Writer
from pipeline.paths import ffmpeg_url
from pipeline.runtime.private_files import create_private_file
from pipeline.sources.encoded_video import EncodedPacket, EncodedStretch
from pipeline.sources.upright import upright_bgr

COPIED = {"h264": "avc1", "hevc": "hvc1"}  # FFmpeg's name and the tag by which players know it
_TIME_BASE = Fraction(1, 90_000)  # the MPEG clock
_USUAL_STEP_S = 1 / 25  # of a clip with one frame
_READ_BYTES = 1 << 20


class ClipError(Exception):
    """A clip that cannot be made of the video; the message names the cause, and no file."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """The people to hide in a clip."""

    what: Hidden
    people: tuple[PeopleAt, ...]  # oldest first
    reach_s: float  # see `boxes_between`


@dataclass(frozen=True, slots=True)
class WrittenClip:
    """A complete clip on disk."""

    codec: str
    start_s: float  # media time of its first frame
    last_s: float  # media time of its last frame
    duration_s: float  # to the end of the last frame
    size_bytes: int
    sha256: str


def write_clip(
    path: Path,
    stretch: EncodedStretch,
    start_s: float,
    end_s: float,
    *,
    hiding: Hiding | None = None,
    max_pixels: int,
) -> WrittenClip:
    """Write an mp4 with its index first, sync it to disk, and check that it can be read.

    Args:
        path: of the file, which is created for its owner alone.
        stretch: the packets, from a key frame on.
        start_s: media time at which it begins; where packets are copied, at the key frame before.
        end_s: media time at which it ends.
        hiding: people to cover; None: none.
        max_pixels: of a frame that is decoded.

    Raises:
        ClipError: if the video cannot be made a clip.
        OSError: if the disk does not take it.
    """
    try:
        if hiding is None and stretch.head.codec in COPIED:
            codec, times = _copy_packets(path, stretch)
        else:
            codec = "h264"
            times = _encode(path, stretch, (start_s, end_s), hiding, max_pixels)
        if not times:
            raise ClipError("no frame of it can be decoded")
        _check(path, len(times))
    except MemoryError:
        raise
    except PipelineError as error:  # of the encoder's file
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise ClipError(str(error)) from error
    except av.error.FFmpegError as error:
        if error.errno in errno.errorcode and error.errno != errno.EINVAL:  # of the system
            raise OSError(error.errno, error.strerror) from error
        raise ClipError(f"FFmpeg reports: {error.strerror}") from error
    times.sort()
    step_s = sorted(b - a for a, b in pairwise(times))
    last_s = step_s[len(step_s) // 2] if step_s else _USUAL_STEP_S
    duration_s = times[-1] - times[0] + last_s
    return WrittenClip(codec, times[0], times[-1], duration_s, *_sync(path))


def _copy_packets(path: Path, stretch: EncodedStretch) -> tuple[str, list[float]]:
    """Write the packets as they are; return the codec and the times of the frames."""
    codec, packets = stretch.head.codec, stretch.packets
    with _opened(stretch) as source:
        template = source.streams.video[0]
        options = {"movflags": "+faststart"}
        create_private_file(path)
        with av.open(ffmpeg_url(path), "w", format="mp4", options=options) as container:
            stream = container.add_stream_from_template(template)
            stream.codec_context.codec_tag = COPIED[codec]
            stream.time_base = _TIME_BASE
            stream.set_display_matrix(stretch.head.turned)
            for packet, (pts, dts) in zip(packets, _ticks(packets), strict=True):
                copy = av.Packet(packet.data)
                copy.pts, copy.dts, copy.time_base = pts, dts, _TIME_BASE
                copy.is_keyframe, copy.stream = packet.is_key, stream
                container.mux(copy)
    return codec, [packet.pts_s for packet in packets]


def _ticks(packets: tuple[EncodedPacket, ...]) -> list[tuple[int, int]]:
    """Return the presentation and decoding time of each packet, in ticks from the first frame.

    The decoding times are those of presentation in order, so much earlier that none is later than
    its own: cameras send none, or wrong ones.
    """
    first_s = min(packet.pts_s for packet in packets)
    wanted = [round((packet.pts_s - first_s) / _TIME_BASE) for packet in packets]
    pts, newest = [0] * len(packets), -1
    for at in sorted(range(len(packets)), key=lambda at: (wanted[at], at)):
        newest = pts[at] = max(wanted[at], newest + 1)
    in_order = sorted(pts)
    delay = max(dts - own for dts, own in zip(in_order, pts, strict=True))
    return [(own, dts - delay) for own, dts in zip(pts, in_order, strict=True)]


def _encode(
    path: Path,
    stretch: EncodedStretch,
    between_s: tuple[float, float],
    hiding: Hiding | None,
    max_pixels: int,
) -> list[float]:
    """Decode and encode; return the times of the frames."""
    start_s, end_s = between_s
    writer: Mp4Writer | None = None
    times: list[float] = []
    try:
        for pts_s, frame, pixel_aspect in _decoded(stretch, max_pixels):
            if not start_s <= pts_s <= end_s or (times and pts_s <= times[-1]):
                continue
            image = upright_bgr(frame, pixel_aspect, stretch.head.turned)
            if hiding is not None:
                boxes = boxes_between(hiding.people, pts_s, hiding.reach_s)
                hide_people(image, boxes, hiding.what)
            if writer is None:
                height, width = image.shape[:2]
                writer = Mp4Writer(path, (width, height))
            writer.write(image, pts_s)
            times.append(pts_s)
    finally:
        if writer is not None:
            writer.close()
    return times


def _decoded(
    stretch: EncodedStretch, max_pixels: int
) -> Iterator[tuple[float, av.VideoFrame, Fraction | None]]:
    """Yield the frames with their media time."""
    with _opened(stretch) as source:
        stream = source.streams.video[0]
        codec = stream.codec_context
        codec.thread_count = 1
        codec.options = {"max_pixels": str(max_pixels)}
        first_s = min(packet.pts_s for packet in stretch.packets)
        packets: list[av.Packet[VideoStream] | None] = []
        for packet, (pts, dts) in zip(stretch.packets, _ticks(stretch.packets), strict=True):
            copy = cast("av.Packet[VideoStream]", av.Packet(packet.data))
            copy.pts, copy.dts, copy.time_base = pts, dts, _TIME_BASE
            packets.append(copy)
        for item in (*packets, None):  # the last one empties the decoder
            try:
                frames = codec.decode(item)
            except MemoryError:
                raise
            except av.error.FFmpegError:
                continue  # a damaged packet costs its frame
            for frame in frames:
                if frame.pts is not None:
                    yield first_s + float(frame.pts * _TIME_BASE), frame, stream.sample_aspect_ratio


def _opened(stretch: EncodedStretch) -> InputContainer:
    container = av.open(io.BytesIO(stretch.head.data), format="nut")
    assert isinstance(container, InputContainer)
    return container


def _check(path: Path, frames: int) -> None:
    """Read the file: not every error of a disk is reported by FFmpeg's libraries."""
    with av.open(ffmpeg_url(path)) as container:
        found = sum(1 for packet in container.demux(container.streams.video[0]) if packet.size)
    if found != frames:
        raise ClipError(f"{found} of its {frames} frames are on disk")


def _sync(path: Path) -> tuple[int, str]:
    """Write the file to disk; return its size in bytes and its SHA-256."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while data := file.read(_READ_BYTES):
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()
