"""Describe an encoded stream so that another process can write or decode it; an adapter to PyAV."""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.video.stream import VideoStream

_TIME_BASE = Fraction(1, 90_000)


def describe_stream(stream: VideoStream, key_packet: bytes) -> bytes:
    """Return a NUT file with one packet of a stream; it keeps the codec's parameters as they are.

    A stream that declares no parameter sets has them in its key frames, from which FFmpeg takes
    them when the file is opened.

    Args:
        stream: of an open container.
        key_packet: a packet of it that holds a key frame.

    Raises:
        av.FFmpegError, ValueError: if its codec has no place in a file.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as container:
        copy = container.add_stream_from_template(stream)
        packet = av.Packet(key_packet)
        packet.pts = packet.dts = 0
        packet.time_base, packet.is_keyframe, packet.stream = _TIME_BASE, True, copy
        container.mux(packet)
    return file.getvalue()
