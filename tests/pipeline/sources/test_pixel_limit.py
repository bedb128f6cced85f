"""A source with absurd frames is refused before it takes the machine's memory."""

from __future__ import annotations

import os
import re
import struct
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.live.camera_messages import LiveFrame, OpenStream, StreamError
from pipeline.live.camera_process import CameraProcess
from pipeline.live.camera_source import CameraSource, parse_source
from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.decoder_process import DecoderProcess
from pipeline.sources.file_decoder import DecodeOptions
from pipeline.sources.pixel_limit import MAX_PIXELS, limit_memory, too_many_pixels
from pipeline.sources.shared_frames import NeedSlots, SlotOwner
from testbed.http_cameras import MjpegCamera


def grown_jpeg(width: int, height: int) -> bytes:
    """Return a small JPEG whose header declares another size."""
    jpeg = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def write_video(path: Path, width: int, height: int, codec: str = "mpeg4") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec != "mpeg4":
            stream.options = {"preset": "ultrafast"}
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def open_live(url: str, max_pixels: int = MAX_PIXELS) -> list[LiveFrame]:
    source = parse_source(url, "gate") if "://" in url else CameraSource("gate", "file", url)
    frames = []
    with CameraProcess() as process:
        for item in process.frames(OpenStream(source, 30.0, 30.0, 0.5, max_pixels)):
            if isinstance(item, LiveFrame):
                frames.append(item)
                if len(frames) == 2:
                    break
    return frames


def test_8k_is_within_the_default_limit() -> None:
    assert too_many_pixels(7680, 4320, MAX_PIXELS) is None
    assert too_many_pixels(8192, 4320, MAX_PIXELS) is None
    assert "65535x65535" in (too_many_pixels(65535, 65535, MAX_PIXELS) or "")


@pytest.mark.parametrize("side", [14_000, 65_000])
def test_a_camera_with_a_huge_image_is_unreadable(side: int) -> None:
    with (
        MjpegCamera([grown_jpeg(side, side)], fps=5.0) as camera,
        pytest.raises(StreamError) as caught,
    ):
        open_live(camera.url)
    assert caught.value.reason == "unreadable"
    assert "max_pixels" in caught.value.detail


def test_a_file_with_larger_frames_is_refused_in_replay_and_live(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 640, 480)
    with (
        DecoderProcess(path, options=DecodeOptions(max_pixels=640 * 480 - 1)) as decoder,
        pytest.raises(SourceError, match="640x480 pixels, more than max_pixels"),
    ):
        decoder.read_info(threading.Event())
    with pytest.raises(StreamError, match="640x480 pixels") as caught:
        open_live(str(path), 640 * 480 - 1)
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_4k_is_decoded_within_the_memory_limit_of_4k(tmp_path: Path, codec: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec}")
    path = write_video(tmp_path / "a.mp4", 3840, 2160, codec)
    with DecoderProcess(path, options=DecodeOptions(max_pixels=3840 * 2160)) as decoder:
        stop = threading.Event()
        assert decoder.read_info(stop) is not None
        assert sum(1 for _ in decoder.frames(stop)) == 3
    assert len(open_live(str(path), 3840 * 2160)) == 2


def test_a_broken_child_gets_no_slots_above_the_limit() -> None:
    owner = SlotOwner(lambda _: None, max_pixels=100)
    for size in (301, 0, -1):
        with pytest.raises(OSError, match="max_pixels"):
            owner.renew(NeedSlots(size))


def take_memory(pipe: Connection) -> None:
    limit_memory(1_000_000)
    try:
        taken = [bytearray(1 << 28) for _ in range(40)]
    except MemoryError:
        pipe.send("refused")
    else:
        pipe.send(f"took {len(taken)}")


def test_a_decoder_cannot_take_more_memory_than_its_frames_need() -> None:
    if not re.match("linux", os.uname().sysname, re.I):
        pytest.skip("the limit is Linux's")
    child = ChildProcess(take_memory, name="greedy")
    try:
        assert child.pipe.poll(60)
        assert child.pipe.recv() == "refused"
    finally:
        child.kill()
