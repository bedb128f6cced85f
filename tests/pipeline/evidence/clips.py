"""Made encoded video for the tests of clips."""

from __future__ import annotations

from pathlib import Path

import av

from pipeline.sources.encoded_video import EncodedPacket, EncodedStretch, StreamHead
from pipeline.sources.stream_head import describe_stream
from testbed.videos_h264 import clock_frames

FPS, WH = 10, (384, 96)
ENCODERS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}


def encode(path: Path, codec: str, *, bframes: int = 0, seconds: float = 4.0) -> Path:
    """A file of numbered frames, see `read_clock`; a key frame every second."""
    with av.open(str(path), "w") as container:
        options = {} if codec == "mjpeg" else {"bf": str(bframes), "preset": "ultrafast"}
        if codec == "hevc":
            options["x265-params"] = "log-level=none"
        stream = container.add_stream(ENCODERS[codec], rate=FPS, options=options)
        stream.width, stream.height = WH
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = FPS
        for image in clock_frames(round(seconds * FPS), FPS, WH):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def stretch_of(path: Path, begins_s: float = 0.0) -> EncodedStretch:
    """The packets of a file as a camera sends them; frame n has the time begins_s + n / FPS."""
    packets: list[EncodedPacket] = []
    head = None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start = stream.start_time or 0
        for packet in container.demux(stream):
            if not packet.size:
                continue
            data = bytes(packet)
            head = head or StreamHead(
                stream.codec_context.name, describe_stream(stream, data), part=0
            )
            stamp = packet.dts if packet.pts is None else packet.pts
            assert stamp is not None
            pts_s = begins_s + float((stamp - start) * packet.time_base)
            packets.append(EncodedPacket(data, pts_s, packet.is_keyframe, len(packets), 0))
    assert head is not None
    return EncodedStretch(head, tuple(packets))
