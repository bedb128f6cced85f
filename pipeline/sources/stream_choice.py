"""Choose the video stream of a file that is its recording; an adapter to PyAV."""

from __future__ import annotations

import re

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

# Pictures that belong to a file and are not its recording: covers, thumbnails, still images.
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Streams of one recording differ in length by what their last packets last.
_AS_LONG_AS = 0.9
_MATROSKA_DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")


def choose_stream(container: InputContainer, number: int | None) -> VideoStream:
    """Return the stream that was asked for, or the longest; of equally long ones the largest.

    Args:
        container: an open file.
        number: 0 for the first video stream, as in FFmpeg's `v:0`; None: not asked for.

    Raises:
        ValueError: if there is no such stream; the text says what there is.
    """
    streams = container.streams.video
    decodable = [one for one in streams if one.codec_context is not None]
    if number is not None:
        if number < len(streams) and streams[number] in decodable:
            return streams[number]
        raise ValueError(f"it has no video stream {number}, only {_listed(streams)}")
    if streams and not decodable:
        raise ValueError("its codec is not known to FFmpeg")
    recordings = [one for one in decodable if not one.disposition & _PICTURES]
    if not recordings:
        raise ValueError(
            "it has a picture, but no video stream" if streams else "it has no video stream"
        )
    longest_s = max(_duration_s(one) for one in recordings)
    recordings = [one for one in recordings if _duration_s(one) >= _AS_LONG_AS * longest_s]
    return max(recordings, key=_pixels)  # as ffmpeg chooses; the first of equal ones


def describe_others(container: InputContainer, chosen: VideoStream) -> str | None:
    """Return what the other video streams are, with the option that selects one; None: no other."""
    streams = container.streams.video
    others = [one for one in streams if one.index != chosen.index]
    if not others:
        return None
    return (
        f"video stream {streams.index(chosen)} ({_shown(chosen)}) is read, not "
        f"{_listed(streams, without=chosen)}; another one: FILE?stream=N"
    )


def _listed(streams: tuple[VideoStream, ...], without: VideoStream | None = None) -> str:
    texts = [f"{n} ({_shown(one)})" for n, one in enumerate(streams) if one is not without]
    return ", ".join(texts) or "none"


def _shown(stream: VideoStream) -> str:
    picture = ", a picture" if stream.disposition & _PICTURES else ""
    if stream.codec_context is None:
        return "unknown codec"
    return f"{stream.codec_context.name} {stream.width}x{stream.height}{picture}"


def _pixels(stream: VideoStream) -> tuple[int, int]:
    return stream.width * stream.height, -stream.index


def _duration_s(stream: VideoStream) -> float:
    """Return what the file states of the stream's length, seconds; 0.0 if nothing."""
    clock = _MATROSKA_DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if clock is not None:
        hours, minutes, seconds = (float(part) for part in clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    return float(max(stream.duration or 0, 0) * (stream.time_base or 0))
