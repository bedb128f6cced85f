"""The decoder of one file, in this process; `test_video_files.py` has it in its own."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.file_decoder import DecodedImage, DecodeError, VideoReader
from tests.conftest import write_video


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T10:00:00.500000Z", 1795600800.5),
        ("2026-11-25T10:00:00", 1795600800.0),
        ("1970-01-01T00:00:00.000000Z", None),  # clocks that were never set
        ("1904-01-01T00:00:00.000000Z", None),
        ("yesterday", None),
    ],
)
def test_the_creation_time_of_a_container(
    tmp_path: Path, text: str, expected: float | None
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = text
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode())
    reader = VideoReader(path)
    assert reader.info.created_at == expected
    reader.close()


def decode(path: Path) -> list[DecodedImage]:
    reader = VideoReader(path)
    try:
        return list(reader.frames())
    finally:
        reader.close()


def test_frames_have_increasing_times_and_their_own_pixels(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.5, 0.54, 2.0]
    path = write_video(tmp_path / "a.mkv", times_s, shade=lambda n: 30 + 40 * n)
    decoded = decode(path)
    assert [one.pts_s for one in decoded] == pytest.approx(times_s, abs=2e-3)
    assert [int(one.image.mean()) for one in decoded] == pytest.approx(
        [30, 70, 110, 150, 190], abs=6
    )
    assert {(one.image.shape, one.image.dtype) for one in decoded} == {
        ((48, 64, 3), np.dtype(np.uint8))
    }


def test_the_container_declares_size_count_and_rate(tmp_path: Path) -> None:
    reader = VideoReader(write_video(tmp_path / "a.mp4", [n / 25 for n in range(50)]))
    info = reader.info
    reader.close()
    assert (info.codec, info.width, info.height, info.frames) == ("h264", 64, 48, 50)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert info.fps == pytest.approx(25, abs=1)


def test_a_file_that_is_no_video_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(DecodeError, match="not a readable video"):
        VideoReader(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        tone = [int(9000 * math.sin(n / 5)) for n in range(8000)]
        file.writeframes(np.array(tone, "<i2").tobytes())
    with pytest.raises(DecodeError, match="no video stream"):
        VideoReader(path)


def test_the_frames_of_a_truncated_file_come_before_its_error(tmp_path: Path) -> None:
    whole = write_video(
        tmp_path / "whole.avi", [n / 30 for n in range(120)], codec="mjpeg", wh=(320, 240)
    )
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    decoded = []
    reader = VideoReader(cut)
    with pytest.raises(DecodeError, match=r"truncated: it ends at .* frames|damaged packets"):
        for one in reader.frames():
            decoded.append(one.pts_s)
    reader.close()
    assert 10 < len(decoded) < 120
    assert decoded == sorted(decoded)
