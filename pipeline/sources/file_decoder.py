"""Decode one video file into frames with their presentation times; the adapter to PyAV.

The decoder process imports it and should start fast: numpy and PyAV only.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.paths import ffmpeg_url
from pipeline.sources.container_end import check_end
from pipeline.sources.encoded_video import StreamHead
from pipeline.sources.file_clock import FileClock
from pipeline.sources.packet_order import in_order_of_time
from pipeline.sources.pixel_limit import MAX_PIXELS, too_many_pixels
from pipeline.sources.stream_choice import choose_stream, describe_others
from pipeline.sources.stream_head import describe_stream
from pipeline.sources.upright import square_width, upright_bgr

_FIRST_YEAR = 1990  # 1904 and 1970 are the zero of clocks that were never set
# A still image whose name has a `%d` is that image, not a sequence of images.
_OPTIONS = {"pattern_type": "none"}
_LEAST_FPS, _MOST_FPS = 0.5, 300.0
USUAL_FPS = 25.0  # of a stream that states no rate
_NO_TIMESTAMPS = 0x80  # FFmpeg: AVFMT_NOTIMESTAMPS, of raw streams
_PART_BEGINS_S = 1.0  # a clock that goes back by more starts again: two recordings were joined
# A joint is marked one or two packets before the first of the second recording: FFmpeg's parsers
# are so far behind its demuxer.
_MARKED_BEFORE_JOINT = 2


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


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How files are decoded, where they leave a choice; the same for all files of a run."""

    # Frames per second of a raw stream (.h264, .hevc, .mjpeg, .m4v), which has no time stamps;
    # None: as the stream states.
    raw_fps: float | None = None
    max_pixels: int = MAX_PIXELS  # of a frame; a file with larger ones is not decoded


DECODE_DEFAULTS = DecodeOptions()


class VideoReader:
    """One open video file.

    Args:
        path: a file of any container and codec that FFmpeg's libraries decode.
        stream: number of the video stream to read, from 0; None: the longest one.
        options: how it is decoded.

    Raises:
        DecodeError: if the file is no video or has no video stream.
    """

    def __init__(
        self, path: Path, *, stream: int | None = None, options: DecodeOptions = DECODE_DEFAULTS
    ) -> None:
        self._path, self._raw_fps = path, options.raw_fps
        try:
            container = av.open(ffmpeg_url(path), options=_OPTIONS)
        except av.FFmpegError as error:
            raise DecodeError(f"not a readable video ({error.strerror})") from error
        assert isinstance(container, InputContainer)
        self._container = container
        try:
            self._stream = choose_stream(container, stream)
        except ValueError as error:
            container.close()
            raise DecodeError(str(error)) from error
        # One thread: the process is one of several, and the frames decoded from a damaged stream
        # must not depend on how frame threads interleave.
        self._stream.thread_count = 1
        codec = self._stream.codec_context
        if too_many := too_many_pixels(codec.width or 0, codec.height or 0, options.max_pixels):
            container.close()
            raise DecodeError(too_many)
        codec.options = {"max_pixels": str(options.max_pixels)}
        # JPEG images behind each other are a raw stream by either of two names.
        self._is_raw = bool(container.format.flags & _NO_TIMESTAMPS) or (
            container.format.name.endswith("_pipe")
        )
        self._rate_is_guessed = False
        if self._is_raw:  # else it stays at 25 where the stream states nothing
            self._stream.codec_context.framerate = Fraction(0)
        self.info = self._describe()
        self._damage = _Damage()
        self._indexed = len(self._stream.index_entries) if container.format.name == "avi" else 0
        others = describe_others(container, self._stream)
        self._notes = [others] if others and stream is None else []

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the file was read; complete after its last frame."""
        return tuple(self._notes)

    def frames(self) -> Iterator[DecodedImage]:
        """Decode every frame in order of presentation.

        Raises:
            DecodeError: at the end, if packets were damaged or bytes are missing.
        """
        clock = FileClock[av.VideoFrame](1.0 / (self.info.fps or USUAL_FPS))
        decoded, end_s = 0, 0.0
        try:
            for pts_s, frame in clock.place(self._stamped()):
                decoded += 1
                end_s = pts_s + float((frame.duration or 0) * (frame.time_base or 0))
                yield DecodedImage(pts_s, upright_bgr(frame, self._pixel_aspect()))
        finally:
            self._notes += clock.report()
            if self._rate_is_guessed and decoded > 1:
                self._notes.append(
                    f"a raw stream that states no frame rate is read at {USUAL_FPS:g} frames per "
                    "second; set replay.raw_fps"
                )
            if self._damage.before_key:
                frames = self._damage.before_key
                self._notes.append(f"{frames} frames before its first key frame cannot be decoded")
        self._check_complete(decoded, end_s)

    def packets(self) -> Iterator[tuple[float, av.Packet[VideoStream]]]:
        """Yield every packet with the time of its frame, as `frames` has it; in order of decoding.

        Raises:
            DecodeError: if the file does not state the times of its packets, or reading stops.
        """
        clock = FileClock[tuple[int, "av.Packet[VideoStream]"]](1.0 / (self.info.fps or USUAL_FPS))
        placed: dict[int, tuple[float, av.Packet[VideoStream]]] = {}
        following = 0
        for pts_s, (number, packet) in clock.place(in_order_of_time(self._stamped_packets())):
            placed[number] = pts_s, packet
            while following in placed:
                yield placed.pop(following)
                following += 1

    def _stamped_packets(self) -> Iterator[tuple[float, tuple[int, av.Packet[VideoStream]]]]:
        start_s = (self._container.start_time or 0) / av.time_base
        number, step_s = 0, 0.0
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue
                if self._is_raw and not number:
                    packet.decode()  # the decoder then knows the rate
                    step_s = 1.0 / self._rate_of_raw_stream()
                ordered = self._is_raw or packet.pts is None
                if ordered and self._stream.codec_context.has_b_frames:
                    raise DecodeError("it has B-frames, but not the times of its packets")
                if self._is_raw:
                    stamp_s = number * step_s
                else:
                    stamp = packet.dts if packet.pts is None else packet.pts
                    if stamp is None:
                        raise DecodeError("it does not state the times of its packets")
                    stamp_s = float(stamp * packet.time_base) - start_s
                yield stamp_s, (number, packet)
                number += 1
        except av.FFmpegError as error:
            raise DecodeError(f"reading stopped ({error.strerror})") from error

    def head(self, key_packet: av.Packet[VideoStream]) -> StreamHead:
        """Describe the stream for another process.

        Args:
            key_packet: holds a key frame; it is decoded to know how the image is turned.

        Raises:
            DecodeError: if its codec has no place in a file.
        """
        data = bytes(key_packet)
        try:
            described = describe_stream(self._stream, data)
            frames = [*key_packet.decode(), *self._stream.decode(None)]
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"its codec cannot be described ({error})") from error
        matrix = cast("bytes | None", frames[0].side_data.get("DISPLAYMATRIX") if frames else None)
        turned = None if matrix is None else struct.unpack_from("=9i", matrix)
        return StreamHead(self.info.codec, described, 0, turned)

    def _stamped(self) -> Iterator[tuple[float | None, av.VideoFrame]]:
        """Yield every frame with its stamp in seconds from the beginning of the file."""
        if self._is_raw:
            for index, frame in enumerate(self._decode()):
                if not index:
                    step_s = 1.0 / self._rate_of_raw_stream()
                yield index * step_s, frame
            return
        start_s = (self._container.start_time or 0) / av.time_base
        time_of = _DecodingOrder().time_s if self._container.format.name == "avi" else _time_s
        for frame in self._decode():
            time_s = time_of(frame)
            yield None if time_s is None else time_s - start_s, frame

    def _rate_of_raw_stream(self) -> float:
        """Return the configured rate, or the one that its first frame states."""
        if self._raw_fps is not None:
            return self._raw_fps
        stated = float(self._stream.codec_context.framerate or 0)
        if _LEAST_FPS <= stated <= _MOST_FPS:  # an encoder's clock of 30000 a second is no rate
            return stated
        self._rate_is_guessed = True
        return USUAL_FPS

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield every frame; count what is damaged."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, IndexError):  # PyAV's end, if a stream appeared meanwhile
                self._damage.end(max(self._indexed, 0))
                return
            except av.FFmpegError as error:
                raise DecodeError(f"reading stopped ({error.strerror})") from error
            if packet.dts is not None or packet.size:  # else it only empties the decoder
                self._indexed -= 1
                if not packet.size:
                    continue  # AVI: "as the frame before"; a decoder takes it for the end
            self._damage.begin(packet)
            try:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    self._damage.decoded(frame)
                    yield frame
            except av.FFmpegError as error:
                self._failed(error)

    def _failed(self, error: av.FFmpegError) -> None:
        if isinstance(error, MemoryError):  # FFmpeg's is one too
            raise error
        self._damage.failed()

    def _check_complete(self, decoded: int, end_s: float) -> None:
        if not decoded:
            raise DecodeError("it contains no decodable frame")
        end = check_end(self._path)
        if end.is_early:
            raise DecodeError(f"truncated: it ends at {end_s:.1f} s, {decoded} frames")
        if end.has_another:
            raise DecodeError(
                f"a second recording stands behind the first, which ends at {end_s:.1f} s; only "
                "`ffmpeg -f concat` joins such files"
            )
        if self._damage.places:
            raise DecodeError(
                f"{self._damage.places} damaged packets: {decoded} frames could be read"
            )

    def _pixel_aspect(self) -> Fraction | None:
        return self._stream.sample_aspect_ratio

    def _describe(self) -> VideoInfo:
        stream, container = self._stream, self._container
        if self._is_raw and self._raw_fps is not None:
            fps = self._raw_fps
        else:
            fps = float(stream.average_rate or stream.guessed_rate or 0)
        duration_s = (container.duration or 0) / av.time_base
        return VideoInfo(
            codec=stream.codec_context.name,
            width=square_width(stream.width, self._pixel_aspect()),
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


def _time_s(frame: av.VideoFrame) -> float | None:
    return frame.time


class _DecodingOrder:
    """Times of frames whose packets are numbered in the order of decoding, as in AVI.

    With B-frames these numbers fall back again and again; those that the decoder hands on beside
    them (dts) do not. FFmpeg's players choose in the same way (libavcodec, guess_correct_pts).
    """

    def __init__(self) -> None:
        self._newest = {"pts": -math.inf, "dts": -math.inf}
        self._faults = {"pts": 0, "dts": 0}

    def time_s(self, frame: av.VideoFrame) -> float | None:
        """Return the time of the next frame, seconds."""
        stamps = {"pts": frame.pts, "dts": frame.dts}
        for name, stamp in stamps.items():
            if stamp is not None:
                self._faults[name] += stamp <= self._newest[name]
                self._newest[name] = stamp
        falls_back = self._faults["pts"] > self._faults["dts"] and frame.dts is not None
        stamp = frame.dts if falls_back else frame.pts
        return None if stamp is None or frame.time_base is None else float(stamp * frame.time_base)


class _Damage:
    """Counts the packets and frames that are damaged.

    A recording may begin between two key frames, and so may each part of a joined one: what cannot
    be decoded before a key frame is no damage. Where two parts meet, the last packet of the first
    is marked corrupt, because the packet counters of MPEG-TS do not continue.
    """

    def __init__(self) -> None:
        self.places = self.before_key = 0
        self._had_key = self._was_intact = False
        self._marked = 0  # packets since one was marked corrupt, it included
        self._dts_s = -math.inf

    def begin(self, packet: av.Packet[VideoStream]) -> None:
        """Take the next packet into account, before it is decoded."""
        if packet.dts is not None and packet.time_base is not None:
            dts_s = float(packet.dts * packet.time_base)
            if dts_s < self._dts_s - _PART_BEGINS_S:
                self._had_key = self._was_intact = False
            self._dts_s = dts_s
        if packet.is_keyframe:
            self._marked = 0  # two recordings were joined here
        elif self._marked:
            self._marked += 1
            if self._marked > _MARKED_BEFORE_JOINT:
                self.places, self._marked = self.places + 1, 0
        self._had_key = self._had_key or packet.is_keyframe
        if packet.is_corrupt:
            self._marked = 1

    def end(self, missing: int) -> None:
        """Take the end of the file into account, and packets that its index has and it has not."""
        self.places += missing + bool(self._marked)
        self._marked = 0

    def decoded(self, frame: av.VideoFrame) -> None:
        """Take a decoded frame into account: a decoder conceals missing parts, and marks it."""
        if not frame.is_corrupt:
            self._was_intact = True
        elif self._was_intact:
            self.places += 1

    def failed(self) -> None:
        """Count a packet that could not be decoded."""
        if self._had_key:
            self.places += 1
        else:
            self.before_key += 1
