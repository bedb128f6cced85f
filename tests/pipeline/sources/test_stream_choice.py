"""Of several video streams the recording is read, never a cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.sources.file_decoder import DecodeError, VideoReader
from tests.conftest import write_video


@dataclass(frozen=True)
class Made:
    """A stream to write: its size, frames at 10 a second, and what it is."""

    wh: tuple[int, int]
    frames: int
    codec: str = "libx264"
    disposition: int = 0


RECORDING, SECOND, SHORT = Made((64, 48), 30), Made((128, 96), 30), Made((128, 96), 9)
COVER = Made((320, 320), 1, "mjpeg")
FLAGGED = Made((320, 320), 1, "mjpeg", av.stream.Disposition.attached_pic)


def write(path: Path, made: Sequence[Made]) -> Path:
    with av.open(str(path), "w") as container:
        streams = []
        for one in made:
            stream = container.add_stream(one.codec, rate=10)
            stream.width, stream.height = one.wh
            stream.pix_fmt = "yuvj420p" if one.codec == "mjpeg" else "yuv420p"
            if one.disposition:
                stream.disposition = one.disposition
            streams.append(stream)
        for index in range(max(one.frames for one in made)):
            for one, stream in zip(made, streams, strict=True):
                if index < one.frames:
                    image = np.full((one.wh[1], one.wh[0], 3), 90, np.uint8)
                    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                    frame.pts, frame.time_base = index, Fraction(1, 10)
                    container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


def read(path: Path, stream: int | None = None) -> tuple[tuple[int, int], int, tuple[str, ...]]:
    """Width and height, number of frames, notes."""
    reader = VideoReader(path, stream=stream)
    images = [decoded.image for decoded in reader.frames()]
    reader.close()
    height, width = images[0].shape[:2]
    return (width, height), len(images), reader.notes


@pytest.mark.parametrize(
    ("made", "chosen"),
    [
        ([COVER, RECORDING], RECORDING),
        ([RECORDING, COVER], RECORDING),
        ([COVER, RECORDING, COVER], RECORDING),
        ([FLAGGED, RECORDING], RECORDING),
        ([SHORT, RECORDING], RECORDING),
        ([RECORDING, SECOND], SECOND),
    ],
)
def test_the_recording_is_read_and_the_others_are_named(
    tmp_path: Path, made: Sequence[Made], chosen: Made
) -> None:
    wh, frames, notes = read(write(tmp_path / "a.mkv", made))
    assert (wh, frames) == (chosen.wh, chosen.frames)
    [note] = notes
    for one in made:
        assert f"{one.wh[0]}x{one.wh[1]}" in note
    assert "?stream=N" in note


def test_the_stream_that_was_asked_for_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", [RECORDING, SECOND])
    assert read(path, 0) == (RECORDING.wh, 30, ())
    assert read(path, 1) == (SECOND.wh, 30, ())
    with pytest.raises(DecodeError, match=r"no video stream 2, only 0 \(h264 64x48\), 1 \(h264"):
        VideoReader(path, stream=2)


def test_a_codec_that_nobody_knows_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [0.0, 0.1, 0.2])
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_XYZ/XYZ/XYZXY"))
    with pytest.raises(DecodeError, match="its codec is not known"):
        VideoReader(path)


def test_one_stream_needs_no_word(tmp_path: Path) -> None:
    assert read(write_video(tmp_path / "a.mp4", [0.0, 0.1, 0.2]))[2] == ()
